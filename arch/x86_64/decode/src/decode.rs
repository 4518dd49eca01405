//! From bytes to an instruction.

use crate::cursor::Cursor;
use crate::form::{Form, Map, Slot};
use crate::instruction::{Error, Instruction, Mode};
use crate::operand::{Base, Memory, Operand, Part, Register, Segment, Size, number};
use crate::operation::Operation;
use crate::prefix::{Prefixes, Repeat};

/// The byte before a second page of opcodes.
const ESCAPE: u8 = 0x0f;
/// The byte behind it before a third.
const ESCAPE_38: u8 = 0x38;
/// ModRM.mod of a register.
const MOD_REGISTER: u8 = 3;
/// ModRM.rm of a SIB byte, and SIB.index of none.
const SIB: u8 = 4;
/// ModRM.rm and SIB.base of a displacement alone, with ModRM.mod 0.
const DISPLACEMENT: u8 = 5;

/// Decodes the instruction at the beginning of `bytes`, of which at most 15 count.
///
/// # Errors
///
/// [`Error::Truncated`] asks for more bytes, [`Error::Unknown`] is for good.
pub fn decode(bytes: &[u8], mode: Mode) -> Result<Instruction, Error> {
    let mut cursor = Cursor::new(bytes);
    let (prefixes, opcode) = Prefixes::read(&mut cursor, mode)?;
    let map = Map { prefixes: &prefixes, mode };
    let form = if opcode == ESCAPE {
        match cursor.byte()? {
            ESCAPE_38 => map.three_bytes(cursor.byte()?)?,
            opcode => map.two_bytes(opcode, &mut cursor)?,
        }
    } else {
        map.one_byte(opcode, &cursor)?
    };
    if prefixes.lock && !(form.operation.is_lockable() && form.destination == Slot::Memory) {
        return Err(Error::Unknown);
    }
    Decoder { cursor, prefixes, mode, form }.operands()
}

/// What is known behind the opcode.
struct Decoder<'a> {
    /// The rest of the bytes.
    cursor: Cursor<'a>,
    /// The prefixes.
    prefixes: Prefixes,
    /// The mode.
    mode: Mode,
    /// What the opcode says.
    form: Form,
}

