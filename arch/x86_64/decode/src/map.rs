//! The opcode map: tables that the compiler makes of what each opcode says.
//!
//! Intel SDM vol. 2, appendix A, "Opcode Map"; AMD64 APM vol. 3, appendix A, the same.

use crate::condition::Condition;
use crate::form::{Form, Slot, Width};
use crate::group::Group;
use crate::operation::Operation;
use crate::prefix::{Change, Prefixes};

/// What a byte is.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    /// Nothing that we know.
    Unknown,
    /// A prefix.
    Prefix(Change),
    /// A REX prefix in 64-bit mode.
    Rex,
    /// The byte before another page of opcodes.
    Escape,
    /// An opcode.
    Opcode(Form),
    /// An opcode that says more in ModRM.reg: with bytes or, by its bit 0, larger operands.
    Group(Group),
    /// An opcode that says more in ModRM or in prefixes.
    Special,
}

impl Entry {
    /// What the opcode says, if it says all.
    pub(crate) const fn form(&self) -> Option<&Form> {
        match self {
            Self::Opcode(form) => Some(form),
            _ => None,
        }
    }
}

/// Makes a table of a function of a byte.
macro_rules! table {
    ($function:ident) => {{
        let mut table = [Entry::Unknown; 256];
        let mut byte = 0;
        while byte < table.len() {
            table[byte] = $function(byte as u8);
            byte += 1;
        }
        table
    }};
}

/// What each byte is, where an opcode or a prefix may stand.
#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "at compile time")]
static ONE_BYTE: [Entry; 256] = table!(one_byte);

/// What each byte is behind 0F.
#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "at compile time")]
static TWO_BYTES: [Entry; 256] = table!(two_bytes);

/// The size that goes by bit 0 of an opcode.
const fn width(opcode: u8, large: Width) -> Width {
    if opcode & 1 == 0 { Width::Byte } else { large }
}

/// What a byte is, where an opcode or a prefix may stand.
const fn one_byte(byte: u8) -> Entry {
    use Operation::{Hlt, In, Ins, Mov, Movs, Movsxd, Out, Outs, Pause, Stos, Test, Xchg};
    use Slot::{
        Accumulator, Memory, Offset, Port, PortNumber, Reg, StringDestination, StringSource,
    };
    if let Some(change) = Change::of(byte) {
        return Entry::Prefix(change);
    }
    let size = width(byte, Width::Operand);
    let port = width(byte, Width::Port);
    Entry::Opcode(match byte {
        0x0f => return Entry::Escape,
        0x40..=0x4f => return Entry::Rex,
        0x00..=0x3f => match byte & 7 {
            0 | 1 => Form::new(Operation::arithmetic(byte >> 3), Memory, Reg, size),
            2 | 3 => Form::new(Operation::arithmetic(byte >> 3), Reg, Memory, size),
            _ => return Entry::Unknown,
        },
        0x63 => Form::load(Movsxd, Width::Dword, size).when(Condition::SignExtension),
        0x6c | 0x6d => Form::string(Ins, StringDestination, Port, port),
        0x6e | 0x6f => Form::string(Outs, Port, StringSource, port),
        0x80 => return Entry::Group(Group::Bytes),
        0x81 => return Entry::Group(Group::Operands),
        0x83 => return Entry::Group(Group::Short),
        0x84 | 0x85 => Form::new(Test, Memory, Reg, size),
        0x86 | 0x87 => Form::new(Xchg, Memory, Reg, size),
        0x88 | 0x89 => Form::new(Mov, Memory, Reg, size),
        0x8a | 0x8b => Form::new(Mov, Reg, Memory, size),
        0x90 => Form::plain(Pause).when(Condition::Pause),
        0xa0 | 0xa1 => Form::new(Mov, Accumulator, Offset, size),
        0xa2 | 0xa3 => Form::new(Mov, Offset, Accumulator, size),
        0xa4 | 0xa5 => Form::string(Movs, StringDestination, StringSource, size),
        0xaa | 0xab => Form::string(Stos, StringDestination, Accumulator, size),
        0xc6 => return Entry::Group(Group::StoreByte),
        0xc7 => return Entry::Group(Group::StoreOperand),
        0xe4 | 0xe5 => Form::new(In, Accumulator, PortNumber, port),
        0xe6 | 0xe7 => Form::new(Out, PortNumber, Accumulator, port),
        0xec | 0xed => Form::new(In, Accumulator, Port, port),
        0xee | 0xef => Form::new(Out, Port, Accumulator, port),
        0xf4 => Form::plain(Hlt),
        0xf6 => return Entry::Group(Group::UnaryByte),
        0xf7 => return Entry::Group(Group::UnaryOperand),
        0xfe => return Entry::Group(Group::CountByte),
        0xff => return Entry::Group(Group::CountOperand),
        _ => return Entry::Unknown,
    })
}

