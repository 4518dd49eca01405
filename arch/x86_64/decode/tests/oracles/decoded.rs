//! The decoder against `iced-x86`'s.

use crate::random::{LONGEST, Random, instruction, opcodes};
use iced_x86::{
    Decoder, DecoderOptions, Instruction as Iced, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register as IcedRegister,
};
use x86_decode::{
    Base, Error, Instruction, Mode, Operand, Operation, Part, Register, Segment, Size, decode,
};

/// Where the instructions stand.
pub(crate) const RIP: u64 = 0x1234_5670;

/// What iced says.
fn iced(bytes: &[u8], mode: Mode) -> Iced {
    let bits = if mode == Mode::Bits64 { 64 } else { 32 };
    Decoder::with_ip(bits, bytes, RIP, DecoderOptions::NONE).decode()
}

/// The operation, as we name it. None if it is not one of ours.
pub(crate) fn operation(iced: &Iced) -> Option<Operation> {
    use Operation as O;
    let control = (0..iced.op_count()).any(|at| iced.op_register(at).is_cr());
    Some(match iced.mnemonic() {
        Mnemonic::Mov if control => O::MovControl,
        Mnemonic::Add => O::Add,
        Mnemonic::Or => O::Or,
        Mnemonic::Adc => O::Adc,
        Mnemonic::Sbb => O::Sbb,
        Mnemonic::And => O::And,
        Mnemonic::Sub => O::Sub,
        Mnemonic::Xor => O::Xor,
        Mnemonic::Cmp => O::Cmp,
        Mnemonic::Bt => O::Bt,
        Mnemonic::Bts => O::Bts,
        Mnemonic::Btr => O::Btr,
        Mnemonic::Btc => O::Btc,
        Mnemonic::Mov => O::Mov,
        Mnemonic::Movzx => O::Movzx,
        Mnemonic::Movsx => O::Movsx,
        Mnemonic::Movsxd => O::Movsxd,
        Mnemonic::Movnti => O::Movnti,
        Mnemonic::Movbe => O::Movbe,
        Mnemonic::Xchg => O::Xchg,
        Mnemonic::Xadd => O::Xadd,
        Mnemonic::Cmpxchg => O::Cmpxchg,
        Mnemonic::Cmpxchg8b | Mnemonic::Cmpxchg16b => O::CmpxchgPair,
        Mnemonic::Test => O::Test,
        Mnemonic::Inc => O::Inc,
        Mnemonic::Dec => O::Dec,
        Mnemonic::Not => O::Not,
        Mnemonic::Neg => O::Neg,
        Mnemonic::Stosb | Mnemonic::Stosw | Mnemonic::Stosd | Mnemonic::Stosq => O::Stos,
        Mnemonic::Movsb | Mnemonic::Movsw | Mnemonic::Movsq => O::Movs,
        Mnemonic::Movsd if iced.is_string_instruction() => O::Movs,
        Mnemonic::Insb | Mnemonic::Insw | Mnemonic::Insd => O::Ins,
        Mnemonic::Outsb | Mnemonic::Outsw | Mnemonic::Outsd => O::Outs,
        Mnemonic::In => O::In,
        Mnemonic::Out => O::Out,
        Mnemonic::Clts => O::Clts,
        Mnemonic::Lmsw => O::Lmsw,
        Mnemonic::Smsw => O::Smsw,
        Mnemonic::Invlpg => O::Invlpg,
        Mnemonic::Invpcid => O::Invpcid,
        Mnemonic::Invd => O::Invd,
        Mnemonic::Wbinvd => O::Wbinvd,
        Mnemonic::Wbnoinvd => O::Wbnoinvd,
        Mnemonic::Cpuid => O::Cpuid,
        Mnemonic::Rdmsr => O::Rdmsr,
        Mnemonic::Wrmsr => O::Wrmsr,
        Mnemonic::Rdpmc => O::Rdpmc,
        Mnemonic::Rdtsc => O::Rdtsc,
        Mnemonic::Rdtscp => O::Rdtscp,
        Mnemonic::Xgetbv => O::Xgetbv,
        Mnemonic::Xsetbv => O::Xsetbv,
        Mnemonic::Hlt => O::Hlt,
        Mnemonic::Pause => O::Pause,
        Mnemonic::Monitor => O::Monitor,
        Mnemonic::Mwait => O::Mwait,
        Mnemonic::Monitorx => O::Monitorx,
        Mnemonic::Mwaitx => O::Mwaitx,
        Mnemonic::Vmcall => O::Vmcall,
        Mnemonic::Vmlaunch => O::Vmlaunch,
        Mnemonic::Vmresume => O::Vmresume,
        Mnemonic::Vmxoff => O::Vmxoff,
        Mnemonic::Vmxon => O::Vmxon,
        Mnemonic::Vmfunc => O::Vmfunc,
        Mnemonic::Vmclear => O::Vmclear,
        Mnemonic::Vmptrld => O::Vmptrld,
        Mnemonic::Vmptrst => O::Vmptrst,
        Mnemonic::Vmread => O::Vmread,
        Mnemonic::Vmwrite => O::Vmwrite,
        Mnemonic::Invept => O::Invept,
        Mnemonic::Invvpid => O::Invvpid,
        Mnemonic::Vmmcall => O::Vmmcall,
        Mnemonic::Vmrun => O::Vmrun,
        Mnemonic::Vmload => O::Vmload,
        Mnemonic::Vmsave => O::Vmsave,
        Mnemonic::Stgi => O::Stgi,
        Mnemonic::Clgi => O::Clgi,
        Mnemonic::Skinit => O::Skinit,
        Mnemonic::Invlpga => O::Invlpga,
        _ => return None,
    })
}

