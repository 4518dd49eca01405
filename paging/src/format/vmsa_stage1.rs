//! VMSAv8-64 stage 1, 4 KiB granule, 48-bit addresses: Arm DDI 0487, "VMSAv8-64 translation table
//! descriptor formats" (D8.3).
//!
//! One format for the EL1&0 regime of a guest, for its shadow, and for the hypervisor's own EL2 map.

use bitflags::bitflags;

pub mod control;

use crate::addr::{Addr, Frame, GuestPhys, GuestVirt, Level, PAGE_SIZE, Space};
use crate::attrs::{Attrs, Memory, Rights};
use crate::entry::Entry;
use crate::fault::GuestFault;
use crate::format::{Format, GuestFormat, Start};

bitflags! {
    /// Bits of a stage 1 descriptor ("Stage 1 descriptor formats").
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Bits: u64 {
        /// The walker may use the descriptor.
        const VALID = 1 << 0;
        /// A table, or at the last level a page; clear: a block.
        const TABLE_OR_PAGE = 1 << 1;
        /// AttrIndx: which field of MAIR describes the memory.
        const ATTR_INDEX = 0b111 << 2;
        /// NS, without meaning in the non-secure state.
        const NON_SECURE = 1 << 5;
        /// AP[1]: EL0 may access; RES1 at EL2.
        const AP_USER = 1 << 6;
        /// AP[2]: nobody may write.
        const AP_READ_ONLY = 1 << 7;
        /// SH: shareability.
        const SHAREABILITY = 0b11 << 8;
        /// SH: inner shareable.
        const INNER_SHAREABLE = 0b11 << 8;
        /// AF: the access flag.
        const ACCESSED = 1 << 10;
        /// nG: the translation belongs to one ASID.
        const NOT_GLOBAL = 1 << 11;
        /// GP: a guarded page, for branch target identification.
        const GUARDED = 1 << 50;
        /// DBM: hardware may make the leaf writable.
        const DIRTY_MODIFIER = 1 << 51;
        /// Contiguous: sixteen entries may share one TLB entry.
        const CONTIGUOUS = 1 << 52;
        /// PXN: EL1 does not execute.
        const PRIVILEGED_EXECUTE_NEVER = 1 << 53;
        /// UXN: EL0 does not execute. XN at EL2.
        const EXECUTE_NEVER = 1 << 54;
        /// PXNTable.
        const TABLE_PRIVILEGED_EXECUTE_NEVER = 1 << 59;
        /// UXNTable.
        const TABLE_EXECUTE_NEVER = 1 << 60;
        /// APTable[0]: no access from EL0 below this entry.
        const TABLE_NO_USER = 1 << 61;
        /// APTable[1]: no write below this entry.
        const TABLE_READ_ONLY = 1 << 62;
    }
}

/// Bits 47:12 of a descriptor: the output address.
pub const ADDRESS: u64 = ((1 << 48) - 1) & !(PAGE_SIZE - 1);

impl Bits {
    /// All that a leaf says beside its address, its form and hints to hardware.
    pub const LEAF: Self = Self::VALID
        .union(Self::TABLE_OR_PAGE)
        .union(Self::ATTR_INDEX)
        .union(Self::NON_SECURE)
        .union(Self::AP_USER)
        .union(Self::AP_READ_ONLY)
        .union(Self::SHAREABILITY)
        .union(Self::ACCESSED)
        .union(Self::NOT_GLOBAL)
        .union(Self::GUARDED)
        .union(Self::PRIVILEGED_EXECUTE_NEVER)
        .union(Self::EXECUTE_NEVER);

    /// All that a table entry says beside its address.
    pub const TABLE_LIMITS: Self = Self::TABLE_PRIVILEGED_EXECUTE_NEVER
        .union(Self::TABLE_EXECUTE_NEVER)
        .union(Self::TABLE_NO_USER)
        .union(Self::TABLE_READ_ONLY);

    /// The form of a table entry, and of a page at the last level.
    pub const TABLE: Self = Self::VALID.union(Self::TABLE_OR_PAGE);
}