/// What a byte is behind 0F.
const fn two_bytes(byte: u8) -> Entry {
    use Operation::{
        Clts, Cmpxchg, Cpuid, Invd, Movnti, Movsx, Movzx, Rdmsr, Rdpmc, Rdtsc, Vmread, Vmwrite,
        Wrmsr, Xadd,
    };
    use Slot::{Control, Memory, Reg, Rm};
    use Width::{Byte, Native, Operand, Word};
    let size = width(byte, Operand);
    Entry::Opcode(match byte {
        0x01 | 0x09 | 0x38 | 0xc7 => return Entry::Special,
        0x06 => Form::plain(Clts),
        0x08 => Form::plain(Invd),
        0x20 => Form::control(Rm, Control),
        0x22 => Form::control(Control, Rm),
        0x30 => Form::plain(Wrmsr),
        0x31 => Form::plain(Rdtsc),
        0x32 => Form::plain(Rdmsr),
        0x33 => Form::plain(Rdpmc),
        0x78 => Form::new(Vmread, Rm, Reg, Native).when(Condition::NoneMandatory),
        0x79 => Form::new(Vmwrite, Reg, Rm, Native).when(Condition::NoneMandatory),
        0xa2 => Form::plain(Cpuid),
        0xa3 | 0xab | 0xb3 | 0xbb => Form::new(Operation::bit(byte >> 3), Memory, Reg, Operand),
        0xb0 | 0xb1 => Form::new(Cmpxchg, Memory, Reg, size),
        0xb6 => Form::load(Movzx, Byte, Operand),
        0xb7 => Form::load(Movzx, Word, Operand),
        0xba => return Entry::Group(Group::Bits),
        0xbe => Form::load(Movsx, Byte, Operand),
        0xbf => Form::load(Movsx, Word, Operand),
        0xc0 | 0xc1 => Form::new(Xadd, Memory, Reg, size),
        0xc3 => Form::new(Movnti, Memory, Reg, Operand).when(Condition::NoneMandatory),
        _ => return Entry::Unknown,
    })
}

/// What a byte is, where an opcode or a prefix may stand.
#[expect(clippy::indexing_slicing, reason = "the table has an entry for each byte")]
pub(crate) const fn first(byte: u8) -> &'static Entry {
    &ONE_BYTE[byte as usize]
}

/// What a byte is behind 0F.
#[expect(clippy::indexing_slicing, reason = "the table has an entry for each byte")]
pub(crate) const fn second(byte: u8) -> &'static Entry {
    &TWO_BYTES[byte as usize]
}

/// A form that is known when this is compiled.
macro_rules! form {
    ($form:expr) => {
        const { &$form }
    };
}

/// What 0F 09 says.
pub(crate) const fn write_back(prefixes: Prefixes) -> &'static Form {
    if prefixes.contains(Prefixes::REPEAT) {
        form!(Form::plain(Operation::Wbnoinvd))
    } else {
        form!(Form::plain(Operation::Wbinvd))
    }
}

/// What 0F C7 says with `modrm` behind it.
pub(crate) const fn group_nine(modrm: u8, prefixes: Prefixes) -> Option<&'static Form> {
    use Condition::{NoneMandatory, Only66, OnlyF3};
    use Operation::{CmpxchgPair, Vmclear, Vmptrld, Vmptrst, Vmxon};
    use Slot::Memory;
    use Width::{Pair, Qword};
    Some(match modrm >> 3 & 7 {
        1 => form!(Form::new(CmpxchgPair, Memory, Slot::None, Pair)),
        6 if prefixes.contains(Prefixes::OPERAND) => {
            form!(Form::new(Vmclear, Slot::None, Memory, Qword).when(Only66))
        }
        6 if prefixes.contains(Prefixes::REPEAT) => {
            form!(Form::new(Vmxon, Slot::None, Memory, Qword).when(OnlyF3))
        }
        6 => form!(Form::new(Vmptrld, Slot::None, Memory, Qword).when(NoneMandatory)),
        7 => form!(Form::new(Vmptrst, Memory, Slot::None, Qword).when(NoneMandatory)),
        _ => return None,
    })
}

