//! A set of vectors, as IRR and ISR are, of which the highest is asked for all the time.

/// Words of 32 vectors.
const WORDS: usize = 8;

/// Some of the 256 vectors.
#[derive(Debug)]
pub(super) struct Vectors {
    /// A bit for each vector.
    words: [u32; WORDS],
    /// A bit for each word that is not 0.
    used: u32,
}

impl Vectors {
    /// No vector.
    pub(super) const NONE: Self = Self { words: [0; WORDS], used: 0 };

    /// Adds `vector`.
    pub(super) fn insert(&mut self, vector: u8) {
        let (index, bit) = place(vector);
        if let Some(word) = self.words.get_mut(index) {
            *word |= bit;
            self.used |= 1_u32.wrapping_shl(index as u32);
        }
    }

    /// Removes `vector`.
    pub(super) fn remove(&mut self, vector: u8) {
        let (index, bit) = place(vector);
        if let Some(word) = self.words.get_mut(index) {
            *word &= !bit;
            if *word == 0 {
                self.used &= !1_u32.wrapping_shl(index as u32);
            }
        }
    }

    /// The highest vector.
    #[inline]
    pub(super) fn highest(&self) -> Option<u8> {
        let index = self.used.checked_ilog2()?;
        let bit = self.word(index as usize).checked_ilog2()?;
        Some((index << 5 | bit) as u8)
    }

    /// Word `index`, as the registers show it.
    #[inline]
    pub(super) fn word(&self, index: usize) -> u32 {
        self.words.get(index).copied().unwrap_or_default()
    }
}

/// The word of `vector` and its bit there.
const fn place(vector: u8) -> (usize, u32) {
    ((vector >> 5) as usize, 1_u32.wrapping_shl(vector as u32))
}