/// The MAIR field that the hypervisor's own maps use for normal memory.
pub const ATTR_NORMAL: u64 = 0;
/// The MAIR field that the hypervisor's own maps use for devices.
pub const ATTR_DEVICE: u64 = 1;
/// Where AttrIndx begins.
const ATTR_INDEX_SHIFT: u32 = 2;

/// The format.
#[derive(Debug)]
pub enum Stage1 {}

impl Format for Stage1 {
    const BREAK_BEFORE_MAKE: bool = true;

    #[inline]
    fn decode<O: Space>(level: Level, raw: u64) -> Entry<O> {
        let frame = Addr::from_bits(raw & ADDRESS).frame();
        match (raw & Bits::TABLE.bits(), level) {
            (form, Level::PAGE) if form == Bits::TABLE.bits() => Entry::Leaf(frame),
            (form, level) if form == Bits::TABLE.bits() && level != Level::PAGE => {
                Entry::Table(frame)
            }
            (form, Level::BLOCK_2M | Level::BLOCK_1G) if form == Bits::VALID.bits() => {
                Entry::Leaf(Addr::from_bits(raw & ADDRESS).align_down(level).frame())
            }
            _ => Entry::Hole,
        }
    }

    fn leaf<O: Space>(level: Level, to: Frame<O>, attrs: Attrs) -> u64 {
        let form = if level == Level::PAGE { Bits::TABLE } else { Bits::VALID };
        // EL2 has one privilege level: AP[1] is RES1 and PXN RES0 there.
        let mut bits = form | Bits::ACCESSED | Bits::AP_USER;
        bits.set(Bits::AP_READ_ONLY, !attrs.write);
        bits.set(Bits::EXECUTE_NEVER, !attrs.execute);
        let index = match attrs.memory {
            Memory::Normal => {
                bits |= Bits::INNER_SHAREABLE;
                ATTR_NORMAL
            }
            Memory::Device => ATTR_DEVICE,
        };
        to.start().bits() & ADDRESS | bits.bits() | index << ATTR_INDEX_SHIFT
    }

    fn attrs(_level: Level, raw: u64) -> Attrs {
        let bits = Bits::from_bits_retain(raw);
        let device = (bits & Bits::ATTR_INDEX).bits() >> ATTR_INDEX_SHIFT == ATTR_DEVICE;
        Attrs {
            write: !bits.contains(Bits::AP_READ_ONLY),
            execute: !bits.contains(Bits::EXECUTE_NEVER),
            memory: if device { Memory::Device } else { Memory::Normal },
        }
    }

    fn table<O: Space>(to: Frame<O>) -> u64 {
        to.start().bits() & ADDRESS | Bits::TABLE.bits()
    }

    #[inline]
    fn is_live(raw: u64) -> bool {
        raw & Bits::VALID.bits() != 0
    }

    /// "Using break-before-make when updating translation table entries" (D8.17.1): a change of
    /// permissions alone needs no break.
    #[inline]
    fn may_replace_live(old: u64, new: u64) -> bool {
        let permissions = Bits::AP_USER
            | Bits::AP_READ_ONLY
            | Bits::PRIVILEGED_EXECUTE_NEVER
            | Bits::EXECUTE_NEVER
            | Bits::ACCESSED
            | Bits::GUARDED
            | Bits::TABLE_LIMITS;
        (old ^ new) & !permissions.bits() == 0
    }
}

/// One root of the EL1&0 regime, as TCR_EL1 describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HalfRegime {
    /// Bits of an address that are translated: 64 - TnSZ, 25 to 48.
    pub input_bits: u32,
    /// EPDn: walks are disabled.
    pub disabled: bool,
    /// HPDn: limits of table entries are ignored.
    pub flat: bool,
    /// TBIn: the top byte of an address is ignored.
    pub top_byte_ignored: bool,
}

/// What TCR_EL1, SCTLR_EL1 and the ID registers say about the EL1&0 regime.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Regime {
    /// The lower half (TTBR0_EL1) and the upper one (TTBR1_EL1).
    pub halves: [HalfRegime; 2],
    /// Bits of an output address: the lesser of IPS and what the guest's ID registers claim.
    pub output_bits: u32,
    /// SCTLR_EL1.WXN: what may be written is not executed.
    pub write_execute_never: bool,
}

