//! What stands before the opcode.
//!
//! Intel SDM vol. 2, "Instruction Prefixes" and "REX Prefixes".

use crate::cursor::Cursor;
use crate::instruction::{Error, Mode};
use crate::operand::{Segment, Size};

/// The last of F2 and F3.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Neither.
    None,
    /// F2: REPNE, or a part of the opcode.
    NotEqual,
    /// F3: REP, or a part of the opcode.
    Equal,
}

/// The REX prefix, or zero.
#[derive(Clone, Copy)]
pub(crate) struct Rex(u8);

impl Rex {
    /// The operand has 64 bits.
    const W: u8 = 1 << 3;
    /// Bit 3 of ModRM.reg.
    const R: u8 = 1 << 2;
    /// Bit 3 of SIB.index.
    const X: u8 = 1 << 1;
    /// Bit 3 of ModRM.rm and SIB.base.
    const B: u8 = 1 << 0;

    /// Whether there is one. It makes SPL, BPL, SIL, DIL of AH, CH, DH, BH.
    pub(crate) const fn present(self) -> bool {
        self.0 != 0
    }

    /// The bit that it puts before ModRM.reg.
    pub(crate) const fn reg(self) -> u8 {
        (self.0 & Self::R) << 1
    }

    /// The bit that it puts before SIB.index.
    pub(crate) const fn index(self) -> u8 {
        (self.0 & Self::X) << 2
    }

    /// The bit that it puts before ModRM.rm and SIB.base.
    pub(crate) const fn base(self) -> u8 {
        (self.0 & Self::B) << 3
    }
}

/// All of them.
pub(crate) struct Prefixes {
    /// 66: another size of operands, or a part of the opcode.
    pub(crate) operand: bool,
    /// 67: another size of addresses.
    pub(crate) address: bool,
    /// F0.
    pub(crate) lock: bool,
    /// F2 and F3.
    pub(crate) repeat: Repeat,
    /// The segment, of those that count in this mode.
    pub(crate) segment: Option<Segment>,
    /// 40 to 4F.
    pub(crate) rex: Rex,
}

impl Prefixes {
    /// Reads them, and the opcode's first byte behind them.
    pub(crate) fn read(cursor: &mut Cursor<'_>, mode: Mode) -> Result<(Self, u8), Error> {
        let mut prefixes = Self {
            operand: false,
            address: false,
            lock: false,
            repeat: Repeat::None,
            segment: None,
            rex: Rex(0),
        };
        loop {
            let byte = cursor.byte()?;
            match byte {
                0x40..=0x4f if mode == Mode::Bits64 => {
                    prefixes.rex = Rex(byte);
                    continue;
                }
                0x26 => prefixes.set_segment(Segment::Es, mode),
                0x2e => prefixes.set_segment(Segment::Cs, mode),
                0x36 => prefixes.set_segment(Segment::Ss, mode),
                0x3e => prefixes.set_segment(Segment::Ds, mode),
                0x64 => prefixes.segment = Some(Segment::Fs),
                0x65 => prefixes.segment = Some(Segment::Gs),
                0x66 => prefixes.operand = true,
                0x67 => prefixes.address = true,
                0xf0 => prefixes.lock = true,
                0xf2 => prefixes.repeat = Repeat::NotEqual,
                0xf3 => prefixes.repeat = Repeat::Equal,
                _ => return Ok((prefixes, byte)),
            }
            // A REX prefix counts only directly before the opcode.
            prefixes.rex = Rex(0);
        }
    }

    /// In 64-bit mode these four are flat, and their prefixes mean nothing.
    fn set_segment(&mut self, segment: Segment, mode: Mode) {
        if mode == Mode::Bits32 {
            self.segment = Some(segment);
        }
    }

    /// The size of operands.
    pub(crate) const fn operand_size(&self) -> Size {
        if self.rex.0 & Rex::W != 0 {
            Size::Qword
        } else if self.operand {
            Size::Word
        } else {
            Size::Dword
        }
    }

    /// Whether none is there that could be a part of the opcode.
    pub(crate) fn none_mandatory(&self) -> bool {
        !self.operand && self.repeat == Repeat::None
    }
}
