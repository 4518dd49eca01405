//! VMSAv8-64 stage 2, 4 KiB granule: Arm DDI 0487, "VMSAv8-64 translation table descriptor formats"
//! (D8.3).

use bitflags::bitflags;

use crate::addr::{Addr, ENTRIES, Frame, GuestPhys, GuestVirt, Level, Space};
use crate::attrs::{Attrs, Memory, Rights};
use crate::entry::Entry;
use crate::fault::GuestFault;
use crate::format::vmsa_stage1::ADDRESS;
use crate::format::vmsa_stage1::control::{output_bits, root_address};
use crate::format::{Format, GuestFormat, Start};
use crate::mem::ENTRY_SHIFT;

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

/// What VTCR_EL2 says of tables that somebody else made. What they translate is a guest-virtual address here,
/// and what they give a guest-physical one: whoever walks them knows what the two are to him.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Regime {
    /// Bits of an address that are translated: 64 - T0SZ.
    pub input_bits: u32,
    /// The level of the root: SL0.
    pub top: Level,
    /// Bits of an output address: PS.
    pub output_bits: u32,
}

impl Regime {
    /// The fields of VTCR_EL2 ("VTCR_EL2, Virtualization Translation Control Register").
    const SIZE: u64 = 0x3f;
    const START_SHIFT: u32 = 6;
    const GRANULE: u64 = 0b11 << 14;
    const OUTPUT_SHIFT: u32 = 16;
    /// DS and SL2: 52-bit addresses.
    const LARGE_ADDRESS: u64 = 0b11 << 32;

    /// What the register says, unless its granule is not 4 KiB or its root not one table of at most 512
    /// entries.
    #[must_use]
    pub fn of(vtcr: u64) -> Option<Self> {
        let input_bits = u64::BITS - (vtcr & Self::SIZE) as u32;
        let top = match vtcr >> Self::START_SHIFT & 0b11 {
            0 => Level::BLOCK_2M,
            1 => Level::BLOCK_1G,
            2 => Level::TOP,
            _ => return None,
        };
        let output_bits = output_bits(vtcr >> Self::OUTPUT_SHIFT);
        let entries = 1_u64.checked_shl(input_bits.checked_sub(top.shift())?)?;
        let small = vtcr & (Self::GRANULE | Self::LARGE_ADDRESS) == 0;
        let walked = small && entries <= ENTRIES as u64;
        walked.then_some(Self { input_bits, top, output_bits })
    }

    /// The host-physical address of the root in VTTBR_EL2: aligned to its size, at least 64 bytes.
    #[must_use]
    pub const fn root(&self, vttbr: u64) -> u64 {
        let size = 1_u64 << (self.input_bits - self.top.shift() + ENTRY_SHIFT);
        root_address(vttbr, size)
    }
}

impl GuestFormat for Stage2 {
    type Regime = Regime;
    const ROOTS: usize = 1;
    const KEEPS_FLAGS: bool = false;

    fn start(regime: &Regime, at: Addr<GuestVirt>) -> Option<Start> {
        if at.bits() >> regime.input_bits == 0 { Self::root(regime, 0) } else { None }
    }

    fn root(regime: &Regime, half: usize) -> Option<Start> {
        let entries = 1 << (regime.input_bits - regime.top.shift());
        (half == 0).then_some(Start { half, level: regime.top, entries })
    }

    fn base(_regime: &Regime, _half: usize) -> Addr<GuestVirt> {
        Addr::from_bits(0)
    }

    fn output_bits(regime: &Regime) -> u32 {
        regime.output_bits
    }

    fn refusal(
        regime: &Regime,
        level: Level,
        _raw: u64,
        to: Frame<GuestPhys>,
    ) -> Option<GuestFault> {
        (to.start().bits() >> regime.output_bits != 0).then_some(GuestFault::AddressSize(level))
    }

    fn nowhere(level: Level) -> GuestFault {
        GuestFault::WalkAbort(level)
    }

    fn is_plain_page(raw: u64) -> bool {
        let plain = Bits::VALID | Bits::TABLE_OR_PAGE | Bits::ACCESSED;
        Bits::from_bits_retain(raw).contains(plain)
    }

    fn plain_frame(raw: u64) -> Frame<GuestPhys> {
        Addr::from_bits(raw & ADDRESS).frame()
    }

    fn accessed(raw: u64) -> bool {
        Bits::from_bits_retain(raw).contains(Bits::ACCESSED)
    }

    /// "Stage 2 data accesses" and "Stage 2 instruction execution" permissions (D8.4): the same for both
    /// privileges without FEAT_XNX.
    fn rights(_regime: &Regime, raw: u64, _limits: u64) -> Rights {
        let leaf = Bits::from_bits_retain(raw);
        let mut rights = Rights::empty();
        rights.set(Rights::KERNEL_READ | Rights::USER_READ, leaf.contains(Bits::READ));
        rights.set(Rights::KERNEL_WRITE | Rights::USER_WRITE, leaf.contains(Bits::WRITE));
        let execute = leaf.contains(Bits::READ) && !leaf.contains(Bits::EXECUTE_NEVER);
        rights.set(Rights::KERNEL_EXECUTE | Rights::USER_EXECUTE, execute);
        rights
    }

    /// No table entry takes a right away.
    fn limit(_regime: &Regime, limits: u64, _half: usize, _raw: u64) -> u64 {
        limits
    }
}
