//! From bytes to an instruction.

use crate::cursor::Cursor;
use crate::form::{Form, Layout, Slot};
use crate::instruction::{Error, Instruction, Mode};
use crate::map::{self, Entry, MODRM_REGISTER};
use crate::modrm::ModRm;
use crate::operand::Size;
use crate::prefix::Prefixes;

/// The opcode behind 0F of descriptor tables and of virtual machines, by ModRM.
const GROUP_SEVEN: u8 = 0x01;
/// The opcode behind 0F that writes caches back.
const WRITE_BACK: u8 = 0x09;
/// The byte behind 0F before a third page of opcodes.
const ESCAPE: u8 = 0x38;
/// The least REX prefix.
const REX: u8 = 0x40;
/// What all REX prefixes have in common.
const REX_MASK: u8 = 0xf0;

/// Decodes the instruction at the beginning of `bytes`, of which at most 15 count.
///
/// # Errors
///
/// [`Error::Truncated`] asks for more bytes, [`Error::Unknown`] is for good.
pub fn decode(bytes: &[u8], mode: Mode) -> Result<Instruction, Error> {
    let mut cursor = Cursor::new(bytes);
    let mut prefixes = Prefixes::new(mode);
    let form = loop {
        let byte = cursor.byte()?;
        let entry = map::first(byte);
        if let Entry::Opcode(form) = entry {
            break form;
        }
        if byte & REX_MASK == REX && mode == Mode::Bits64 {
            prefixes = prefixes.with_rex(byte);
        } else if let Entry::Prefix(change) = entry {
            prefixes = prefixes.changed(*change);
        } else {
            break longer(entry, &mut cursor, prefixes)?;
        }
    };
    let short_address = mode == Mode::Bits32 && prefixes.contains(Prefixes::ADDRESS);
    if short_address || !form.condition.holds(prefixes) {
        return Err(Error::Unknown);
    }
    let size = form.size.size(prefixes);
    let mut modrm = ModRm::NONE;
    let (mut displacement, mut immediate) = (0, 0);
    let mut repeat = false;
    match form.layout {
        Layout::Memory | Layout::Rm => {
            modrm.byte = cursor.byte()?;
            if modrm.byte < MODRM_REGISTER {
                displacement = modrm.read_memory(&mut cursor)?;
            } else if form.layout == Layout::Memory {
                return Err(Error::Unknown);
            }
            match form.source {
                Slot::Byte => immediate = cursor.signed(Size::Byte)?,
                Slot::Immediate => immediate = cursor.signed(size.min(Size::Dword))?,
                _ => {}
            }
        }
        Layout::Control => {
            modrm.byte = cursor.byte()? | MODRM_REGISTER;
            if !matches!(modrm.reg(prefixes), 0 | 2 | 3 | 4 | 8) {
                return Err(Error::Unknown);
            }
        }
        Layout::Offset => displacement = cursor.signed(prefixes.address_size())?,
        Layout::PortNumber => immediate = u64::from(cursor.byte()?),
        Layout::String => repeat = prefixes.contains(Prefixes::REPEAT),
        Layout::Plain => {}
    }
    let (operation, length) = (form.operation, cursor.length()?);
    Ok(Instruction {
        operation,
        length,
        size,
        repeat,
        immediate,
        form,
        prefixes,
        modrm,
        displacement,
    })
}

/// What an opcode says that is not one byte without more.
fn longer(
    entry: &Entry,
    cursor: &mut Cursor<'_>,
    prefixes: Prefixes,
) -> Result<&'static Form, Error> {
    let form = match entry {
        Entry::Group(group) => group.entry(cursor.peek()?).form(),
        Entry::Escape => {
            let opcode = cursor.byte()?;
            match map::second(opcode) {
                Entry::Opcode(form) => Some(form),
                Entry::Group(group) => group.entry(cursor.peek()?).form(),
                Entry::Special => special(opcode, cursor, prefixes)?,
                _ => None,
            }
        }
        _ => None,
    };
    form.ok_or(Error::Unknown)
}

/// What an opcode behind 0F says that says more elsewhere than in ModRM.reg.
fn special(
    opcode: u8,
    cursor: &mut Cursor<'_>,
    prefixes: Prefixes,
) -> Result<Option<&'static Form>, Error> {
    Ok(match opcode {
        ESCAPE => map::third(cursor.byte()?),
        WRITE_BACK => Some(map::write_back(prefixes)),
        GROUP_SEVEN => {
            let modrm = cursor.peek()?;
            let system = map::system(modrm);
            if system.is_some() {
                cursor.byte()?;
            }
            system.or_else(|| map::group_seven(modrm))
        }
        _ => map::group_nine(cursor.peek()?, prefixes),
    })
}