impl Decoder<'_> {
    /// Reads the operands.
    fn operands(mut self) -> Result<Instruction, Error> {
        let Form { operation, destination, source, size, .. } = self.form;
        let mut memory = Memory::NONE;
        let (mut reg, mut rm) = (0, None);
        if destination.in_modrm() || source.in_modrm() {
            let modrm = self.cursor.byte()?;
            reg = modrm >> 3 & 7 | self.prefixes.rex.reg();
            if modrm >> 6 == MOD_REGISTER || operation == Operation::MovControl {
                rm = Some(modrm & 7 | self.prefixes.rex.base());
            } else {
                memory = self.memory(modrm)?;
            }
        } else if matches!(source, Slot::Offset) || matches!(destination, Slot::Offset) {
            memory = self.implied(Base::None)?;
            memory.displacement = self.cursor.signed(memory.size)?;
        } else if matches!(source, Slot::StringSource) {
            memory = self.implied(Base::Register(number::RSI))?;
        } else if matches!(destination, Slot::StringDestination) {
            memory = self.implied(Base::Register(number::RDI))?;
            memory.segment = Segment::Es;
        }
        let immediate = match source {
            Slot::Byte => self.cursor.signed(Size::Byte)?,
            Slot::Immediate => self.cursor.signed(size.min(Size::Dword))?,
            _ if source == Slot::PortNumber || destination == Slot::PortNumber => {
                u64::from(self.cursor.byte()?)
            }
            _ => 0,
        };
        let repeat = operation.is_string() && self.prefixes.repeat != Repeat::None;
        if repeat && self.prefixes.repeat == Repeat::NotEqual {
            return Err(Error::Unknown);
        }
        Ok(Instruction {
            operation,
            mode: self.mode,
            length: self.cursor.length(),
            lock: self.prefixes.lock,
            repeat,
            size,
            destination: self.operand(destination, reg, rm)?,
            source: self.operand(source, reg, rm)?,
            memory,
            immediate,
        })
    }

    /// The operand in `slot`, with the numbers of registers in ModRM; there is no `rm` for memory.
    fn operand(&self, slot: Slot, reg: u8, rm: Option<u8>) -> Result<Operand, Error> {
        Ok(match (slot, rm) {
            (Slot::None, _) => Operand::None,
            (Slot::Memory | Slot::Rm, None) => Operand::Memory,
            (Slot::Memory, Some(_)) | (Slot::Register, None) => return Err(Error::Unknown),
            (Slot::Rm | Slot::Register, Some(number)) => self.register(number),
            (Slot::Reg, _) => self.register(reg),
            (Slot::Control, _) => match reg {
                0 | 2 | 3 | 4 | 8 => Operand::Control(reg),
                _ => return Err(Error::Unknown),
            },
            (Slot::Accumulator, _) => self.register(number::RAX),
            (Slot::Port, _) => {
                Operand::Register(Register { number: number::RDX, part: Part::Word })
            }
            (Slot::PortNumber | Slot::Byte | Slot::Immediate, _) => Operand::Immediate,
            (Slot::Offset | Slot::StringSource | Slot::StringDestination, _) => Operand::Memory,
        })
    }

    /// A register of the size that the form says. Without REX, the bytes 4 to 7 are AH to BH.
    fn register(&self, number: u8) -> Operand {
        let part = Part::low(self.form.register);
        Operand::Register(match part {
            Part::Low if number & 4 != 0 && !self.prefixes.rex.present() => {
                Register { number: number & 3, part: Part::High }
            }
            _ => Register { number, part },
        })
    }

    /// The size of addresses. We know nothing of 16 bits.
    fn address_size(&self) -> Result<Size, Error> {
        match (self.mode, self.prefixes.address) {
            (Mode::Bits64, false) => Ok(Size::Qword),
            (Mode::Bits64, true) | (Mode::Bits32, false) => Ok(Size::Dword),
            (Mode::Bits32, true) => Err(Error::Unknown),
        }
    }

    /// Memory that is not in ModRM.
    fn implied(&self, base: Base) -> Result<Memory, Error> {
        let segment = self.prefixes.segment.unwrap_or(Segment::Ds);
        Ok(Memory { base, segment, size: self.address_size()?, ..Memory::NONE })
    }

    /// The memory operand that ModRM describes, with the bytes behind it.
    fn memory(&mut self, modrm: u8) -> Result<Memory, Error> {
        let size = self.address_size()?;
        let rex = self.prefixes.rex;
        let (mut base, mut index, mut scale) = (modrm & 7, None, 0);
        let has_sib = base == SIB;
        if has_sib {
            let sib = self.cursor.byte()?;
            base = sib & 7;
            scale = sib >> 6;
            index = Some(sib >> 3 & 7 | rex.index()).filter(|&index| index != SIB);
        }
        let displacement_alone = base == DISPLACEMENT && modrm >> 6 == 0;
        let displacement = match modrm >> 6 {
            0 if !displacement_alone => 0,
            1 => self.cursor.signed(Size::Byte)?,
            _ => self.cursor.signed(Size::Dword)?,
        };
        let base = if !displacement_alone {
            Base::Register(base | rex.base())
        } else if self.mode == Mode::Bits64 && !has_sib {
            Base::Next
        } else {
            Base::None
        };
        let on_stack = matches!(base, Base::Register(number::RSP | number::RBP));
        let default = if on_stack { Segment::Ss } else { Segment::Ds };
        let segment = self.prefixes.segment.unwrap_or(default);
        Ok(Memory { base, index, scale, segment, size, displacement })
    }
}
