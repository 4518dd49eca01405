//! Extended page tables of VT-x: Intel SDM vol. 3, "The Extended Page-Table Mechanism (EPT)" (29.3).

use bitflags::bitflags;

use crate::addr::{Addr, Frame, Level, Space};
use crate::attrs::{Attrs, Memory};
use crate::entry::Entry;
use crate::format::Format;
use crate::format::x64::ADDRESS;

bitflags! {
    /// Bits of an entry ("EPT Translation Mechanism", 29.3.2).
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Bits: u64 {
        /// May be read, here and below.
        const READ = 1 << 0;
        /// May be written, here and below.
        const WRITE = 1 << 1;
        /// May be executed, here and below.
        const EXECUTE = 1 << 2;
        /// The memory type of a leaf: write-back. Uncacheable is 0.
        const WRITE_BACK = 6 << 3;
        /// A leaf above the last level.
        const LARGE = 1 << 7;
    }
}

impl Bits {
    /// An entry with any of them is present.
    const PRESENT: Self = Self::READ.union(Self::WRITE).union(Self::EXECUTE);
}

/// The format.
#[derive(Debug)]
pub enum Ept {}

impl Format for Ept {
    const BREAK_BEFORE_MAKE: bool = false;

    fn decode<O: Space>(level: Level, raw: u64) -> Entry<O> {
        let bits = Bits::from_bits_retain(raw);
        let to = Addr::from_bits(raw & ADDRESS);
        match level {
            _ if !bits.intersects(Bits::PRESENT) => Entry::Hole,
            Level::PAGE => Entry::Leaf(to.frame()),
            Level::BLOCK_2M | Level::BLOCK_1G if bits.contains(Bits::LARGE) => {
                Entry::Leaf(to.align_down(level).frame())
            }
            _ => Entry::Table(to.frame()),
        }
    }

    fn leaf<O: Space>(level: Level, to: Frame<O>, attrs: Attrs) -> u64 {
        let mut bits = Bits::READ;
        bits.set(Bits::LARGE, level != Level::PAGE);
        bits.set(Bits::WRITE, attrs.write);
        bits.set(Bits::EXECUTE, attrs.execute);
        bits.set(Bits::WRITE_BACK, attrs.memory == Memory::Normal);
        to.start().bits() & ADDRESS | bits.bits()
    }

    fn attrs(_level: Level, raw: u64) -> Attrs {
        let bits = Bits::from_bits_retain(raw);
        let normal = bits.contains(Bits::WRITE_BACK);
        Attrs {
            write: bits.contains(Bits::WRITE),
            execute: bits.contains(Bits::EXECUTE),
            memory: if normal { Memory::Normal } else { Memory::Device },
        }
    }

    fn table<O: Space>(to: Frame<O>) -> u64 {
        to.start().bits() & ADDRESS | Bits::PRESENT.bits()
    }

    fn is_live(raw: u64) -> bool {
        raw & Bits::PRESENT.bits() != 0
    }

    fn may_replace_live(_old: u64, _new: u64) -> bool {
        true
    }
}