/// Whether all operands of an operation are registers that it implies, which we do not list.
fn is_plain(operation: Operation) -> bool {
    use Operation::{Invlpga, Skinit, Vmload, Vmrun, Vmsave};
    matches!(operation, Invlpga | Skinit | Vmload | Vmrun | Vmsave)
}

/// Whether it is one of the instructions that we say we know.
pub(crate) fn is_claimed(iced: &Iced, bytes: &[u8], mode: Mode) -> bool {
    use Operation as O;
    let Some(operation) = operation(iced) else { return false };
    let code = format!("{:?}", iced.code());
    let on_memory = iced.op_kinds().any(|kind| {
        !matches!(
            kind,
            OpKind::Register
                | OpKind::Immediate8
                | OpKind::Immediate16
                | OpKind::Immediate32
                | OpKind::Immediate64
                | OpKind::Immediate8to16
                | OpKind::Immediate8to32
                | OpKind::Immediate8to64
                | OpKind::Immediate32to64
        )
    });
    let has_segment = (0..2).any(|at| iced.op_register(at).is_segment_register());
    let needs_memory = is_executed(operation);
    // Encodings that only decoders and the oldest processors know.
    let alias = ["_82", "_F6r1", "_F7r1"].iter().any(|&end| code.ends_with(end))
        || code.starts_with("Cmpxchg486");
    // Processors differ: with 66 in what MOVSXD reads, with REX.B in whether PAUSE is an exchange, and
    // with 66, F2 or F3 in whether 0F 01 with a register is anything.
    let has_before = |opcode: &[u8], prefixes: &[u8]| {
        let at = bytes.windows(opcode.len()).position(|window| window == opcode);
        bytes[..at.unwrap_or(0)].iter().any(|byte| prefixes.contains(byte))
    };
    let may_differ = operation == O::Movsxd && has_before(&[0x63], &[0x66])
        || operation == O::Pause
        || has_before(&[0x0f, 0x01], &[0x66, 0xf2, 0xf3]);
    // With 67 addresses have 16 bits.
    let legacy = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
    let mut prefixes = bytes.iter().take_while(|byte| legacy.contains(byte));
    let may_be_short = mode == Mode::Bits32 && prefixes.any(|&byte| byte == 0x67);
    let undefined_repeat = iced.is_string_instruction() && iced.has_repne_prefix();
    (!needs_memory || on_memory)
        && !has_segment
        && !alias
        && !may_differ
        && !undefined_repeat
        && !may_be_short
}

/// Whether [`Instruction::execute`] knows it: such are claimed only with memory.
fn is_executed(operation: Operation) -> bool {
    (Operation::Add as u8..=Operation::Movs as u8).contains(&(operation as u8))
}

/// A general-purpose register, as we write it.
fn register(iced: IcedRegister) -> Register {
    use IcedRegister::{AH, BH, CH, DH};
    let high = [AH, CH, DH, BH].iter().position(|&high| high == iced);
    if let Some(number) = high {
        return Register { number: number as u8, part: Part::High };
    }
    let part = match iced.size() {
        1 => Part::Low,
        2 => Part::Word,
        4 => Part::Dword,
        _ => Part::Qword,
    };
    Register { number: iced.full_register().number() as u8, part }
}

