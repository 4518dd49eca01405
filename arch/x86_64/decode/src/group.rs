//! Opcodes that say more in ModRM.reg.
//!
//! Intel SDM vol. 2, appendix A, "Opcode Extensions for One-Byte and Two-byte Opcodes"; AMD64 APM vol. 3,
//! appendix A, "ModRM Extensions to Opcodes".

use crate::form::{Form, Slot, Width};
use crate::map::Entry;
use crate::operation::Operation;

/// Opcodes that say more in ModRM.reg.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Group {
    /// 80: arithmetic with a byte.
    Bytes,
    /// 81: arithmetic with a number as large as the operand.
    Operands,
    /// 83: the same with a byte whose sign is extended.
    Short,
    /// C6: a store of a byte.
    StoreByte,
    /// C7: a store of a number as large as the operand.
    StoreOperand,
    /// F6: arithmetic with one operand, a byte.
    UnaryByte,
    /// F7: arithmetic with one operand.
    UnaryOperand,
    /// FE: increment and decrement of a byte.
    CountByte,
    /// FF: increment and decrement.
    CountOperand,
    /// 0F BA: bits with a number.
    Bits,
}

impl Group {
    /// How many there are.
    const COUNT: usize = Self::Bits as usize + 1;
    /// All of them.
    const ALL: [Self; Self::COUNT] = [
        Self::Bytes,
        Self::Operands,
        Self::Short,
        Self::StoreByte,
        Self::StoreOperand,
        Self::UnaryByte,
        Self::UnaryOperand,
        Self::CountByte,
        Self::CountOperand,
        Self::Bits,
    ];

    /// What the opcode says with `reg` in ModRM.
    const fn compute(self, reg: u8) -> Entry {
        use Operation::{Dec, Inc, Mov, Neg, Not, Test};
        use Slot::{Byte, Immediate, Memory};
        let width = match self {
            Self::Bytes | Self::StoreByte | Self::UnaryByte | Self::CountByte => Width::Byte,
            _ => Width::Operand,
        };
        Entry::Opcode(match (self, reg) {
            (Self::Bytes | Self::Operands, _) => {
                Form::new(Operation::arithmetic(reg), Memory, Immediate, width)
            }
            (Self::Short, _) => Form::new(Operation::arithmetic(reg), Memory, Byte, width),
            (Self::StoreByte | Self::StoreOperand, 0) => Form::new(Mov, Memory, Immediate, width),
            (Self::UnaryByte | Self::UnaryOperand, 0) => Form::new(Test, Memory, Immediate, width),
            (Self::UnaryByte | Self::UnaryOperand, 2) => Form::new(Not, Memory, Slot::None, width),
            (Self::UnaryByte | Self::UnaryOperand, 3) => Form::new(Neg, Memory, Slot::None, width),
            (Self::CountByte | Self::CountOperand, 0) => Form::new(Inc, Memory, Slot::None, width),
            (Self::CountByte | Self::CountOperand, 1) => Form::new(Dec, Memory, Slot::None, width),
            (Self::Bits, 4..) => Form::new(Operation::bit(reg), Memory, Byte, width),
            _ => return Entry::Unknown,
        })
    }

    /// What the opcode says with `modrm` behind it.
    #[expect(clippy::indexing_slicing, reason = "both have no more values than the table has")]
    pub(crate) const fn entry(self, modrm: u8) -> &'static Entry {
        &GROUPS[self as usize][(modrm >> 3 & 7) as usize]
    }
}

/// What the opcodes of groups say.
#[expect(clippy::indexing_slicing, reason = "at compile time")]
static GROUPS: [[Entry; 8]; Group::COUNT] = {
    let mut groups = [[Entry::Unknown; 8]; Group::COUNT];
    let mut group = 0;
    while group < Group::COUNT {
        let mut reg = 0;
        while reg < 8 {
            groups[group][reg as usize] = Group::ALL[group].compute(reg);
            reg += 1;
        }
        group += 1;
    }
    groups
};
