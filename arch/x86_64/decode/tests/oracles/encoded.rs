//! The decoder against `iced-x86`'s encoder: every encoding of every operation, with random operands.

use std::collections::BTreeSet;

use iced_x86::{
    Code, Encoder, Instruction as Iced, MemoryOperand, OpCodeOperandKind, OpKind,
    Register as IcedRegister,
};
use x86_decode::{Mode, decode};

use crate::decoded::{RIP, check, is_claimed, operation};
use crate::random::Random;

/// How many instructions of each encoding.
const TRIES: usize = 200;

/// Registers of each size, in the order of their numbers.
fn register(random: &mut Random, first: IcedRegister, mode: Mode) -> IcedRegister {
    // Of bytes, SPL to DIL stand behind BH.
    let bytes = if first == IcedRegister::AL { 4 } else { 0 };
    let count = if mode == Mode::Bits64 { 16 + bytes } else { 8 };
    first + random.below(count) as u32
}

/// A random memory operand.
fn memory(random: &mut Random, mode: Mode) -> MemoryOperand {
    let wide = mode == Mode::Bits64 && random.below(2) == 0;
    let first = if wide { IcedRegister::RAX } else { IcedRegister::EAX };
    let base = register(random, first, mode);
    let index = register(random, first, mode);
    let on_stack = [IcedRegister::RSP, IcedRegister::ESP].contains(&index);
    let index = if on_stack { IcedRegister::None } else { index };
    let segments = [IcedRegister::None, IcedRegister::FS, IcedRegister::GS];
    let segment = segments[random.below(3) as usize];
    let scale = 1 << random.below(4);
    let scale = if index == IcedRegister::None { 1 } else { scale };
    let far = random.next() as i32;
    let displacement = if random.below(2) == 0 { i64::from(far as i8) } else { i64::from(far) };
    let size = if displacement == 0 { 1 } else { 4 };
    match random.below(4) {
        0 => MemoryOperand::new(base, IcedRegister::None, 1, displacement, size, false, segment),
        1 => {
            let index = if index == IcedRegister::None { first } else { index };
            MemoryOperand::new(IcedRegister::None, index, scale, displacement, 4, false, segment)
        }
        _ => MemoryOperand::new(base, index, scale, displacement, size, false, segment),
    }
}

