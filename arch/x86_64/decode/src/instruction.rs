//! A decoded instruction.

use crate::operand::{Memory, Operand, Size};
use crate::operation::Operation;

/// How the processor reads instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 64-bit mode.
    Bits64,
    /// Protected or compatibility mode with a 32-bit code segment.
    Bits32,
}

/// Why there is no instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It goes on behind the bytes that were given.
    Truncated,
    /// It is not one of ours, or none at all.
    Unknown,
}

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub operation: Operation,
    /// The mode that it was decoded for.
    pub mode: Mode,
    /// How many bytes it has.
    pub length: u8,
    /// Whether it has a LOCK prefix. XCHG with memory is locked without one.
    pub lock: bool,
    /// Whether it is a string instruction with a REP prefix.
    pub repeat: bool,
    /// Bytes of the memory operand, or of the operation where there is none.
    pub size: Size,
    /// What it writes, or reads and writes, or compares.
    pub destination: Operand,
    /// What it only reads. Of XCHG and XADD it is written too.
    pub source: Operand,
    /// The memory operand, where there is one. Of MOVS it is the source.
    pub memory: Memory,
    /// The immediate operand, with its sign extended, where there is one.
    pub immediate: u64,
}

impl Instruction {
    /// Whether it reads its memory operand.
    #[must_use]
    pub const fn reads(&self) -> bool {
        use Operation::{Ins, Invlpg, Mov, Movbe, Movnti, Smsw, Stos, Vmptrst, Vmread};
        match (self.destination, self.source) {
            (_, Operand::Memory) => !matches!(self.operation, Invlpg),
            (Operand::Memory, _) => !matches!(
                self.operation,
                Ins | Mov | Movbe | Movnti | Smsw | Stos | Vmptrst | Vmread
            ),
            _ => false,
        }
    }

    /// Whether it writes memory.
    #[must_use]
    pub const fn writes(&self) -> bool {
        use Operation::{Bt, Cmp, Test};
        matches!(self.destination, Operand::Memory) && !matches!(self.operation, Bt | Cmp | Test)
    }
}