fn segment(iced: IcedRegister) -> Segment {
    match iced {
        IcedRegister::ES => Segment::Es,
        IcedRegister::CS => Segment::Cs,
        IcedRegister::SS => Segment::Ss,
        IcedRegister::DS => Segment::Ds,
        IcedRegister::FS => Segment::Fs,
        IcedRegister::GS => Segment::Gs,
        other => panic!("{other:?} is no segment"),
    }
}

/// Whether a segment is flat, so that its override means nothing.
fn is_flat(segment: Segment, mode: Mode) -> bool {
    mode == Mode::Bits64 && !matches!(segment, Segment::Fs | Segment::Gs)
}

/// Checks the segment of the memory operand, where it means anything.
fn check_segment(ours: &Instruction, iced: &Iced, context: &str) {
    let memory = ours.memory().expect("there is memory");
    let theirs = segment(iced.memory_segment());
    let both_flat = is_flat(memory.segment, ours.mode()) && is_flat(theirs, ours.mode());
    assert!(both_flat || memory.segment == theirs, "segment {theirs:?} of {context}");
}

/// Checks a memory operand that ModRM or an offset describes.
fn check_memory(ours: &Instruction, iced: &Iced, context: &str) {
    let memory = ours.memory().expect("there is memory");
    let base = match iced.memory_base() {
        IcedRegister::None => Base::None,
        IcedRegister::RIP | IcedRegister::EIP => Base::Next,
        other => Base::Register(other.full_register().number() as u8),
    };
    let index = (iced.memory_index() != IcedRegister::None)
        .then(|| iced.memory_index().full_register().number() as u8);
    assert_eq!(memory.base, base, "base of {context}");
    assert_eq!(memory.index, index, "index of {context}");
    if index.is_some() {
        assert_eq!(1 << memory.scale, iced.memory_index_scale(), "scale of {context}");
    }
    let next = if base == Base::Next { RIP + u64::from(ours.length) } else { 0 };
    let displacement = memory.displacement.wrapping_add(next) & memory.size.mask();
    assert_eq!(displacement, iced.memory_displacement64(), "displacement of {context}");
    for register in [iced.memory_base(), iced.memory_index()] {
        if register != IcedRegister::None {
            assert_eq!(memory.size.bytes() as usize, register.size(), "address of {context}");
        }
    }
    check_segment(ours, iced, context);
}

/// Checks one operand, `at` in iced's order.
fn check_operand(ours: &Instruction, operand: Operand, iced: &Iced, at: u32, context: &str) {
    let kind = iced.op_kind(at);
    let size = ours.memory().map_or(Size::Qword, |memory| memory.size);
    match operand {
        Operand::Register(register) => {
            let theirs = self::register(iced.op_register(at));
            assert_eq!(register.number, theirs.number, "{context}");
            // Iced names a register by the size of operands. Of all sizes 16 bits are loaded.
            if ours.operation != Operation::Lmsw {
                assert_eq!(register.part, theirs.part, "{context}");
            }
        }
        Operand::Control(number) => {
            assert!(iced.op_register(at).is_cr(), "{context}");
            assert_eq!(usize::from(number), iced.op_register(at).number(), "{context}");
        }
        Operand::Immediate if kind == OpKind::Immediate8 => {
            assert_eq!(ours.immediate as u8, iced.immediate8(), "{context}");
        }
        Operand::Immediate => {
            let mask = ours.size.mask();
            assert_eq!(ours.immediate & mask, iced.immediate(at) & mask, "{context}");
        }
        Operand::Memory => match kind {
            OpKind::Memory => check_memory(ours, iced, context),
            OpKind::MemoryESRDI => assert_eq!(size, Size::Qword, "{context}"),
            OpKind::MemoryESEDI => assert_eq!(size, Size::Dword, "{context}"),
            OpKind::MemorySegRSI | OpKind::MemorySegESI => {
                let wide = kind == OpKind::MemorySegRSI;
                assert_eq!(size == Size::Qword, wide, "{context}");
                check_segment(ours, iced, context);
            }
            other => panic!("{other:?} of {context}"),
        },
        Operand::None => unreachable!("only operands that are there"),
    }
}

