//! A decoded instruction.
//!
//! It is kept as it is encoded, in a few words: how the bytes lie is known, what they mean is worked out
//! when somebody asks.

use crate::form::{Form, Layout, Slot};
use crate::modrm::ModRm;
use crate::operand::{Base, Memory, Operand, Part, Register, Segment, Size, number};
use crate::operation::Operation;
use crate::prefix::Prefixes;

/// How the processor reads instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 64-bit mode.
    Bits64,
    /// Protected or compatibility mode with a 32-bit code segment.
    Bits32,
}

/// Why there is no instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It goes on behind the bytes that were given.
    Truncated,
    /// It is not one of ours, or none at all.
    Unknown,
}

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub operation: Operation,
    /// How many bytes it has.
    pub length: u8,
    /// Bytes of the memory operand, or of the operation where there is none.
    pub size: Size,
    /// Whether it is a string instruction with a REP prefix.
    pub repeat: bool,
    /// The immediate operand, with its sign extended, where there is one.
    pub immediate: u64,
    /// What its opcode says.
    pub(crate) form: &'static Form,
    /// Its prefixes, and the mode.
    pub(crate) prefixes: Prefixes,
    /// ModRM and SIB, where there are any.
    pub(crate) modrm: ModRm,
    /// The displacement, with its sign extended.
    pub(crate) displacement: u64,
}

impl Instruction {
    /// The mode that it was decoded for.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.prefixes.mode()
    }

    /// Whether it has a LOCK prefix. XCHG with memory is locked without one.
    #[must_use]
    pub const fn lock(&self) -> bool {
        self.prefixes.contains(Prefixes::LOCK)
    }

    /// What it writes, or reads and writes, or compares.
    #[must_use]
    pub fn destination(&self) -> Operand {
        self.operand(self.form.destination)
    }

    /// What it only reads. Of XCHG and XADD it is written too.
    #[must_use]
    pub fn source(&self) -> Operand {
        self.operand(self.form.source)
    }

    /// The memory operand. Of MOVS it is the source.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        let base = match self.form.layout {
            Layout::Memory | Layout::Rm => {
                let memory = self.modrm.memory(self.prefixes, self.displacement);
                return self.modrm.rm(self.prefixes).is_none().then_some(memory);
            }
            Layout::Offset => Base::None,
            Layout::String if self.form.source == Slot::StringSource => Base::Register(number::RSI),
            Layout::String => Base::Register(number::RDI),
            _ => return None,
        };
        let segment = match base {
            Base::Register(number::RDI) => Segment::Es,
            _ => self.prefixes.segment(Segment::Ds),
        };
        let (size, displacement) = (self.prefixes.address_size(), self.displacement);
        Some(Memory { base, index: None, scale: 0, segment, size, displacement })
    }

    /// Whether it reads its memory operand.
    #[must_use]
    pub fn reads(&self) -> bool {
        use Operation::{Ins, Invlpg, Mov, Movbe, Movnti, Smsw, Stos, Vmptrst, Vmread};
        if self.is_memory(self.form.source) {
            return self.operation != Invlpg;
        }
        let overwrites =
            matches!(self.operation, Ins | Mov | Movbe | Movnti | Smsw | Stos | Vmptrst | Vmread);
        !overwrites && self.is_memory(self.form.destination)
    }

    /// Whether it writes memory.
    #[must_use]
    pub fn writes(&self) -> bool {
        use Operation::{Bt, Cmp, Test};
        !matches!(self.operation, Bt | Cmp | Test) && self.is_memory(self.form.destination)
    }

    /// Whether the operand in `slot` is memory.
    pub(crate) fn is_memory(&self, slot: Slot) -> bool {
        match slot {
            Slot::Memory | Slot::Offset | Slot::StringSource | Slot::StringDestination => true,
            Slot::Rm => self.modrm.rm(self.prefixes).is_none(),
            _ => false,
        }
    }

    /// The operand in `slot`.
    fn operand(&self, slot: Slot) -> Operand {
        match slot {
            Slot::None => Operand::None,
            Slot::Control => Operand::Control(self.modrm.reg(self.prefixes)),
            Slot::Byte | Slot::Immediate | Slot::PortNumber => Operand::Immediate,
            _ => self.register(slot).map_or(Operand::Memory, Operand::Register),
        }
    }

    /// The general-purpose register in `slot`.
    pub(crate) fn register(&self, slot: Slot) -> Option<Register> {
        let part = Part::low(self.form.register.size(self.prefixes));
        let number = match slot {
            Slot::Reg => self.modrm.reg(self.prefixes),
            Slot::Rm => self.modrm.rm(self.prefixes)?,
            Slot::Accumulator => return Some(Register { number: number::RAX, part }),
            Slot::Port => return Some(Register { number: number::RDX, part: Part::Word }),
            _ => return None,
        };
        // Without REX, the bytes 4 to 7 are AH to BH.
        Some(match part {
            Part::Low if number & 4 != 0 && !self.prefixes.contains(Prefixes::REX) => {
                Register { number: number & 3, part: Part::High }
            }
            _ => Register { number, part },
        })
    }
}
