//! The opcode map: what each opcode does, to which operands.
//!
//! Intel SDM vol. 2, appendix A, "Opcode Map"; AMD64 APM vol. 3, appendix A, the same.

use crate::cursor::Cursor;
use crate::instruction::{Error, Mode};
use crate::operand::Size;
use crate::operation::Operation;
use crate::prefix::{Prefixes, Repeat};

/// Where an operand stands in the encoding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// There is none.
    None,
    /// ModRM.rm, and it must be memory.
    Memory,
    /// ModRM.rm, memory or a register.
    Rm,
    /// ModRM.rm, a register whatever ModRM.mod says.
    Register,
    /// ModRM.reg, a register.
    Reg,
    /// ModRM.reg, a control register.
    Control,
    /// The accumulator.
    Accumulator,
    /// DX, the number of a port.
    Port,
    /// One byte that follows, the number of a port.
    PortNumber,
    /// One byte that follows, with its sign extended.
    Byte,
    /// As many bytes as the operand has, or four with their sign extended.
    Immediate,
    /// Memory, at the address that follows.
    Offset,
    /// Memory, at rSI.
    StringSource,
    /// Memory, at rDI in ES.
    StringDestination,
}

impl Slot {
    /// Whether it asks for a ModRM byte.
    pub(crate) const fn in_modrm(self) -> bool {
        matches!(self, Self::Memory | Self::Rm | Self::Register | Self::Reg | Self::Control)
    }
}

/// What an opcode says.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// What it does.
    pub(crate) operation: Operation,
    /// What it writes.
    pub(crate) destination: Slot,
    /// What it only reads.
    pub(crate) source: Slot,
    /// Bytes of memory.
    pub(crate) size: Size,
    /// Bytes of a register.
    pub(crate) register: Size,
}

impl Form {
    /// An opcode with operands of one size.
    const fn new(operation: Operation, destination: Slot, source: Slot, size: Size) -> Self {
        Self { operation, destination, source, size, register: size }
    }

    /// A load of `size` into a register of another.
    const fn load(operation: Operation, size: Size, register: Size) -> Self {
        Self { operation, destination: Slot::Reg, source: Slot::Memory, size, register }
    }

    /// An opcode without operands.
    const fn plain(operation: Operation) -> Self {
        Self::new(operation, Slot::None, Slot::None, Size::Dword)
    }
}

/// ModRM.reg of the byte that follows, which tells the instructions of a group apart.
fn group(cursor: &Cursor<'_>) -> Result<u8, Error> {
    Ok(cursor.peek()? >> 3 & 7)
}

/// What the opcodes of the instruction `cursor` reads say.
pub(crate) struct Map<'a> {
    /// Its prefixes.
    pub(crate) prefixes: &'a Prefixes,
    /// The mode.
    pub(crate) mode: Mode,
}

