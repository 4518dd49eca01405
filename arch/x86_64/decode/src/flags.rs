//! The arithmetic flags.

use bitflags::bitflags;

bitflags! {
    /// Flags of RFLAGS that instructions here read or write.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Flags: u64 {
        /// CF: a carry out of the most significant bit, or a borrow.
        const CARRY = 1 << 0;
        /// PF: the low byte has an even number of ones.
        const PARITY = 1 << 2;
        /// AF: a carry out of bit 3, or a borrow.
        const AUXILIARY = 1 << 4;
        /// ZF: the result is zero.
        const ZERO = 1 << 6;
        /// SF: the most significant bit of the result.
        const SIGN = 1 << 7;
        /// DF: strings go downwards.
        const DIRECTION = 1 << 10;
        /// OF: the result has the wrong sign.
        const OVERFLOW = 1 << 11;
    }
}

impl Flags {
    /// The flags that arithmetic writes.
    const ARITHMETIC: Self = Self::CARRY
        .union(Self::PARITY)
        .union(Self::AUXILIARY)
        .union(Self::ZERO)
        .union(Self::SIGN)
        .union(Self::OVERFLOW);

    /// These flags, with those that arithmetic writes as in `result`.
    pub(crate) const fn after(self, result: Self) -> Self {
        self.difference(Self::ARITHMETIC).union(result)
    }
}
