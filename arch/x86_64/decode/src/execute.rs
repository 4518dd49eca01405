//! What an instruction leaves behind.

use crate::alu;
use crate::flags::Flags;
use crate::form::Slot;
use crate::instruction::Instruction;
use crate::operand::{Part, Register, Registers, Size, content, number};
use crate::operation::Operation;

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
    pub fn execute(&self, old: u128, registers: &Registers, flags: u64) -> Option<Outcome> {
        if let Some(value) = self.stored(registers) {
            return Some(Outcome { memory: Some(value.into()), registers: [None; 2], flags });
        }
        let before = Flags::from_bits_retain(flags);
        match self.operation {
            Operation::Cmpxchg => Some(self.compare_exchange(low(old), registers, before)),
            Operation::CmpxchgPair => Some(self.compare_exchange_pair(old, registers, before)),
            _ => {
                let operand = self.general();
                let whole = operand.map_or(0, |operand| content(registers, operand.number));
                self.compute(low(old), operand, whole, before)
            }
        }
    }

    /// What a MOV to memory stores, of [`size`](Self::size) bytes: all that there is to say of it. None
    /// for other instructions.
    fn stored(&self, registers: &Registers) -> Option<u64> {
        let moves = matches!(self.operation, Operation::Mov | Operation::Movnti);
        if !moves || !matches!(self.form.destination, Slot::Memory | Slot::Offset) {
            return None;
        }
        let value = match self.form.source {
            Slot::Immediate => self.immediate,
            source => {
                let operand = self.register(source)?;
                content(registers, operand.number) >> operand.part.shift()
            }
        };
        Some(value & self.size.mask())
    }

    /// The general-purpose register among the operands. Beside memory there is but one.
    fn general(&self) -> Option<Register> {
        self.register(self.form.destination).or_else(|| self.register(self.form.source))
    }

    /// Carries out all that writes one memory operand, or one register, `operand`, which holds `whole`.
    fn compute(
        &self,
        old: u64,
        operand: Option<Register>,
        whole: u64,
        before: Flags,
    ) -> Option<Outcome> {
        use Operation::{
            Adc, Add, And, Bt, Btc, Btr, Bts, Cmp, Dec, Inc, Mov, Movbe, Movs, Movsx, Movsxd,
            Movzx, Neg, Not, Or, Sbb, Stos, Sub, Test, Xadd, Xchg, Xor,
        };
        let size = self.size;
        let value = |slot| match slot {
            Slot::Reg | Slot::Accumulator => operand.map_or(0, |operand| operand.value(whole)),
            Slot::Byte | Slot::Immediate => self.immediate & size.mask(),
            _ => old & size.mask(),
        };
        let (left, right) = (value(self.form.destination), value(self.form.source));
        let carry = before.contains(Flags::CARRY);
        // The result, and what becomes of the flags.
        let (result, flags) = match self.operation {
            Mov | Movs | Movzx | Stos | Xchg => (right, before),
            Movsx | Movsxd => (size.sign_extended(right), before),
            Movbe => (reversed(right, size), before),
            Not => (!left, before),
            Add | Xadd => changed(before, alu::add(left, right, false, size)),
            Adc => changed(before, alu::add(left, right, carry, size)),
            Sub | Cmp => changed(before, alu::subtract(left, right, false, size)),
            Sbb => changed(before, alu::subtract(left, right, carry, size)),
            Neg => changed(before, alu::subtract(0, left, false, size)),
            Inc => kept_carry(before, alu::add(left, 1, false, size)),
            Dec => kept_carry(before, alu::subtract(left, 1, false, size)),
            And | Test => changed(before, alu::bitwise(left & right, size)),
            Or => changed(before, alu::bitwise(left | right, size)),
            Xor => changed(before, alu::bitwise(left ^ right, size)),
            Bt | Bts | Btr | Btc => {
                let bit = 1 << (right & u64::from(size.bits().wrapping_sub(1)));
                let mut flags = before;
                flags.set(Flags::CARRY, left & bit != 0);
                let result = match self.operation {
                    Bts => left | bit,
                    Btr => left & !bit,
                    _ => left ^ bit,
                };
                (result, flags)
            }
            _ => return None,
        };
        let to_memory = self.is_memory(self.form.destination);
        let loaded = match self.operation {
            Cmp | Test | Bt => None,
            Xchg | Xadd => Some(left),
            _ if to_memory => None,
            _ => Some(result),
        };
        let register = operand.zip(loaded);
        Some(Outcome {
            memory: self.writes().then_some(u128::from(result & size.mask())),
            registers: [
                register.map(|(operand, value)| (operand.number, operand.merged(whole, value))),
                None,
            ],
            flags: flags.bits(),
        })
    }

    /// CMPXCHG: the source if memory has what the accumulator has, or else the accumulator is loaded.
    fn compare_exchange(&self, old: u64, registers: &Registers, before: Flags) -> Outcome {
        let old = old & self.size.mask();
        let accumulator = Register { number: number::RAX, part: Part::low(self.size) };
        let whole = content(registers, accumulator.number);
        let compared = alu::subtract(accumulator.value(whole), old, false, self.size);
        let (_, flags) = changed(before, compared);
        let equal = flags.contains(Flags::ZERO);
        let new =
            self.general().map_or(0, |operand| operand.value(content(registers, operand.number)));
        let loaded = (accumulator.number, accumulator.merged(whole, old));
        Outcome {
            memory: Some(u128::from(if equal { new } else { old })),
            registers: [if equal { None } else { Some(loaded) }, None],
            flags: flags.bits(),
        }
    }

    /// CMPXCHG8B and CMPXCHG16B: rCX:rBX if memory has what rDX:rAX has, or else these are loaded.
    fn compare_exchange_pair(&self, old: u128, registers: &Registers, before: Flags) -> Outcome {
        let half = if matches!(self.size, Size::Oword) { Size::Qword } else { Size::Dword };
        let part = |number| content(registers, number) & half.mask();
        let pair = |high, low| u128::from(part(high)) << half.bits() | u128::from(part(low));
        let equal = pair(number::RDX, number::RAX) == old;
        let mut flags = before;
        flags.set(Flags::ZERO, equal);
        let loaded = [
            Some((number::RAX, low(old) & half.mask())),
            Some((number::RDX, low(old >> half.bits()) & half.mask())),
        ];
        Outcome {
            memory: Some(if equal { pair(number::RCX, number::RBX) } else { old }),
            registers: if equal { [None; 2] } else { loaded },
            flags: flags.bits(),
        }
    }
}

/// The low 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
const fn low(value: u128) -> u64 {
    value as u64
}

/// The bytes of `value`, of this size, in reverse order.
const fn reversed(value: u64, size: Size) -> u64 {
    value.swap_bytes() >> 64_u32.saturating_sub(size.bits())
}

/// A result with the flags it leaves.
const fn changed(before: Flags, (result, flags): (u64, Flags)) -> (u64, Flags) {
    (result, before.after(flags))
}

/// A result with the flags it leaves, of an operation that does not write CF.
const fn kept_carry(before: Flags, (result, flags): (u64, Flags)) -> (u64, Flags) {
    let carry = before.intersection(Flags::CARRY);
    (result, before.after(flags.difference(Flags::CARRY).union(carry)))
}