impl Map<'_> {
    /// The size that goes by bit 0 of an opcode: a byte, or the size of operands.
    const fn size(&self, opcode: u8) -> Size {
        if opcode & 1 == 0 { Size::Byte } else { self.prefixes.operand_size() }
    }

    /// The size of control registers and of addresses in operands.
    const fn native(&self) -> Size {
        match self.mode {
            Mode::Bits64 => Size::Qword,
            Mode::Bits32 => Size::Dword,
        }
    }

    /// Opcodes of one byte.
    pub(crate) fn one_byte(&self, opcode: u8, cursor: &Cursor<'_>) -> Result<Form, Error> {
        use Operation::{
            Dec, Hlt, In, Inc, Ins, Mov, Movs, Movsxd, Neg, Not, Out, Outs, Pause, Stos, Test, Xchg,
        };
        use Slot::{
            Accumulator, Byte, Immediate, Memory, Offset, Port, PortNumber, Reg, StringDestination,
            StringSource,
        };
        let size = self.size(opcode);
        // No port is wider.
        let port = if matches!(size, Size::Qword) { Size::Dword } else { size };
        Ok(match opcode {
            0x00..=0x3f => {
                let operation = Operation::arithmetic(opcode >> 3);
                match opcode & 7 {
                    0 | 1 => Form::new(operation, Memory, Reg, size),
                    2 | 3 => Form::new(operation, Reg, Memory, size),
                    _ => return Err(Error::Unknown),
                }
            }
            // With 66 the vendors differ in what is read.
            0x63 if self.mode == Mode::Bits64 && self.prefixes.operand_size() != Size::Word => {
                Form::load(Movsxd, Size::Dword, size)
            }
            0x6c | 0x6d => Form::new(Ins, StringDestination, Port, port),
            0x6e | 0x6f => Form::new(Outs, Port, StringSource, port),
            0x80 | 0x81 => {
                Form::new(Operation::arithmetic(group(cursor)?), Memory, Immediate, size)
            }
            0x83 => Form::new(Operation::arithmetic(group(cursor)?), Memory, Byte, size),
            0x84 | 0x85 => Form::new(Test, Memory, Reg, size),
            0x86 | 0x87 => Form::new(Xchg, Memory, Reg, size),
            0x88 | 0x89 => Form::new(Mov, Memory, Reg, size),
            0x8a | 0x8b => Form::new(Mov, Reg, Memory, size),
            // With REX.B decoders differ in whether it exchanges R8.
            0x90 if self.prefixes.repeat == Repeat::Equal && self.prefixes.rex.base() == 0 => {
                Form::plain(Pause)
            }
            0xa0 | 0xa1 => Form::new(Mov, Accumulator, Offset, size),
            0xa2 | 0xa3 => Form::new(Mov, Offset, Accumulator, size),
            0xa4 | 0xa5 => Form::new(Movs, StringDestination, StringSource, size),
            0xaa | 0xab => Form::new(Stos, StringDestination, Accumulator, size),
            0xc6 | 0xc7 if group(cursor)? == 0 => Form::new(Mov, Memory, Immediate, size),
            0xe4 | 0xe5 => Form::new(In, Accumulator, PortNumber, port),
            0xe6 | 0xe7 => Form::new(Out, PortNumber, Accumulator, port),
            0xec | 0xed => Form::new(In, Accumulator, Port, port),
            0xee | 0xef => Form::new(Out, Port, Accumulator, port),
            0xf4 => Form::plain(Hlt),
            0xf6 | 0xf7 => match group(cursor)? {
                0 => Form::new(Test, Memory, Immediate, size),
                2 => Form::new(Not, Memory, Slot::None, size),
                3 => Form::new(Neg, Memory, Slot::None, size),
                _ => return Err(Error::Unknown),
            },
            0xfe | 0xff => match group(cursor)? {
                0 => Form::new(Inc, Memory, Slot::None, size),
                1 => Form::new(Dec, Memory, Slot::None, size),
                _ => return Err(Error::Unknown),
            },
            _ => return Err(Error::Unknown),
        })
    }

    /// Opcodes behind 0F.
    pub(crate) fn two_bytes(&self, opcode: u8, cursor: &mut Cursor<'_>) -> Result<Form, Error> {
        use Operation::{
            Clts, Cmpxchg, CmpxchgPair, Cpuid, Invd, MovControl, Movnti, Movsx, Movzx, Rdmsr,
            Rdpmc, Rdtsc, Vmclear, Vmptrld, Vmptrst, Vmread, Vmwrite, Vmxon, Wbinvd, Wbnoinvd,
            Wrmsr, Xadd,
        };
        use Slot::{Byte, Control, Memory, Reg, Register, Rm};
        let size = self.size(opcode);
        let operand = self.prefixes.operand_size();
        let none_mandatory = self.prefixes.none_mandatory();
        Ok(match opcode {
            0x01 => self.group_seven(cursor)?,
            0x06 => Form::plain(Clts),
            0x08 => Form::plain(Invd),
            0x09 if self.prefixes.repeat == Repeat::Equal => Form::plain(Wbnoinvd),
            0x09 => Form::plain(Wbinvd),
            0x20 => Form::new(MovControl, Register, Control, self.native()),
            0x22 => Form::new(MovControl, Control, Register, self.native()),
            0x30 => Form::plain(Wrmsr),
            0x31 => Form::plain(Rdtsc),
            0x32 => Form::plain(Rdmsr),
            0x33 => Form::plain(Rdpmc),
            0x78 if none_mandatory => Form::new(Vmread, Rm, Reg, self.native()),
            0x79 if none_mandatory => Form::new(Vmwrite, Reg, Rm, self.native()),
            0xa2 => Form::plain(Cpuid),
            0xa3 | 0xab | 0xb3 | 0xbb => {
                Form::new(Operation::bit(opcode >> 3), Memory, Reg, operand)
            }
            0xb0 | 0xb1 => Form::new(Cmpxchg, Memory, Reg, size),
            0xb6 => Form::load(Movzx, Size::Byte, operand),
            0xb7 => Form::load(Movzx, Size::Word, operand),
            0xba if group(cursor)? >= 4 => {
                Form::new(Operation::bit(group(cursor)?), Memory, Byte, operand)
            }
            0xbe => Form::load(Movsx, Size::Byte, operand),
            0xbf => Form::load(Movsx, Size::Word, operand),
            0xc0 | 0xc1 => Form::new(Xadd, Memory, Reg, size),
            0xc3 if none_mandatory => Form::new(Movnti, Memory, Reg, operand),
            0xc7 => match (group(cursor)?, self.prefixes.operand, self.prefixes.repeat) {
                (1, ..) => {
                    let pair = if operand == Size::Qword { Size::Oword } else { Size::Qword };
                    Form::new(CmpxchgPair, Memory, Slot::None, pair)
                }
                (6, false, Repeat::None) => Form::new(Vmptrld, Slot::None, Memory, Size::Qword),
                (6, true, Repeat::None) => Form::new(Vmclear, Slot::None, Memory, Size::Qword),
                (6, false, Repeat::Equal) => Form::new(Vmxon, Slot::None, Memory, Size::Qword),
                (7, false, Repeat::None) => Form::new(Vmptrst, Memory, Slot::None, Size::Qword),
                _ => return Err(Error::Unknown),
            },
            _ => return Err(Error::Unknown),
        })
    }

    /// Opcodes behind 0F 38.
    pub(crate) fn three_bytes(&self, opcode: u8) -> Result<Form, Error> {
        use Operation::{Invept, Invpcid, Invvpid, Movbe};
        use Slot::{Memory, Reg};
        let only_66 = self.prefixes.operand && self.prefixes.repeat == Repeat::None;
        let invalidation = |operation| Form::load(operation, Size::Oword, self.native());
        Ok(match opcode {
            0x80 if only_66 => invalidation(Invept),
            0x81 if only_66 => invalidation(Invvpid),
            0x82 if only_66 => invalidation(Invpcid),
            // With F2 it is CRC32.
            0xf0 | 0xf1 if self.prefixes.repeat != Repeat::None => return Err(Error::Unknown),
            0xf0 => Form::new(Movbe, Reg, Memory, self.prefixes.operand_size()),
            0xf1 => Form::new(Movbe, Memory, Reg, self.prefixes.operand_size()),
            _ => return Err(Error::Unknown),
        })
    }

    /// Opcodes behind 0F 01: with memory by ModRM.reg, with registers by all of ModRM.
    fn group_seven(&self, cursor: &mut Cursor<'_>) -> Result<Form, Error> {
        use Operation::{
            Clgi, Invlpg, Invlpga, Lmsw, Monitor, Monitorx, Mwait, Mwaitx, Rdtscp, Skinit, Smsw,
            Stgi, Vmcall, Vmfunc, Vmlaunch, Vmload, Vmmcall, Vmresume, Vmrun, Vmsave, Vmxoff,
            Xgetbv, Xsetbv,
        };
        let modrm = cursor.peek()?;
        match modrm >> 3 & 7 {
            4 => {
                let register = self.prefixes.operand_size();
                let form = Form::new(Smsw, Slot::Rm, Slot::None, Size::Word);
                return Ok(Form { register, ..form });
            }
            6 => return Ok(Form::new(Lmsw, Slot::None, Slot::Rm, Size::Word)),
            7 if modrm < 0xc0 => {
                return Ok(Form::new(Invlpg, Slot::None, Slot::Memory, Size::Byte));
            }
            _ => {}
        }
        if !self.prefixes.none_mandatory() {
            return Err(Error::Unknown);
        }
        let operation = match modrm {
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
            _ => return Err(Error::Unknown),
        };
        cursor.byte()?;
        Ok(Form::plain(operation))
    }
}
