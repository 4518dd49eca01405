//! Where the operands in memory are.

use crate::instruction::Instruction;
use crate::operand::Segment;

/// One element of a string instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Where it comes from: for MOVS and OUTS.
    pub source: u64,
    /// Where it goes: for MOVS, STOS and INS.
    pub destination: u64,
    /// The registers that change with it, and what is in them then.
    pub registers: [Option<(u8, u64)>; 3],
}

impl Instruction {
    /// The linear address of the memory operand. `register` tells what is in a general-purpose register,
    /// `rip` is the address of the instruction, `base` tells where a segment begins. In 64-bit mode only
    /// FS and GS are asked for. The operand of a bit instruction is where the numbered bit is.
    #[must_use]
    pub fn address(
        &self,
        register: impl Fn(u8) -> u64,
        rip: u64,
        base: impl Fn(Segment) -> u64,
    ) -> u64 {
        let _ = (register, rip, base);
        0
    }

    /// The next element of a string instruction, with RFLAGS for the direction. None when there is none
    /// left, or for another instruction. The caller carries it out ([`Instruction::execute`] with the
    /// source as memory), changes the registers, and goes on if it is to be
    /// [repeated](Instruction::repeat): when no element is left, the instruction is done.
    #[must_use]
    pub fn element(
        &self,
        register: impl Fn(u8) -> u64,
        base: impl Fn(Segment) -> u64,
        flags: u64,
    ) -> Option<Element> {
        let _ = (register, base, flags);
        None
    }
}
