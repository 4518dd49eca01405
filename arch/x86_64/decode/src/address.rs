//! Where the operands in memory are.

use crate::flags::Flags;
use crate::form::Slot;
use crate::instruction::{Instruction, Mode};
use crate::operand::{Base, Part, Register, Segment, Size, number};

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
    /// FS and GS are asked for. Zero without a memory operand. The operand of a bit instruction is where the numbered bit is.
    #[must_use]
    pub fn address(
        &self,
        register: impl Fn(u8) -> u64,
        rip: u64,
        base: impl Fn(Segment) -> u64,
    ) -> u64 {
        let Some(memory) = self.memory() else { return 0 };
        let mut offset = memory.displacement;
        match memory.base {
            Base::None => {}
            Base::Register(number) => offset = offset.wrapping_add(register(number)),
            Base::Next => offset = offset.wrapping_add(rip).wrapping_add(u64::from(self.length)),
        }
        if let Some(index) = memory.index {
            offset = offset.wrapping_add(register(index) << memory.scale);
        }
        if self.operation.is_bit()
            && let Some(source) = self.register(self.form.source)
        {
            offset = offset.wrapping_add(self.bit_string(source.value(register(source.number))));
        }
        self.linear(memory.segment, offset, base)
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
        let size = self.prefixes.address_size();
        let whole = |number| Register { number, part: Part::low(size) }.value(register(number));
        if !self.operation.is_string() || self.repeat && whole(number::RCX) == 0 {
            return None;
        }
        let downwards = Flags::from_bits_retain(flags).contains(Flags::DIRECTION);
        let bytes = self.size.bytes();
        let step = if downwards { bytes.wrapping_neg() } else { bytes };
        let moved = |number, by| Some((number, whole(number).wrapping_add(by) & size.mask()));
        let comes = self.form.source == Slot::StringSource;
        let goes = self.form.destination == Slot::StringDestination;
        Some(Element {
            source: self.linear(self.prefixes.segment(Segment::Ds), whole(number::RSI), &base),
            destination: self.linear(Segment::Es, whole(number::RDI), &base),
            registers: [
                if comes { moved(number::RSI, step) } else { None },
                if goes { moved(number::RDI, step) } else { None },
                if self.repeat { moved(number::RCX, u64::MAX) } else { None },
            ],
        })
    }

    /// How far from the operand the bytes are that hold bit `number` of a string of bits. The number has
    /// a sign.
    fn bit_string(&self, number: u64) -> u64 {
        let number = self.size.sign_extended(number).cast_signed();
        let operands = number >> self.size.bits().trailing_zeros();
        operands.cast_unsigned() << self.size.bytes().trailing_zeros()
    }

    /// The linear address of `offset` in `segment`.
    fn linear(&self, segment: Segment, offset: u64, base: impl Fn(Segment) -> u64) -> u64 {
        let offset = offset & self.prefixes.address_size().mask();
        match (self.mode(), segment) {
            (Mode::Bits64, Segment::Fs | Segment::Gs) => base(segment).wrapping_add(offset),
            (Mode::Bits64, _) => offset,
            (Mode::Bits32, _) => base(segment).wrapping_add(offset) & Size::Dword.mask(),
        }
    }
}
