//! What an opcode says about its operands.

use crate::condition::Condition;
use crate::operand::Size;
use crate::operation::Operation;
use crate::prefix::Prefixes;

/// Where an operand stands in the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// There is none.
    None,
    /// ModRM.rm, and it must be memory.
    Memory,
    /// ModRM.rm, memory or a register.
    Rm,
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

/// What follows the opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A ModRM byte that names memory.
    Memory,
    /// A ModRM byte that names memory or a register.
    Rm,
    /// A ModRM byte that names registers, of which ModRM.reg is a control register, whatever ModRM.mod
    /// says.
    Control,
    /// An address.
    Offset,
    /// The number of a port.
    PortNumber,
    /// Nothing, and there are operands in memory.
    String,
    /// Nothing.
    Plain,
}

/// What decides on the size of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// 8 bits.
    Byte,
    /// 16 bits.
    Word,
    /// 32 bits.
    Dword,
    /// 64 bits.
    Qword,
    /// 128 bits.
    Oword,
    /// REX.W and 66.
    Operand,
    /// The same, but no port is wider than 32 bits.
    Port,
    /// REX.W: twice 32 or 64 bits.
    Pair,
    /// The mode.
    Native,
}

impl Width {
    /// How many there are.
    const COUNT: usize = Self::Native as usize + 1;
    /// All of them.
    const ALL: [Self; Self::COUNT] = [
        Self::Byte,
        Self::Word,
        Self::Dword,
        Self::Qword,
        Self::Oword,
        Self::Operand,
        Self::Port,
        Self::Pair,
        Self::Native,
    ];

    /// Bytes of it with these prefixes.
    const fn compute(self, prefixes: Prefixes) -> Size {
        let operand = prefixes.operand_size();
        let wide = prefixes.contains(Prefixes::WIDE);
        match self {
            Self::Byte => Size::Byte,
            Self::Word => Size::Word,
            Self::Dword => Size::Dword,
            Self::Qword => Size::Qword,
            Self::Oword => Size::Oword,
            Self::Operand => operand,
            Self::Port if wide => Size::Dword,
            Self::Port => operand,
            Self::Pair if wide => Size::Oword,
            Self::Pair => Size::Qword,
            Self::Native if prefixes.contains(Prefixes::LONG) => Size::Qword,
            Self::Native => Size::Dword,
        }
    }

    /// The same, looked up, but for what is asked most.
    #[expect(clippy::indexing_slicing, reason = "both have no more values than the table has")]
    #[inline(always)]
    pub(crate) fn size(self, prefixes: Prefixes) -> Size {
        if self == Self::Operand && prefixes.contains(Prefixes::WIDE) {
            return Size::Qword;
        }
        SIZES[prefixes.size_index()][self as usize]
    }
}

/// The sizes for the prefixes that decide on them.
#[expect(clippy::indexing_slicing, reason = "at compile time")]
static SIZES: [[Size; Width::COUNT]; 8] = {
    let mut sizes = [[Size::Byte; Width::COUNT]; 8];
    let mut index = 0;
    while index < sizes.len() {
        let mut width = 0;
        while width < Width::COUNT {
            sizes[index][width] = Width::ALL[width].compute(Prefixes::of_size_index(index));
            width += 1;
        }
        index += 1;
    }
    sizes
};

/// What an opcode says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// What it does.
    pub(crate) operation: Operation,
    /// What follows it.
    pub(crate) layout: Layout,
    /// With which prefixes.
    pub(crate) condition: Condition,
    /// What it writes.
    pub(crate) destination: Slot,
    /// What it only reads.
    pub(crate) source: Slot,
    /// Bytes of memory.
    pub(crate) size: Width,
    /// Bytes of a register.
    pub(crate) register: Width,
}

impl Form {
    /// An opcode with operands of one size.
    pub(crate) const fn new(
        operation: Operation,
        destination: Slot,
        source: Slot,
        size: Width,
    ) -> Self {
        let layout = match (destination, source) {
            (Slot::Memory, _) | (_, Slot::Memory) => Layout::Memory,
            (Slot::Rm, _) | (_, Slot::Rm) => Layout::Rm,
            (Slot::Offset, _) | (_, Slot::Offset) => Layout::Offset,
            (Slot::PortNumber, _) | (_, Slot::PortNumber) => Layout::PortNumber,
            (Slot::StringDestination, _) | (_, Slot::StringSource) => Layout::String,
            _ => Layout::Plain,
        };
        let lockable = operation.is_lockable() && matches!(destination, Slot::Memory);
        let condition = if lockable { Condition::Lockable } else { Condition::Unlocked };
        Self { operation, layout, condition, destination, source, size, register: size }
    }

    /// A load of `size` into a register of another.
    pub(crate) const fn load(operation: Operation, size: Width, register: Width) -> Self {
        Self { register, ..Self::new(operation, Slot::Reg, Slot::Memory, size) }
    }

    /// A string instruction.
    pub(crate) const fn string(
        operation: Operation,
        destination: Slot,
        source: Slot,
        size: Width,
    ) -> Self {
        Self::new(operation, destination, source, size).when(Condition::String)
    }

    /// A move to or from a control register.
    pub(crate) const fn control(destination: Slot, source: Slot) -> Self {
        let form = Self::new(Operation::MovControl, destination, source, Width::Native);
        Self { layout: Layout::Control, ..form }
    }

    /// An opcode without operands.
    pub(crate) const fn plain(operation: Operation) -> Self {
        Self::new(operation, Slot::None, Slot::None, Width::Dword)
    }

    /// The same with other prefixes.
    pub(crate) const fn when(self, condition: Condition) -> Self {
        Self { condition, ..self }
    }
}
