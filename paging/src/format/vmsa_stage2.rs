//! VMSAv8-64 stage 2, 4 KiB granule: Arm DDI 0487, "VMSAv8-64 translation table descriptor formats"
//! (D8.3).

use bitflags::bitflags;

use crate::addr::{Addr, Frame, Level, Space};
use crate::attrs::{Attrs, Memory};
use crate::entry::Entry;
use crate::format::Format;
use crate::format::vmsa_stage1::ADDRESS;

bitflags! {
    /// Bits of a stage 2 descriptor ("Stage 2 descriptor formats").
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Bits: u64 {
        /// The walker may use the descriptor.
        const VALID = 1 << 0;
        /// A table, or at the last level a page; clear: a block.
        const TABLE_OR_PAGE = 1 << 1;
        /// MemAttr: normal memory, outer and inner write-back.
        const NORMAL_WRITE_BACK = 0b1111 << 2;
        /// MemAttr: device memory, nGnRE.
        const DEVICE = 0b0001 << 2;
        /// S2AP[0]: may be read.
        const READ = 1 << 6;
        /// S2AP[1]: may be written.
        const WRITE = 1 << 7;
        /// SH: inner shareable.
        const INNER_SHAREABLE = 0b11 << 8;
        /// AF: the access flag.
        const ACCESSED = 1 << 10;
        /// XN[1]: not executed at EL0 and EL1.
        const EXECUTE_NEVER = 1 << 54;
    }
}

/// The format.
#[derive(Debug)]
pub enum Stage2 {}

impl Format for Stage2 {
    const BREAK_BEFORE_MAKE: bool = true;

    fn decode<O: Space>(level: Level, raw: u64) -> Entry<O> {
        let bits = Bits::from_bits_retain(raw);
        let to = Addr::from_bits(raw & ADDRESS);
        let long = bits.contains(Bits::TABLE_OR_PAGE);
        if !bits.contains(Bits::VALID) {
            return Entry::Hole;
        }
        match (level, long) {
            (Level::PAGE, true) => Entry::Leaf(to.frame()),
            (Level::PAGE, false) | (Level::TOP, false) => Entry::Hole,
            (_, true) => Entry::Table(to.frame()),
            (_, false) => Entry::Leaf(to.align_down(level).frame()),
        }
    }

    fn leaf<O: Space>(level: Level, to: Frame<O>, attrs: Attrs) -> u64 {
        let mut bits = Bits::VALID | Bits::READ | Bits::ACCESSED;
        bits.set(Bits::TABLE_OR_PAGE, level == Level::PAGE);
        bits.set(Bits::WRITE, attrs.write);
        bits.set(Bits::EXECUTE_NEVER, !attrs.execute);
        bits |= match attrs.memory {
            Memory::Normal => Bits::NORMAL_WRITE_BACK | Bits::INNER_SHAREABLE,
            Memory::Device => Bits::DEVICE,
        };
        to.start().bits() & ADDRESS | bits.bits()
    }

    fn attrs(_level: Level, raw: u64) -> Attrs {
        let bits = Bits::from_bits_retain(raw);
        Attrs {
            write: bits.contains(Bits::WRITE),
            execute: !bits.contains(Bits::EXECUTE_NEVER),
            memory: if bits.contains(Bits::NORMAL_WRITE_BACK) {
                Memory::Normal
            } else {
                Memory::Device
            },
        }
    }

    fn table<O: Space>(to: Frame<O>) -> u64 {
        to.start().bits() & ADDRESS | (Bits::VALID | Bits::TABLE_OR_PAGE).bits()
    }

    fn is_live(raw: u64) -> bool {
        raw & Bits::VALID.bits() != 0
    }

    fn may_replace_live(old: u64, new: u64) -> bool {
        let permissions = Bits::READ | Bits::WRITE | Bits::EXECUTE_NEVER | Bits::ACCESSED;
        (old ^ new) & !permissions.bits() == 0
    }
}