/// Checks how memory is accessed, and that the address is iced's.
fn check_access(ours: &Instruction, iced: &Iced, context: &str) {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(iced);
    let accesses: Vec<_> =
        (0..iced.op_count()).filter(|&at| iced.op_kind(at) == OpKind::Memory).collect();
    for at in accesses {
        use OpAccess::{CondRead, CondWrite, Read, ReadCondWrite, ReadWrite, Write};
        let access = info.op_access(at);
        let reads = matches!(access, Read | CondRead | ReadWrite | ReadCondWrite);
        let writes = matches!(access, Write | CondWrite | ReadWrite | ReadCondWrite);
        assert_eq!((ours.reads(), ours.writes()), (reads, writes), "{access:?} of {context}");
        if iced.memory_size().size() != 0 {
            assert_eq!(ours.size.bytes() as usize, iced.memory_size().size(), "size of {context}");
        }
        if matches!(ours.source(), Operand::Register(_))
            && format!("{:?}", ours.operation).starts_with("Bt")
        {
            continue;
        }
        let whole = |number: u8| 0x0123_4567_89ab_cdef_u64.rotate_left(u32::from(number) * 4);
        let registers = core::array::from_fn(|number| whole(number as u8));
        let base = |segment| {
            if ours.mode() == Mode::Bits64 && (segment as u8) < Segment::Fs as u8 {
                0
            } else {
                0x1000_0000_0000 + segment as u64
            }
        };
        let address = iced.virtual_address(at, 0, |register, _, _| {
            if register.is_segment_register() {
                return Some(base(segment(register)));
            }
            let full = whole(register.full_register().number() as u8);
            Some(if register.size() == 8 { full } else { full & 0xffff_ffff })
        });
        let mask = if ours.mode() == Mode::Bits64 { u64::MAX } else { 0xffff_ffff };
        let expected = address.map(|address| address & mask);
        assert_eq!(Some(ours.address(&registers, RIP, base)), expected, "address of {context}");
    }
}

/// Checks all that we say about an instruction.
pub(crate) fn check(ours: &Instruction, bytes: &[u8]) {
    let iced = iced(bytes, ours.mode());
    let context = format!("{:?} {bytes:02x?}: {ours:?}", iced.code());
    assert!(!iced.is_invalid(), "{context}");
    assert_eq!(usize::from(ours.length), iced.len(), "length of {context}");
    assert_eq!(Some(ours.operation), operation(&iced), "operation of {context}");
    assert_eq!(ours.lock(), iced.has_lock_prefix(), "{context}");
    assert_eq!(
        ours.repeat,
        iced.is_string_instruction() && (iced.has_rep_prefix() || iced.has_repne_prefix()),
        "{context}"
    );
    if is_plain(ours.operation) {
        return;
    }
    let operands = [ours.destination(), ours.source()];
    let operands: Vec<_> =
        operands.into_iter().filter(|&operand| operand != Operand::None).collect();
    assert_eq!(operands.len(), iced.op_count() as usize, "{context}");
    for (at, &operand) in operands.iter().enumerate() {
        check_operand(ours, operand, &iced, at as u32, &context);
    }
    check_access(ours, &iced, &context);
}

/// Decodes and compares. Whether we knew it.
fn compare(bytes: &[u8; LONGEST], mode: Mode) -> bool {
    match decode(bytes, mode) {
        Ok(ours) => {
            check(&ours, bytes);
            for length in 0..usize::from(ours.length) {
                assert_eq!(decode(&bytes[..length], mode), Err(Error::Truncated), "{bytes:02x?}");
            }
            assert_eq!(decode(&bytes[..usize::from(ours.length)], mode), Ok(ours), "{bytes:02x?}");
            true
        }
        Err(error) => {
            assert_eq!(error, Error::Unknown, "15 bytes are enough: {bytes:02x?}");
            let iced = iced(bytes, mode);
            let known = !iced.is_invalid() && is_claimed(&iced, bytes, mode);
            assert!(!known, "not decoded: {:?} {bytes:02x?} {mode:?}", iced.code());
            false
        }
    }
}

/// Every opcode with every ModRM byte, between random prefixes and random bytes.
#[test]
fn every_opcode_is_as_iced_decodes_it() {
    let mut random = Random(1);
    let mut known = 0;
    for mode in [Mode::Bits64, Mode::Bits32] {
        for opcode in opcodes() {
            for modrm in 0..=255 {
                for _ in 0..6 {
                    let bytes = instruction(&mut random, opcode, modrm);
                    known += u32::from(compare(&bytes, mode));
                }
            }
        }
    }
    assert!(known > 100_000, "only {known} known");
}

/// Bytes without any order.
#[test]
fn random_bytes_are_as_iced_decodes_them() {
    let mut random = Random(2);
    for _ in 0..300_000 {
        let bytes = core::array::from_fn(|_| random.next() as u8);
        compare(&bytes, Mode::Bits64);
        compare(&bytes, Mode::Bits32);
    }
}
