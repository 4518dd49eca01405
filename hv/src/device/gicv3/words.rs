//! Bitmaps of interrupts, by the words in which the registers show them.
//!
//! Nearly every operation of the controller is on a whole register: 32 interrupts at once.

/// How many words: the private interrupts and the shared ones.
pub(super) const WORDS: usize = 3;

/// One bit for each interrupt. INTIDs and words that do not exist read as clear and cannot be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words([u32; WORDS]);

impl Words {
    /// The empty set.
    pub(super) const NONE: Self = Self([0; WORDS]);

    /// A set of private interrupts.
    pub(super) const fn first(word: u32) -> Self {
        Self([word, 0, 0])
    }

    /// The bits of word `index`.
    #[inline]
    pub(super) fn word(&self, index: usize) -> u32 {
        self.0.get(index).copied().unwrap_or(0)
    }

    /// Replaces word `index`.
    #[inline]
    pub(super) fn replace(&mut self, index: usize, bits: u32) {
        if let Some(word) = self.0.get_mut(index) {
            *word = bits;
        }
    }

    /// Adds `bits` to word `index`.
    #[inline]
    pub(super) fn insert(&mut self, index: usize, bits: u32) {
        self.replace(index, self.word(index) | bits);
    }

    /// Takes `bits` out of word `index`.
    #[inline]
    pub(super) fn remove(&mut self, index: usize, bits: u32) {
        self.replace(index, self.word(index) & !bits);
    }

    /// Whether `intid` is in the set.
    #[inline]
    pub(super) fn contains(&self, intid: u32) -> bool {
        self.word(index(intid)) & bit(intid) != 0
    }

    /// Puts `intid` in or takes it out.
    #[inline]
    pub(super) fn set(&mut self, intid: u32, member: bool) {
        if member {
            self.insert(index(intid), bit(intid));
        } else {
            self.remove(index(intid), bit(intid));
        }
    }

    /// 16 interrupts from `half * 16` on.
    pub(super) fn half(&self, half: usize) -> u16 {
        let [low, high] = halves(self.word(half / 2));
        if half.is_multiple_of(2) { low } else { high }
    }

    /// Replaces 16 interrupts from `half * 16` on.
    pub(super) fn set_half(&mut self, half: usize, bits: u16) {
        let [low, high] = halves(self.word(half / 2));
        let [low, high] = if half.is_multiple_of(2) { [bits, high] } else { [low, bits] };
        self.replace(half / 2, u32::from(low) | u32::from(high) << 16);
    }
}

/// The positions of the set bits of a word, lowest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ones(pub(super) u32);

impl Iterator for Ones {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let position = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        (position < u32::BITS).then_some(position)
    }
}

/// The word in which `intid` stands.
#[inline]
pub(super) const fn index(intid: u32) -> usize {
    (intid / u32::BITS) as usize
}

/// The bit of `intid` in its word.
#[inline]
pub(super) const fn bit(intid: u32) -> u32 {
    1_u32.wrapping_shl(intid)
}

/// The two halves of a word, the lower first.
const fn halves(word: u32) -> [u16; 2] {
    let [a, b, c, d] = word.to_le_bytes();
    [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
}

/// `ICFGR` from triggers: bit n becomes bit 2n + 1.
pub(super) fn spread(edge: u16) -> u32 {
    Ones(edge.into()).fold(0, |register, n| register | 0b10_u32.wrapping_shl(n.wrapping_mul(2)))
}

/// Triggers from `ICFGR`: bit 2n + 1 becomes bit n.
pub(super) fn gather(register: u32) -> u16 {
    (0..u16::BITS)
        .filter(|n| register.wrapping_shr(n.wrapping_mul(2)) & 0b10 != 0)
        .fold(0, |edge, n| edge | 1_u16.wrapping_shl(n))
}