/// Gives `iced` the operand `at`. None for a kind that no instruction of ours has.
fn set_operand(
    random: &mut Random,
    iced: &mut Iced,
    at: u32,
    kind: OpCodeOperandKind,
    mode: Mode,
) -> Option<()> {
    use OpCodeOperandKind as K;
    let wide = mode == Mode::Bits64;
    let any = random.next();
    let register = match kind {
        K::r8_reg => register(random, IcedRegister::AL, mode),
        K::r16_reg => register(random, IcedRegister::AX, mode),
        K::r32_reg | K::r32_rm => register(random, IcedRegister::EAX, mode),
        K::r64_reg | K::r64_rm => register(random, IcedRegister::RAX, mode),
        K::cr_reg => {
            let control = [0, 2, 3, 4, 8][random.below(if wide { 5 } else { 4 }) as usize];
            IcedRegister::CR0 + control
        }
        K::dx => IcedRegister::DX,
        K::al => IcedRegister::AL,
        K::ax => IcedRegister::AX,
        K::eax => IcedRegister::EAX,
        K::rax => IcedRegister::RAX,
        K::mem | K::r8_or_mem | K::r16_or_mem | K::r32_or_mem | K::r64_or_mem => {
            let memory = memory(random, mode);
            iced.set_op_kind(at, OpKind::Memory);
            iced.set_memory_base(memory.base);
            iced.set_memory_index(memory.index);
            iced.set_memory_index_scale(memory.scale);
            let short = if wide { u64::MAX } else { 0xffff_ffff };
            iced.set_memory_displacement64(memory.displacement as u64 & short);
            iced.set_memory_displ_size(memory.displ_size);
            iced.set_segment_prefix(memory.segment_prefix);
            return Some(());
        }
        K::mem_offs => {
            iced.set_op_kind(at, OpKind::Memory);
            iced.set_memory_displ_size(if wide { 8 } else { 4 });
            iced.set_memory_displacement64(if wide { any } else { any & 0xffff_ffff });
            return Some(());
        }
        K::imm8 => {
            iced.set_op_kind(at, OpKind::Immediate8);
            iced.set_immediate8(any as u8);
            return Some(());
        }
        K::imm16 => {
            iced.set_op_kind(at, OpKind::Immediate16);
            iced.set_immediate16(any as u16);
            return Some(());
        }
        K::imm32 => {
            iced.set_op_kind(at, OpKind::Immediate32);
            iced.set_immediate32(any as u32);
            return Some(());
        }
        K::imm32sex64 => {
            iced.set_op_kind(at, OpKind::Immediate32to64);
            iced.set_immediate32to64(i64::from(any as i32));
            return Some(());
        }
        K::imm8sex16 => {
            iced.set_op_kind(at, OpKind::Immediate8to16);
            iced.set_immediate8to16(i16::from(any as i8));
            return Some(());
        }
        K::imm8sex32 => {
            iced.set_op_kind(at, OpKind::Immediate8to32);
            iced.set_immediate8to32(i32::from(any as i8));
            return Some(());
        }
        K::imm8sex64 => {
            iced.set_op_kind(at, OpKind::Immediate8to64);
            iced.set_immediate8to64(i64::from(any as i8));
            return Some(());
        }
        K::es_rDI => {
            iced.set_op_kind(at, if wide { OpKind::MemoryESRDI } else { OpKind::MemoryESEDI });
            return Some(());
        }
        K::seg_rSI => {
            iced.set_op_kind(at, if wide { OpKind::MemorySegRSI } else { OpKind::MemorySegESI });
            return Some(());
        }
        _ => return None,
    };
    iced.set_op_kind(at, OpKind::Register);
    iced.set_op_register(at, register);
    Some(())
}

/// A random instruction of an encoding. None if it has none in this mode.
fn instruction(random: &mut Random, code: Code, mode: Mode) -> Option<Iced> {
    let facts = code.op_code();
    let fits = if mode == Mode::Bits64 { facts.mode64() } else { facts.mode32() };
    if !fits || !facts.is_instruction() {
        return None;
    }
    let mut iced = Iced::default();
    iced.set_code(code);
    for at in 0..facts.op_count() {
        set_operand(random, &mut iced, at, facts.op_kind(at), mode)?;
    }
    let writes_memory = iced.op0_kind() == OpKind::Memory;
    iced.set_has_lock_prefix(facts.can_use_lock_prefix() && writes_memory && random.below(2) == 0);
    iced.set_has_rep_prefix(facts.can_use_rep_prefix() && random.below(2) == 0);
    Some(iced)
}

/// Every encoding that the encoder knows of what we say we know.
#[test]
fn every_encoding_is_decoded() {
    let mut random = Random(4);
    let mut operations = BTreeSet::new();
    for mode in [Mode::Bits64, Mode::Bits32] {
        let mut encoder = Encoder::new(if mode == Mode::Bits64 { 64 } else { 32 });
        for code in Code::values() {
            for _ in 0..TRIES {
                let Some(iced) = instruction(&mut random, code, mode) else { break };
                let Some(operation) = operation(&iced) else { break };
                let encoded = encoder.encode(&iced, RIP);
                let bytes = encoder.take_buffer();
                // AH beside R8, say, cannot be encoded.
                if encoded.is_err() || !is_claimed(&iced, &bytes, mode) {
                    continue;
                }
                match decode(&bytes, mode) {
                    Ok(ours) => check(&ours, &bytes),
                    Err(error) => panic!("{error:?} for {code:?} {bytes:02x?}"),
                }
                operations.insert(format!("{operation:?}"));
            }
        }
    }
    // All but PAUSE, which is not claimed.
    assert_eq!(operations.len(), 76, "not all of {operations:?}");
}
