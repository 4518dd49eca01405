//! The executor against the processor: the same instruction on the same registers, flags and memory.

use core::fmt;
use std::collections::BTreeMap;

use iced_x86::{Decoder, DecoderOptions};
use x86_decode::{
    Base, Flags, Instruction, Mode, Operand, Operation, Segment, Size, decode, number,
};

use crate::processor::{MEMORY, PAGE, Processor, State};
use crate::random::{LONGEST, Opcode, Random, instruction, opcodes};

/// Flags that are always set in RFLAGS here: bit 1, and interrupts are on.
const ALWAYS: u64 = 0x202;

/// How many instructions each opcode is tried with.
const TRIES: usize = 1500;

/// Every opcode that the executor knows, on random registers, flags and memory.
#[test]
fn every_operation_does_what_the_processor_does() {
    let mut processor = Processor::new();
    let mut random = Random(3);
    let mut executed = BTreeMap::new();
    for opcode in opcodes() {
        for _ in 0..TRIES {
            if let Some(operation) = try_one(&mut processor, &mut random, opcode) {
                *executed.entry(format!("{operation:?}")).or_insert(0) += 1;
            }
        }
    }
    println!("{executed:?}");
    assert!(executed.values().all(|&count| count > 50), "few of {executed:?}");
    assert_eq!(executed.len(), 29, "not all of {executed:?}");
}

/// Executes a random instruction with `opcode` twice and compares, if it is one that can be.
fn try_one(processor: &mut Processor, random: &mut Random, opcode: Opcode) -> Option<Operation> {
    let modrm = random.next() as u8;
    let mut bytes = instruction(random, opcode, modrm);
    let decoded = decode(&bytes, Mode::Bits64).ok()?;
    let is_ours = decoded.execute(0, &[0; 16], 0).is_some() && has_processor(decoded.operation);
    // What FS and GS begin at is the C library's affair.
    if !is_ours || matches!(decoded.memory()?.segment, Segment::Fs | Segment::Gs) {
        return None;
    }
    let before = arrange(processor, random, &mut bytes, &decoded)?;
    let decoded = decode(&bytes, Mode::Bits64).expect("only a displacement is another");
    let mut ours = before.clone();
    execute(&decoded, &mut ours, processor.rip(), processor.memory());
    let mut theirs = before.clone();
    processor.execute(&bytes[..usize::from(decoded.length)], &mut theirs);
    let undefined = undefined(decoded.operation).bits();
    ours.flags &= !undefined;
    theirs.flags &= !undefined;
    if ours != theirs {
        panic!(
            "{bytes:02x?} {decoded:?}\nbefore {}\nours   {}\ntheirs {}",
            Shown(&before, &before),
            Shown(&ours, &before),
            Shown(&theirs, &before)
        );
    }
    Some(decoded.operation)
}

/// Whether the processor under the test has it.
fn has_processor(operation: Operation) -> bool {
    match operation {
        Operation::Movbe => is_x86_feature_detected!("movbe"),
        Operation::CmpxchgPair => is_x86_feature_detected!("cmpxchg16b"),
        _ => true,
    }
}

/// The flags that the manuals leave undefined.
fn undefined(operation: Operation) -> Flags {
    use Operation::{And, Bt, Btc, Btr, Bts, Or, Test, Xor};
    match operation {
        And | Or | Test | Xor => Flags::AUXILIARY,
        Bt | Btc | Btr | Bts => Flags::AUXILIARY | Flags::OVERFLOW | Flags::PARITY | Flags::SIGN,
        _ => Flags::empty(),
    }
}