/// The address bit that chooses the half ("VA range selection", bit 55).
const HALF_SELECT: u32 = 55;
/// The lowest bit of the byte that TBI ignores.
const TAG_SHIFT: u32 = 56;

impl HalfRegime {
    const fn start(&self, half: usize) -> Start {
        let level = match self.input_bits {
            ..=30 => Level::BLOCK_2M,
            31..=39 => Level::BLOCK_1G,
            _ => Level::TOP,
        };
        Start { half, level, entries: 1 << (self.input_bits - level.shift()) }
    }
}

impl GuestFormat for Stage1 {
    type Regime = Regime;
    const ROOTS: usize = 2;
    const KEEPS_FLAGS: bool = false;

    fn start(regime: &Regime, at: Addr<GuestVirt>) -> Option<Start> {
        let half = (at.bits() >> HALF_SELECT & 1) as usize;
        let start = Self::root(regime, half)?;
        let described = regime.halves.get(half)?;
        let top = if described.top_byte_ignored { TAG_SHIFT } else { u64::BITS };
        let unused = (at.bits() << (u64::BITS - top)) as i64 >> (u64::BITS - top);
        let sign = unused >> described.input_bits;
        (sign == if half == 0 { 0 } else { -1 }).then_some(start)
    }

    fn root(regime: &Regime, half: usize) -> Option<Start> {
        let described = regime.halves.get(half)?;
        (!described.disabled).then(|| described.start(half))
    }

    fn base(regime: &Regime, half: usize) -> Addr<GuestVirt> {
        match (half, regime.halves.get(half)) {
            (1, Some(described)) => Addr::from_bits(u64::MAX << described.input_bits),
            _ => Addr::from_bits(0),
        }
    }

    #[inline(always)]
    fn output_bits(regime: &Regime) -> u32 {
        regime.output_bits
    }

    #[inline(always)]
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

    #[inline(always)]
    fn is_plain_page(raw: u64) -> bool {
        let plain = Bits::TABLE.union(Bits::ACCESSED).bits();
        raw & plain == plain
    }

    #[inline(always)]
    fn plain_frame(raw: u64) -> Frame<GuestPhys> {
        Addr::from_bits(raw & ADDRESS).frame()
    }

    fn accessed(raw: u64) -> bool {
        Bits::from_bits_retain(raw).contains(Bits::ACCESSED)
    }

    /// "Stage 1 data accesses" and "Stage 1 instruction execution" permissions (D8.4).
    fn rights(regime: &Regime, raw: u64, limits: u64) -> Rights {
        let leaf = Bits::from_bits_retain(raw);
        let above = Bits::from_bits_retain(limits);
        let user = leaf.contains(Bits::AP_USER) && !above.contains(Bits::TABLE_NO_USER);
        let write = !leaf.contains(Bits::AP_READ_ONLY) && !above.contains(Bits::TABLE_READ_ONLY);
        let user_never =
            leaf.contains(Bits::EXECUTE_NEVER) || above.contains(Bits::TABLE_EXECUTE_NEVER);
        let kernel_never = leaf.contains(Bits::PRIVILEGED_EXECUTE_NEVER)
            || above.contains(Bits::TABLE_PRIVILEGED_EXECUTE_NEVER)
            || (user && write);
        let wxn = regime.write_execute_never && write;

        let mut rights = Rights::KERNEL_READ;
        rights.set(Rights::KERNEL_WRITE, write);
        rights.set(Rights::KERNEL_EXECUTE, !kernel_never && !wxn);
        rights.set(Rights::USER_READ, user);
        rights.set(Rights::USER_WRITE, user && write);
        rights.set(Rights::USER_EXECUTE, !(user_never || wxn && user));
        rights
    }

    fn limit(regime: &Regime, limits: u64, half: usize, raw: u64) -> u64 {
        match regime.halves.get(half) {
            Some(described) if described.flat => limits,
            _ => limits | raw & Bits::TABLE_LIMITS.bits(),
        }
    }
}
