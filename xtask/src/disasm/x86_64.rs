//! x86-64: instructions of any length, decoded from the start of each function on.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, OpKind, Register};

use super::Fact;
use crate::elf::{Load, Symbol};

/// What the code tells, and where.
pub(super) fn facts(load: &Load, symbols: &[Symbol]) -> Vec<(u64, Fact)> {
    let end = load.seen_at + load.bytes.len() as u64;
    let inside = |at: &u64| (load.seen_at..end).contains(at);
    let mut starts: Vec<_> = std::iter::once(load.seen_at)
        .chain(symbols.iter().map(|symbol| symbol.address).filter(inside))
        .collect();
    starts.dedup();
    let ends = starts.iter().copied().skip(1).chain([end]);
    let functions = starts.iter().copied().zip(ends);
    functions.flat_map(|(start, end)| of_function(load, start, end)).collect()
}

fn of_function(load: &Load, start: u64, end: u64) -> Vec<(u64, Fact)> {
    let offset = |at: u64| usize::try_from(at - load.seen_at).unwrap_or(usize::MAX);
    let Some(code) = load.bytes.get(offset(start)..offset(end)) else { return Vec::new() };
    let decoder = Decoder::with_ip(64, code, start, DecoderOptions::NONE);
    let facts = decoder.into_iter().filter_map(|it| Some((it.ip(), fact(&it)?)));
    facts.collect()
}

fn fact(instruction: &Instruction) -> Option<Fact> {
    match instruction.code() {
        Code::Rdtsc | Code::Rdtscp => Some(Fact::ReadsCounter("the TSC")),
        Code::Rdpmc => Some(Fact::ReadsCounter("a performance counter")),
        // A frame is made at once, or, one page at a time, down to an address that is made at once.
        Code::Sub_rm64_imm32 if instruction.op0_register() == Register::RSP => {
            Some(Fact::Frame(u64::from(instruction.immediate32())))
        }
        Code::Lea_r64_m if is_far_below_stack_pointer(instruction) => {
            Some(Fact::Frame(instruction.memory_displacement64().wrapping_neg()))
        }
        _ => None,
    }
}

fn is_far_below_stack_pointer(instruction: &Instruction) -> bool {
    instruction.op1_kind() == OpKind::Memory
        && instruction.memory_base() == Register::RSP
        && instruction.memory_index() == Register::None
        && instruction.memory_displacement64().cast_signed() < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> Vec<Fact> {
        let load = Load {
            at: 0x10_0000,
            seen_at: 0x10_0000,
            bytes: bytes.to_vec(),
            size: bytes.len() as u64,
            code: true,
        };
        facts(&load, &[]).into_iter().map(|(_, fact)| fact).collect()
    }

    #[test]
    fn reads_are_told_from_other_instructions() {
        // mov eax, 0x310f; rdtsc; rdtscp; cpuid
        let code = [0xb8, 0x0f, 0x31, 0, 0, 0x0f, 0x31, 0x0f, 0x01, 0xf9, 0x0f, 0xa2];
        assert_eq!(told(&code), [Fact::ReadsCounter("the TSC"); 2]);
    }

    #[test]
    fn frames_are_told_from_other_instructions() {
        // sub rsp, 0x5000; lea r11, [rsp - 0x6000]; sub rax, 0x5000; lea rax, [rsp + 8]
        let code = [
            0x48, 0x81, 0xec, 0, 0x50, 0, 0, 0x4c, 0x8d, 0x9c, 0x24, 0, 0xa0, 0xff, 0xff, 0x48,
            0x2d, 0, 0x50, 0, 0, 0x48, 0x8d, 0x44, 0x24, 8,
        ];
        assert_eq!(told(&code), [Fact::Frame(0x5000), Fact::Frame(0x6000)]);
    }
}
