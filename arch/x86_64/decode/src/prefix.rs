//! What stands before the opcode, as one set of bits.
//!
//! Intel SDM vol. 2, "Instruction Prefixes" and "REX Prefixes"; AMD64 APM vol. 3, "Instruction
//! Prefixes".

use bitflags::bitflags;

use crate::instruction::Mode;
use crate::operand::{Segment, Size};

bitflags! {
    /// Prefixes, and the mode, which has a say in what they mean.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Prefixes: u16 {
        /// REX.B: bit 3 of ModRM.rm and SIB.base.
        const BASE = 1 << 0;
        /// REX.X: bit 3 of SIB.index.
        const INDEX = 1 << 1;
        /// REX.R: bit 3 of ModRM.reg.
        const REG = 1 << 2;
        /// REX.W: the operand has 64 bits.
        const WIDE = 1 << 3;
        /// 66: the operand has 16 bits, or a part of the opcode.
        const OPERAND = 1 << 4;
        /// Not a prefix: 64-bit mode.
        const LONG = 1 << 5;
        /// A REX prefix, which makes SPL, BPL, SIL and DIL of AH, CH, DH and BH.
        const REX = 1 << 6;
        /// 67: addresses have 32 bits. In 32-bit mode they would have 16, of which we know nothing.
        const ADDRESS = 1 << 7;
        /// F0: locked.
        const LOCK = 1 << 8;
        /// F2, if it is the last of F2 and F3: REPNE, or a part of the opcode.
        const REPEAT_NOT_EQUAL = 1 << 9;
        /// F3, if it is the last of F2 and F3: REP, or a part of the opcode.
        const REPEAT = 1 << 10;
        /// 64: FS, if it is the last of 64 and 65.
        const FS = 1 << 11;
        /// 65: GS, if it is the last of 64 and 65.
        const GS = 1 << 12;
        /// One of the other segments, if none of these two is behind it. Its number is in the next bits.
        const FLAT = 1 << 13;
        /// The number of that segment.
        const FLAT_NUMBER = 3 << 14;

        /// All that a REX prefix says.
        const ANY_REX = Self::REX.bits()
            | Self::BASE.bits()
            | Self::INDEX.bits()
            | Self::REG.bits()
            | Self::WIDE.bits();
        /// All that can be a part of the opcode.
        const MANDATORY =
            Self::OPERAND.bits() | Self::REPEAT.bits() | Self::REPEAT_NOT_EQUAL.bits();
        /// All that F2 and F3 say.
        const ANY_REPEAT = Self::REPEAT.bits() | Self::REPEAT_NOT_EQUAL.bits();
        /// All that the prefixes of four segments say.
        const ANY_FLAT = Self::FLAT.bits() | Self::FLAT_NUMBER.bits();
        /// All that the prefixes of segments say.
        const ANY_SEGMENT = Self::FS.bits() | Self::GS.bits() | Self::ANY_FLAT.bits();
    }
}

/// What a prefix other than REX does to the set.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    /// What it lets stay.
    kept: Prefixes,
    /// What it sets.
    set: Prefixes,
}

impl Change {
    /// It clears `cleared`, then sets `set`. A REX prefix counts only directly before the opcode.
    const fn new(cleared: Prefixes, set: Prefixes) -> Self {
        Self { kept: cleared.union(Prefixes::ANY_REX).complement(), set }
    }

    /// It says which segment, of those that are flat in 64-bit mode. There FS or GS before it counts.
    const fn flat(segment: Segment) -> Self {
        let number = Prefixes::from_bits_retain((segment as u16) << Self::FLAT_SHIFT);
        Self::new(Prefixes::ANY_FLAT, Prefixes::FLAT.union(number))
    }

    /// Where [`Prefixes::FLAT_NUMBER`] begins.
    const FLAT_SHIFT: u32 = Prefixes::FLAT_NUMBER.bits().trailing_zeros();

