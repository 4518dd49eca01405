//! The bytes behind the opcode that name registers and memory.
//!
//! Intel SDM vol. 2, "ModR/M and SIB Bytes" and "Addressing-Mode Encoding of ModR/M and SIB Bytes";
//! AMD64 APM vol. 3, "ModRM and SIB Bytes".

use crate::cursor::Cursor;
use crate::instruction::Error;
use crate::operand::{Base, Memory, Registers, Segment, Size, content, number};
use crate::prefix::Prefixes;

/// ModRM.rm of a SIB byte, and SIB.index of none.
const SIB: u8 = 4;
/// ModRM.rm and SIB.base of a displacement alone, with ModRM.mod 0.
const DISPLACEMENT: u8 = 5;

/// ModRM and SIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModRm {
    /// ModRM.
    pub(crate) byte: u8,
    /// SIB, if ModRM asks for it.
    sib: u8,
}

impl ModRm {
    /// Neither.
    pub(crate) const NONE: Self = Self { byte: 0, sib: 0 };

    /// ModRM.mod: what kind of operand, and how large a displacement.
    const fn kind(self) -> u8 {
        self.byte >> 6
    }

    /// ModRM.rm, without the bit that REX has.
    const fn low_rm(self) -> u8 {
        self.byte & 7
    }

    /// ModRM.reg, a register.
    pub(crate) const fn reg(self, prefixes: Prefixes) -> u8 {
        self.byte >> 3 & 7 | prefixes.reg()
    }

    /// ModRM.rm, a register if it is not memory.
    pub(crate) const fn rm(self, prefixes: Prefixes) -> Option<u8> {
        match self.kind() {
            3 => Some(self.low_rm() | prefixes.base()),
            _ => None,
        }
    }

    /// Whether there is a SIB byte with memory.
    const fn has_sib(self) -> bool {
        self.low_rm() == SIB
    }

    /// Whether there is a displacement in place of a base. There is no SIB byte that is not zero where
    /// there is none.
    const fn is_displacement_alone(self) -> bool {
        self.kind() == 0 && (self.low_rm() == DISPLACEMENT || self.sib & 7 == DISPLACEMENT)
    }

    /// Reads what follows a ModRM byte that names memory: SIB, and the displacement.
    #[inline(always)]
    pub(crate) fn read_memory(&mut self, cursor: &mut Cursor<'_>) -> Result<u64, Error> {
        let base = if self.has_sib() {
            self.sib = cursor.byte()?;
            self.sib & 7
        } else {
            self.low_rm()
        };
        match self.kind() {
            0 if base != DISPLACEMENT => Ok(0),
            1 => cursor.signed(Size::Byte),
            _ => cursor.signed(Size::Dword),
        }
    }

    /// What the address counts from.
    fn base(self, prefixes: Prefixes) -> Base {
        if !self.is_displacement_alone() {
            let low = if self.has_sib() { self.sib & 7 } else { self.low_rm() };
            Base::Register(low | prefixes.base())
        } else if prefixes.contains(Prefixes::LONG) && !self.has_sib() {
            Base::Next
        } else {
            Base::None
        }
    }

    /// What is scaled and added.
    fn index(self, prefixes: Prefixes) -> Option<u8> {
        let index = self.sib >> 3 & 7 | prefixes.index();
        if self.has_sib() && index != SIB { Some(index) } else { None }
    }

    /// How far the index is shifted to the left.
    const fn scale(self) -> u8 {
        self.sib >> 6
    }

    /// The memory that they name.
    pub(crate) fn memory(self, prefixes: Prefixes, displacement: u64) -> Memory {
        let base = self.base(prefixes);
        let on_stack = matches!(base, Base::Register(number::RSP | number::RBP));
        Memory {
            base,
            index: self.index(prefixes),
            scale: self.scale(),
            segment: prefixes.segment(if on_stack { Segment::Ss } else { Segment::Ds }),
            size: prefixes.address_size(),
            displacement,
        }
    }

    /// What they add to the displacement. The next instruction is at `next`.
    #[inline]
    pub(crate) fn offset(self, prefixes: Prefixes, registers: &Registers, next: u64) -> u64 {
        let base = match self.base(prefixes) {
            Base::Register(number) => content(registers, number),
            Base::Next => next,
            Base::None => 0,
        };
        match self.index(prefixes) {
            Some(index) => base.wrapping_add(content(registers, index) << self.scale()),
            None => base,
        }
    }
}