/// A random state with which the instruction, whose displacement may be changed, stays in its memory.
fn arrange(
    processor: &Processor,
    random: &mut Random,
    bytes: &mut [u8; LONGEST],
    decoded: &Instruction,
) -> Option<State> {
    let operand = decoded.memory()?;
    let mut registers: [u64; 16] = core::array::from_fn(|_| random.turning());
    let arithmetic = Flags::all().bits() & !Flags::DIRECTION.bits();
    let mut flags = ALWAYS | random.next() & arithmetic;
    let memory: Vec<u8> = (0..MEMORY / 8).flat_map(|_| random.turning().to_le_bytes()).collect();
    let garbage = random.next() << 32;
    // Somewhere in the middle, as aligned as a locked instruction wants it.
    let alignment = if decoded.lock() || random.below(2) == 0 { 16 } else { 1 };
    let middle = |random: &mut Random| {
        let at = (2 * PAGE) as u64 + random.below(PAGE as u64 / alignment) * alignment;
        processor.memory() + at
    };
    let aligned = matches!(decoded.operation, Operation::Xchg) || decoded.size == Size::Oword;
    let target = middle(random) & if aligned { !15 } else { !0 };
    let short = operand.size == Size::Dword;
    if matches!(decoded.operation, Operation::Stos | Operation::Movs) {
        flags |= random.next() & Flags::DIRECTION.bits();
        let garbage = if short { garbage } else { 0 };
        registers[usize::from(number::RSI)] = middle(random) | garbage;
        registers[usize::from(number::RDI)] = target | garbage;
        registers[usize::from(number::RCX)] = random.below(20) | garbage;
        return Some(State { registers, flags, memory });
    }
    if let (
        Operation::Bt | Operation::Bts | Operation::Btr | Operation::Btc,
        Operand::Register(bit),
    ) = (decoded.operation, decoded.source())
    {
        let near = random.below(1 << 16).wrapping_sub(1 << 15);
        registers[usize::from(bit.number)] = match decoded.size {
            Size::Qword => near,
            Size::Dword => near & Size::Dword.mask() | garbage,
            _ => near & Size::Word.mask() | garbage,
        };
        if operand.base == Base::Register(bit.number) {
            return None;
        }
    }
    let address = |decoded: &Instruction, registers: &[u64; 16]| {
        decoded.address(registers, processor.rip(), |_| 0)
    };
    match operand.base {
        Base::Register(base) if operand.index != Some(base) => {
            registers[usize::from(base)] = 0;
            let rest = address(decoded, &registers);
            registers[usize::from(base)] = target.wrapping_sub(rest);
            if short {
                registers[usize::from(base)] ^= garbage;
            }
        }
        Base::Register(_) => return None,
        Base::Next | Base::None => {
            if let Some(index) = operand.index {
                registers[usize::from(index)] = random.below(1 << 20);
            }
            let rest = address(decoded, &registers).wrapping_sub(operand.displacement);
            let displacement = target.wrapping_sub(rest);
            let mut iced = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE);
            let constants = {
                let decoded = iced.decode();
                iced.get_constant_offsets(&decoded)
            };
            let (at, size) = (constants.displacement_offset(), constants.displacement_size());
            bytes[at..at + size].copy_from_slice(&displacement.to_le_bytes()[..size]);
        }
    }
    let decoded = decode(bytes, Mode::Bits64).expect("only a displacement is another");
    let at = address(&decoded, &registers);
    assert_eq!(at, target, "{decoded:?}");
    if random.below(2) == 0 {
        let at = usize::try_from(at - processor.memory()).expect("it is in memory");
        meet(&decoded, &memory[at..at + 16], &mut registers);
    }
    // The operand may be changed, not where it is.
    (address(&decoded, &registers) == target).then_some(State { registers, flags, memory })
}

/// Puts into the registers that CMPXCHG compares what is in memory.
fn meet(decoded: &Instruction, memory: &[u8], registers: &mut [u64; 16]) {
    let half = match (decoded.operation, decoded.size) {
        (Operation::CmpxchgPair, Size::Oword) => Size::Qword,
        (Operation::CmpxchgPair, _) => Size::Dword,
        (Operation::Cmpxchg, size) => size,
        _ => return,
    };
    let bytes = usize::try_from(half.bytes()).expect("few");
    let mut put = |number: u8, at: usize| {
        let mut word = [0; 8];
        word[..bytes].copy_from_slice(&memory[at..at + bytes]);
        let whole = &mut registers[usize::from(number)];
        *whole = *whole & !half.mask() | u64::from_le_bytes(word);
    };
    put(number::RAX, 0);
    if decoded.operation == Operation::CmpxchgPair {
        put(number::RDX, bytes);
    }
}

/// Carries an instruction out, as a hypervisor would.
fn execute(decoded: &Instruction, state: &mut State, rip: u64, memory: u64) {
    let flat = |_| 0;
    if matches!(decoded.operation, Operation::Stos | Operation::Movs) {
        loop {
            let registers = state.registers;
            let Some(element) = decoded.element(&registers, flat, state.flags) else { break };
            let old = if decoded.reads() {
                read(state, element.source - memory, decoded.size)
            } else {
                0
            };
            let outcome = decoded.execute(old, &registers, state.flags).expect("it is executed");
            let value = outcome.memory.expect("it is stored");
            write(state, element.destination - memory, decoded.size, value);
            assert_eq!((outcome.registers, outcome.flags), ([None; 2], state.flags));
            for (number, value) in element.registers.into_iter().flatten() {
                state.registers[usize::from(number)] = value;
            }
            if !decoded.repeat {
                break;
            }
        }
        return;
    }
    let registers = state.registers;
    let at = decoded.address(&registers, rip, flat) - memory;
    let old = if decoded.reads() { read(state, at, decoded.size) } else { 0 };
    let outcome = decoded.execute(old, &registers, state.flags).expect("it is executed");
    assert_eq!(outcome.memory.is_some(), decoded.writes());
    if let Some(value) = outcome.memory {
        write(state, at, decoded.size, value);
    }
    for (number, value) in outcome.registers.into_iter().flatten() {
        state.registers[usize::from(number)] = value;
    }
    state.flags = outcome.flags;
}

/// What is in memory there.
fn read(state: &State, at: u64, size: Size) -> u128 {
    let (at, bytes) = (at as usize, size.bytes() as usize);
    let mut word = [0; 16];
    word[..bytes].copy_from_slice(&state.memory[at..at + bytes]);
    u128::from_le_bytes(word)
}

/// Writes to memory there.
fn write(state: &mut State, at: u64, size: Size, value: u128) {
    let (at, bytes) = (at as usize, size.bytes() as usize);
    assert!(bytes == 16 || value >> size.bits() == 0, "a value is no larger than its operand");
    state.memory[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
}

/// A state, and how its memory differs from another's.
struct Shown<'a>(&'a State, &'a State);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x?} flags {:x}", self.0.registers, self.0.flags)?;
        let changes = self.0.memory.iter().zip(&self.1.memory).enumerate();
        for (at, (new, _)) in changes.filter(|(_, (new, old))| new != old) {
            write!(f, " [{at:x}]={new:02x}")?;
        }
        Ok(())
    }
}