    /// What the prefix `byte` does. None if it is not one, or REX.
    pub(crate) const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0x26 => Self::flat(Segment::Es),
            0x2e => Self::flat(Segment::Cs),
            0x36 => Self::flat(Segment::Ss),
            0x3e => Self::flat(Segment::Ds),
            0x64 => Self::new(Prefixes::ANY_SEGMENT, Prefixes::FS),
            0x65 => Self::new(Prefixes::ANY_SEGMENT, Prefixes::GS),
            0x66 => Self::new(Prefixes::empty(), Prefixes::OPERAND),
            0x67 => Self::new(Prefixes::empty(), Prefixes::ADDRESS),
            0xf0 => Self::new(Prefixes::empty(), Prefixes::LOCK),
            0xf2 => Self::new(Prefixes::ANY_REPEAT, Prefixes::REPEAT_NOT_EQUAL),
            0xf3 => Self::new(Prefixes::ANY_REPEAT, Prefixes::REPEAT),
            _ => return None,
        })
    }
}

impl Prefixes {
    /// Before the first.
    pub(crate) const fn new(mode: Mode) -> Self {
        match mode {
            Mode::Bits64 => Self::LONG,
            Mode::Bits32 => Self::empty(),
        }
    }

    /// With another one.
    pub(crate) const fn changed(self, change: Change) -> Self {
        self.intersection(change.kept).union(change.set)
    }

    /// With the REX prefix `byte`, the low half of which are its bits.
    pub(crate) const fn with_rex(self, byte: u8) -> Self {
        let bits = Self::from_bits_retain((byte & 0x0f) as u16);
        self.difference(Self::ANY_REX).union(Self::REX).union(bits)
    }

    /// The bit before ModRM.reg.
    pub(crate) const fn reg(self) -> u8 {
        (self.intersection(Self::REG).bits() << 1) as u8
    }

    /// The bit before SIB.index.
    pub(crate) const fn index(self) -> u8 {
        (self.intersection(Self::INDEX).bits() << 2) as u8
    }

    /// The bit before ModRM.rm and SIB.base.
    pub(crate) const fn base(self) -> u8 {
        (self.intersection(Self::BASE).bits() << 3) as u8
    }

    /// The mode.
    pub(crate) const fn mode(self) -> Mode {
        if self.contains(Self::LONG) { Mode::Bits64 } else { Mode::Bits32 }
    }

    /// What decides on the size of operands, as a number below 8.
    pub(crate) const fn size_index(self) -> usize {
        (self.bits() >> Self::WIDE.bits().trailing_zeros()) as usize & 7
    }

    /// The prefixes that have this number.
    pub(crate) const fn of_size_index(index: usize) -> Self {
        Self::from_bits_retain((index << Self::WIDE.bits().trailing_zeros()) as u16)
    }

    /// The size of operands.
    pub(crate) const fn operand_size(self) -> Size {
        if self.contains(Self::WIDE) {
            Size::Qword
        } else if self.contains(Self::OPERAND) {
            Size::Word
        } else {
            Size::Dword
        }
    }

    /// The size of addresses.
    pub(crate) const fn address_size(self) -> Size {
        match (self.mode(), self.contains(Self::ADDRESS)) {
            (Mode::Bits64, false) => Size::Qword,
            _ => Size::Dword,
        }
    }

    /// Whether an offset is an address as it is: in 64-bit mode, with no prefix that has it otherwise.
    pub(crate) fn is_flat(self) -> bool {
        let otherwise = Self::LONG.union(Self::ADDRESS).union(Self::FS).union(Self::GS);
        self.intersection(otherwise) == Self::LONG
    }

    /// The segment that they say, or else `default`.
    pub(crate) const fn segment(self, default: Segment) -> Segment {
        if !self.intersects(Self::ANY_SEGMENT) {
            default
        } else if self.contains(Self::FLAT) && !self.contains(Self::LONG) {
            match self.bits() >> Change::FLAT_SHIFT {
                0 => Segment::Es,
                1 => Segment::Cs,
                2 => Segment::Ss,
                _ => Segment::Ds,
            }
        } else if self.contains(Self::FS) {
            Segment::Fs
        } else if self.contains(Self::GS) {
            Segment::Gs
        } else {
            default
        }
    }
}
