//! Where the operands in memory are.

use crate::flags::Flags;
use crate::form::{Layout, Slot};
use crate::instruction::{Instruction, Mode};
use crate::operand::{Part, Register, Registers, Segment, Size, content, number};

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
    /// FS and GS are asked for. It means nothing without a memory operand. The operand of a bit instruction is where the numbered bit is.
    #[must_use]
    #[inline]
    pub fn address(&self, registers: &Registers, rip: u64, base: impl Fn(Segment) -> u64) -> u64 {
        let mut offset = match self.form.layout {
            Layout::Memory | Layout::Rm => {
                let next = rip.wrapping_add(u64::from(self.length));
                self.displacement.wrapping_add(self.modrm.offset(self.prefixes, registers, next))
            }
            Layout::String if self.form.source == Slot::StringSource => {
                content(registers, number::RSI)
            }
            Layout::String => content(registers, number::RDI),
            _ => self.displacement,
        };
        if self.operation.is_bit()
            && let Some(source) = self.register(self.form.source)
        {
            offset = offset
                .wrapping_add(self.bit_string(source.value(content(registers, source.number))));
        }
        if self.prefixes.is_flat() {
            return offset;
        }
        let segment = self.memory().map_or(Segment::Ds, |memory| memory.segment);
        self.linear(segment, offset, base)
    }

    /// The next element of a string instruction, with RFLAGS for the direction. None when there is none
    /// left, or for another instruction. The caller carries it out ([`Instruction::execute`] with the
    /// source as memory), changes the registers, and goes on if it is to be
    /// [repeated](Instruction::repeat): when no element is left, the instruction is done.
    #[must_use]
    pub fn element(
        &self,
        registers: &Registers,
        base: impl Fn(Segment) -> u64,
        flags: u64,
    ) -> Option<Element> {
        let size = self.prefixes.address_size();
        let low =
            |number| Register { number, part: Part::low(size) }.value(content(registers, number));
        if !self.operation.is_string() || self.repeat && low(number::RCX) == 0 {
            return None;
        }
        let downwards = Flags::from_bits_retain(flags).contains(Flags::DIRECTION);
        let bytes = self.size.bytes();
        let step = if downwards { bytes.wrapping_neg() } else { bytes };
        let moved = |number, by| Some((number, low(number).wrapping_add(by) & size.mask()));
        let comes = self.form.source == Slot::StringSource;
        let goes = self.form.destination == Slot::StringDestination;
        Some(Element {
            source: self.linear(self.prefixes.segment(Segment::Ds), low(number::RSI), &base),
            destination: self.linear(Segment::Es, low(number::RDI), &base),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, decode};

    fn instruction(bytes: &[u8], mode: Mode) -> Instruction {
        decode(bytes, mode).expect("it is known")
    }

    #[test]
    fn strings_wrap_around_in_the_size_of_addresses() {
        // REP STOSQ with EDI.
        let stos = instruction(&[0x67, 0xf3, 0x48, 0xab], Mode::Bits64);
        let mut at_end = [0; 16];
        at_end[usize::from(number::RDI)] = 0xdead_0000_ffff_fff8;
        at_end[usize::from(number::RCX)] = 0xdead_0000_0000_0002;
        let element = stos.element(&at_end, |_| 0, 0).expect("there are two");
        assert_eq!(element.destination, 0xffff_fff8);
        let registers = [None, Some((number::RDI, 0)), Some((number::RCX, 1))];
        assert_eq!(element.registers, registers);
        let mut one = [0; 16];
        one[usize::from(number::RCX)] = 1;
        let downwards = stos.element(&one, |_| 0, 1 << 10);
        let registers = downwards.expect("there is one").registers;
        assert_eq!(registers[1], Some((number::RDI, 0xffff_fff8)));
        assert_eq!(stos.element(&[1 << 32; 16], |_| 0, 0), None, "ECX is 0");
    }

    #[test]
    fn segments_have_bases_in_32_bit_mode() {
        let base = |segment| if segment == Segment::Ss { 0xffff_f000 } else { 0x10 };
        // MOV [EBP+4], EAX and the same in DS.
        let on_stack = instruction(&[0x89, 0x45, 4], Mode::Bits32);
        assert_eq!(on_stack.address(&[0x1000; 16], 0, base), 4);
        let in_data = instruction(&[0x3e, 0x89, 0x45, 4], Mode::Bits32);
        assert_eq!(in_data.address(&[0x1000; 16], 0, base), 0x1014);
        // In 64-bit mode neither counts, but FS does.
        let flat = instruction(&[0x3e, 0x89, 0x45, 4], Mode::Bits64);
        assert_eq!(flat.address(&[0x1000; 16], 0, base), 0x1004);
        let thread = instruction(&[0x64, 0x2e, 0x89, 0x45, 4], Mode::Bits64);
        assert_eq!(thread.address(&[0x1000; 16], 0, base), 0x1014);
    }

    #[test]
    fn nothing_is_longer_than_15_bytes() {
        let mut bytes = [0x2e; 32];
        bytes[13..16].copy_from_slice(&[0x89, 0x07, 0]);
        assert_eq!(decode(&bytes, Mode::Bits64).map(|decoded| decoded.length), Ok(15));
        bytes[13..16].copy_from_slice(&[0x2e, 0x89, 0x07]);
        assert_eq!(decode(&bytes, Mode::Bits64), Err(Error::Unknown));
        assert_eq!(decode(&bytes[..14], Mode::Bits64), Err(Error::Truncated));
        assert_eq!(decode(&bytes[..15], Mode::Bits64), Err(Error::Unknown));
    }
}