/// What an opcode behind 0F 38 says.
pub(crate) const fn third(opcode: u8) -> Option<&'static Form> {
    use Condition::{Only66, Unrepeated};
    use Operation::{Invept, Invpcid, Invvpid, Movbe};
    use Width::{Native, Operand, Oword};
    Some(match opcode {
        0x80 => form!(Form::load(Invept, Oword, Native).when(Only66)),
        0x81 => form!(Form::load(Invvpid, Oword, Native).when(Only66)),
        0x82 => form!(Form::load(Invpcid, Oword, Native).when(Only66)),
        0xf0 => form!(Form::load(Movbe, Operand, Operand).when(Unrepeated)),
        0xf1 => form!(Form::new(Movbe, Slot::Memory, Slot::Reg, Operand).when(Unrepeated)),
        _ => return None,
    })
}

/// What 0F 01 says with `modrm` behind it, when ModRM.reg tells.
pub(crate) const fn group_seven(modrm: u8) -> Option<&'static Form> {
    use Operation::{Invlpg, Lmsw, Smsw};
    use Slot::{Memory, None, Rm};
    use Width::{Byte, Operand, Word};
    Some(match modrm >> 3 & 7 {
        4 => form!(Form { register: Operand, ..Form::new(Smsw, Rm, None, Word) }),
        6 => form!(Form::new(Lmsw, None, Rm, Word)),
        7 if modrm < MODRM_REGISTER => form!(Form::new(Invlpg, None, Memory, Byte)),
        _ => return Option::None,
    })
}

/// What 0F 01 says when all of the byte behind it tells, which then is the opcode.
#[expect(clippy::indexing_slicing, reason = "six bits are below 64")]
pub(crate) const fn system(opcode: u8) -> Option<&'static Form> {
    if opcode < MODRM_REGISTER {
        return None;
    }
    let entry = &SYSTEM[(opcode & !MODRM_REGISTER) as usize];
    entry.as_ref()
}

/// The least ModRM byte of a register.
pub(crate) const MODRM_REGISTER: u8 = 0xc0;

/// What these say.
#[expect(clippy::indexing_slicing, reason = "at compile time")]
static SYSTEM: [Option<Form>; 64] = {
    let mut system = [None; 64];
    let mut at = 0;
    while at < system.len() {
        if let Some(operation) = system_operation(MODRM_REGISTER | at as u8) {
            system[at] = Some(Form::plain(operation).when(Condition::NoneMandatory));
        }
        at += 1;
    }
    system
};

/// The operation of such an opcode.
const fn system_operation(opcode: u8) -> Option<Operation> {
    use Operation::{
        Clgi, Invlpga, Monitor, Monitorx, Mwait, Mwaitx, Rdtscp, Skinit, Stgi, Vmcall, Vmfunc,
        Vmlaunch, Vmload, Vmmcall, Vmresume, Vmrun, Vmsave, Vmxoff, Xgetbv, Xsetbv,
    };
    Some(match opcode {
        0xc1 => Vmcall,
        0xc2 => Vmlaunch,
        0xc3 => Vmresume,
        0xc4 => Vmxoff,
        0xc8 => Monitor,
        0xc9 => Mwait,
        0xd0 => Xgetbv,
        0xd1 => Xsetbv,
        0xd4 => Vmfunc,
        0xd8 => Vmrun,
        0xd9 => Vmmcall,
        0xda => Vmload,
        0xdb => Vmsave,
        0xdc => Stgi,
        0xdd => Clgi,
        0xde => Skinit,
        0xdf => Invlpga,
        0xf9 => Rdtscp,
        0xfa => Monitorx,
        0xfb => Mwaitx,
        _ => return None,
    })
}
