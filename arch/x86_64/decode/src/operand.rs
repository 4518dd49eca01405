//! What an instruction works on.

/// Bytes of an operand or of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Size {
    /// 8 bits.
    Byte = 1,
    /// 16 bits.
    Word = 2,
    /// 32 bits.
    Dword = 4,
    /// 64 bits.
    Qword = 8,
    /// 128 bits.
    Oword = 16,
}

impl Size {
    /// How many bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self as u64
    }

    /// How many bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        (self as u32) << 3
    }

    /// The low bits of a word that an operand of this size has. A word has 64 of them.
    #[must_use]
    pub const fn mask(self) -> u64 {
        u64::MAX >> 64_u32.saturating_sub(self.bits())
    }

    /// `value`, of this size, with its sign extended to 64 bits.
    pub(crate) const fn sign_extended(self, value: u64) -> u64 {
        let unused = 64_u32.saturating_sub(self.bits());
        ((value << unused).cast_signed() >> unused).cast_unsigned()
    }
}

/// The part of a general-purpose register that an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The low 8 bits.
    Low,
    /// Bits 15:8: AH, CH, DH, BH.
    High,
    /// The low 16 bits.
    Word,
    /// The low 32 bits. A write clears the others.
    Dword,
    /// All of it.
    Qword,
}

impl Part {
    /// Bytes of it.
    #[must_use]
    pub const fn size(self) -> Size {
        match self {
            Self::Low | Self::High => Size::Byte,
            Self::Word => Size::Word,
            Self::Dword => Size::Dword,
            Self::Qword => Size::Qword,
        }
    }

    /// Where it begins.
    pub(crate) const fn shift(self) -> u32 {
        match self {
            Self::High => 8,
            _ => 0,
        }
    }

    /// The low part of this size. No operand in a register has 16 bytes.
    pub(crate) const fn low(size: Size) -> Self {
        match size {
            Size::Byte => Self::Low,
            Size::Word => Self::Word,
            Size::Dword => Self::Dword,
            Size::Qword | Size::Oword => Self::Qword,
        }
    }
}

/// The general-purpose registers, by number.
pub type Registers = [u64; 16];

/// What is in register `number`, 0 to 15.
#[inline(always)]
pub(crate) fn content(registers: &Registers, number: u8) -> u64 {
    registers.get(usize::from(number & 15)).copied().unwrap_or_default()
}

/// The numbers of the general-purpose registers that instructions name without saying so.
pub mod number {
    /// The accumulator.
    pub const RAX: u8 = 0;
    /// The counter.
    pub const RCX: u8 = 1;
    /// The accumulator's upper half, and the number of a port.
    pub const RDX: u8 = 2;
    /// The lower half of what CMPXCHG16B stores.
    pub const RBX: u8 = 3;
    /// The stack pointer.
    pub const RSP: u8 = 4;
    /// The frame pointer.
    pub const RBP: u8 = 5;
    /// Where a string comes from.
    pub const RSI: u8 = 6;
    /// Where a string goes.
    pub const RDI: u8 = 7;
}

/// A general-purpose register as an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Which: 0 is RAX, 15 is R15.
    pub number: u8,
    /// How much of it.
    pub part: Part,
}

impl Register {
    /// The operand's value, when the register holds `whole`.
    #[must_use]
    pub const fn value(self, whole: u64) -> u64 {
        whole >> self.part.shift() & self.part.size().mask()
    }

    /// What the register holds once `value` is written to the operand, when it held `whole`.
    #[must_use]
    pub const fn merged(self, whole: u64, value: u64) -> u64 {
        let mask = self.part.size().mask();
        match self.part {
            Part::Low | Part::Word => whole & !mask | value & mask,
            Part::High => whole & !(mask << 8) | (value & mask) << 8,
            Part::Dword | Part::Qword => value & mask,
        }
    }
}

/// An operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// There is none, or the operation implies it.
    None,
    /// The memory operand, [`Instruction::memory`](crate::Instruction::memory).
    Memory,
    /// [`Instruction::immediate`](crate::Instruction::immediate).
    Immediate,
    /// A general-purpose register.
    Register(Register),
    /// A control register, by its number.
    Control(u8),
}

/// A segment register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// ES.
    Es,
    /// CS.
    Cs,
    /// SS.
    Ss,
    /// DS.
    Ds,
    /// FS.
    Fs,
    /// GS.
    Gs,
}

/// What an address counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Zero.
    None,
    /// A general-purpose register.
    Register(u8),
    /// The next instruction.
    Next,
}

/// A memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What its address counts from.
    pub base: Base,
    /// The register that is scaled and added.
    pub index: Option<u8>,
    /// How far the index is shifted to the left.
    pub scale: u8,
    /// The segment, with an override that means nothing in 64-bit mode left out.
    pub segment: Segment,
    /// The size in which the offset wraps around.
    pub size: Size,
    /// A constant that is added, with its sign extended.
    pub displacement: u64,
}
