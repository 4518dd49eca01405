//! A UART's receive FIFO: bytes that have arrived and that the guest has not read yet.

/// How many bytes it can hold.
pub const DEPTH: u8 = 16;

/// Up to [`DEPTH`] bytes.
#[derive(Debug)]
pub struct Fifo {
    /// The bytes, the oldest lowest.
    bytes: u128,
    /// How many there are.
    waiting: u8,
}

impl Fifo {
    /// Empty.
    pub const EMPTY: Self = Self { bytes: 0, waiting: 0 };

    /// How many bytes wait.
    #[must_use]
    #[inline]
    pub const fn len(&self) -> u8 {
        self.waiting
    }

    /// Whether none waits.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Adds a byte; lost if there is no room.
    pub fn push(&mut self, byte: u8) {
        if self.waiting < DEPTH {
            let place = u32::from(self.waiting).wrapping_mul(u8::BITS);
            self.bytes |= u128::from(byte).wrapping_shl(place);
            self.waiting = self.waiting.saturating_add(1);
        }
    }

    /// Takes the oldest byte.
    pub fn pop(&mut self) -> Option<u8> {
        let [byte, ..] = self.bytes.to_le_bytes();
        self.waiting = self.waiting.checked_sub(1)?;
        self.bytes = self.bytes.wrapping_shr(u8::BITS);
        Some(byte)
    }
}
