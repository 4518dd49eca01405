//! 4-level paging of x86-64: Intel SDM vol. 3, "4-Level Paging and 5-Level Paging" (4.5); AMD64 APM
//! vol. 2, "Long-Mode Page Translation" (5.3).
//!
//! One format for a guest's tables, for their shadow, for AMD's nested tables, and for the hypervisor's
//! own map.

use bitflags::bitflags;

use crate::addr::{Addr, Frame, GuestPhys, GuestVirt, INDEX_BITS, Level, PAGE_SIZE, Space};
use crate::attrs::{Access, Attrs, Kind, Memory, Rights};
use crate::entry::Entry;
use crate::fault::GuestFault;
use crate::format::{Format, GuestFormat, Start};

bitflags! {
    /// Bits of an entry ("Formats of CR3 and Paging-Structure Entries with 4-Level Paging").
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Bits: u64 {
        /// P: the walker may use the entry.
        const PRESENT = 1 << 0;
        /// R/W: it may be written, here and below.
        const WRITABLE = 1 << 1;
        /// U/S: user mode may access it, here and below.
        const USER = 1 << 2;
        /// PWT: bit 0 of the number of a memory type in the PAT.
        const WRITE_THROUGH = 1 << 3;
        /// PCD: bit 1 of that number.
        const CACHE_DISABLE = 1 << 4;
        /// A: it was used.
        const ACCESSED = 1 << 5;
        /// D: a leaf was written through.
        const DIRTY = 1 << 6;
        /// PS: a leaf above the last level.
        const LARGE = 1 << 7;
        /// PAT: bit 2 of the memory type's number, in a leaf of the last level.
        const PAT_PAGE = 1 << 7;
        /// G: the translation belongs to every PCID.
        const GLOBAL = 1 << 8;
        /// PAT in a large leaf.
        const PAT_LARGE = 1 << 12;
        /// XD, NX: it is not executed, here and below.
        const EXECUTE_DISABLE = 1 << 63;
    }
}

/// Bits 51:12 of an entry: the physical address.
pub const ADDRESS: u64 = ((1 << 52) - 1) & !(PAGE_SIZE - 1);
/// Bits of a linear address that are translated; the rest repeat the highest of them.
pub const LINEAR_BITS: u32 = Level::TOP.shift() + INDEX_BITS;

/// The format.
#[derive(Debug)]
pub enum X64 {}

/// The page-directory-pointer-table entry of PAE paging for the table entry `raw` of this format: PAE's
/// has no rights and no accessed flag, and reserves their bits ("PAE Paging", 4.4).
#[must_use]
pub const fn pae_pointer(raw: u64) -> u64 {
    raw & (ADDRESS | Bits::PRESENT.bits())
}

impl Format for X64 {
    /// A present entry may change in any way ("Optional Invalidation" and "Required Invalidation", 4.10.4).
    const BREAK_BEFORE_MAKE: bool = false;

    #[inline]
    fn decode<O: Space>(level: Level, raw: u64) -> Entry<O> {
        let to = Addr::from_bits(raw & ADDRESS);
        let bits = Bits::from_bits_retain(raw);
        match level {
            _ if !bits.contains(Bits::PRESENT) => Entry::Hole,
            Level::PAGE => Entry::Leaf(to.frame()),
            Level::BLOCK_2M | Level::BLOCK_1G if bits.contains(Bits::LARGE) => {
                Entry::Leaf(to.align_down(level).frame())
            }
            _ => Entry::Table(to.frame()),
        }
    }

    /// The walks of nested tables are accesses of user mode ("Nested Page Tables", APM 15.25).
    fn leaf<O: Space>(level: Level, to: Frame<O>, attrs: Attrs) -> u64 {
        let mut bits = Bits::PRESENT | Bits::USER | Bits::ACCESSED | Bits::DIRTY;
        bits.set(Bits::LARGE, level != Level::PAGE);
        bits.set(Bits::WRITABLE, attrs.write);
        bits.set(Bits::EXECUTE_DISABLE, !attrs.execute);
        bits.set(Bits::WRITE_THROUGH | Bits::CACHE_DISABLE, attrs.memory == Memory::Device);
        to.start().bits() & ADDRESS | bits.bits()
    }

    fn attrs(_level: Level, raw: u64) -> Attrs {
        let bits = Bits::from_bits_retain(raw);
        let device = bits.contains(Bits::CACHE_DISABLE);
        Attrs {
            write: bits.contains(Bits::WRITABLE),
            execute: !bits.contains(Bits::EXECUTE_DISABLE),
            memory: if device { Memory::Device } else { Memory::Normal },
        }
    }

    fn table<O: Space>(to: Frame<O>) -> u64 {
        let bits = Bits::PRESENT | Bits::WRITABLE | Bits::USER | Bits::ACCESSED;
        to.start().bits() & ADDRESS | bits.bits()
    }

    #[inline]
    fn is_live(raw: u64) -> bool {
        raw & Bits::PRESENT.bits() != 0
    }

    #[inline]
    fn may_replace_live(_old: u64, _new: u64) -> bool {
        true
    }
}

/// What CR0, CR4, EFER and CPUID say about 4-level paging.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Regime {
    /// Bits of a physical address: CPUID's MAXPHYADDR, below 52.
    pub output_bits: u32,
    /// EFER.NXE: bit 63 forbids execution. Clear, it is reserved.
    pub execute_disable: bool,
    /// CPUID's Page1GB: there are leaves of 1 GiB.
    pub gigabytes: bool,
    /// CR0.WP: supervisor software keeps to R/W too.
    pub write_protect: bool,
    /// CR4.SMEP: supervisor software does not execute what user mode can reach.
    pub supervisor_execute_protect: bool,
}

/// The limits that entries take away by being clear.
const TAKEN_BY_CLEAR: Bits = Bits::WRITABLE.union(Bits::USER);

impl Regime {
    /// The bits of `raw`, a present entry of a table of `level`, that have to be clear.
    #[inline]
    const fn reserved(&self, level: Level, raw: u64) -> u64 {
        let mut reserved = ADDRESS >> self.output_bits << self.output_bits;
        if !self.execute_disable {
            reserved |= Bits::EXECUTE_DISABLE.bits();
        }
        if raw & Bits::LARGE.bits() == 0 {
            return reserved;
        }
        reserved
            | match level {
                Level::PAGE => 0,
                Level::BLOCK_1G if !self.gigabytes => Bits::LARGE.bits(),
                Level::BLOCK_2M | Level::BLOCK_1G => {
                    ADDRESS & (level.size() - 1) & !Bits::PAT_LARGE.bits()
                }
                _ => Bits::LARGE.bits(),
            }
    }
}

impl GuestFormat for X64 {
    type Regime = Regime;
    const ROOTS: usize = 1;
    const KEEPS_FLAGS: bool = true;

    #[inline]
    fn start(regime: &Regime, at: Addr<GuestVirt>) -> Option<Start> {
        if Self::canonical(at.bits()) == at { Self::root(regime, 0) } else { None }
    }

    #[inline]
    fn root(_regime: &Regime, half: usize) -> Option<Start> {
        (half == 0).then_some(Start { half, level: Level::TOP, entries: 1 << INDEX_BITS })
    }

    fn base(_regime: &Regime, _half: usize) -> Addr<GuestVirt> {
        Addr::from_bits(0)
    }

    #[inline]
    fn canonical(bits: u64) -> Addr<GuestVirt> {
        let unused = u64::BITS - LINEAR_BITS;
        Addr::from_bits(((bits << unused) as i64 >> unused) as u64)
    }

    #[inline]
    fn output_bits(regime: &Regime) -> u32 {
        regime.output_bits
    }

    /// What CR0.WP and CR4.SMEP say stands in no entry.
    fn same_tables(old: &Regime, new: &Regime) -> bool {
        let tables = |regime: &Regime| Regime {
            write_protect: true,
            supervisor_execute_protect: true,
            ..*regime
        };
        tables(old) == tables(new)
    }

    /// CR0.WP is set while shadows are in use, or stores of supervisor software would reach the guest's
    /// tables unseen.
    #[inline]
    fn enforced(regime: &Regime) -> Regime {
        Regime { write_protect: true, ..*regime }
    }

    #[inline]
    fn refusal(
        regime: &Regime,
        level: Level,
        raw: u64,
        _to: Frame<GuestPhys>,
    ) -> Option<GuestFault> {
        (raw & regime.reserved(level, raw) != 0).then_some(GuestFault::Reserved(level))
    }

    /// Where nothing answers all bits are read as ones, some of which are reserved.
    fn nowhere(level: Level) -> GuestFault {
        GuestFault::Reserved(level)
    }

    /// "Accessed and Dirty Flags" (4.8).
    #[inline]
    fn marked(level: Level, raw: u64, kind: Kind) -> u64 {
        let leaf = level == Level::PAGE || raw & Bits::LARGE.bits() != 0;
        let dirty = if leaf && kind == Kind::Write { Bits::DIRTY } else { Bits::empty() };
        raw | (Bits::ACCESSED | dirty).bits()
    }

    #[inline]
    fn has_plain_pages(regime: &Regime) -> bool {
        regime.execute_disable
    }

    #[inline(always)]
    fn is_plain_page(raw: u64) -> bool {
        let plain = Bits::PRESENT.union(Bits::ACCESSED).bits();
        raw & plain == plain
    }

    #[inline(always)]
    fn plain_frame(raw: u64) -> Frame<GuestPhys> {
        Addr::from_bits(raw & ADDRESS).frame()
    }

    #[inline]
    fn accessed(raw: u64) -> bool {
        raw & Bits::ACCESSED.bits() != 0
    }

    /// "Determination of Access Rights" (4.6.1). SMAP is a matter of the access.
    #[inline]
    fn rights(regime: &Regime, raw: u64, limits: u64) -> Rights {
        let taken = Bits::from_bits_retain(Self::limit(regime, limits, 0, raw));
        let user = !taken.contains(Bits::USER);
        let write = !taken.contains(Bits::WRITABLE);
        let execute = !taken.contains(Bits::EXECUTE_DISABLE);
        let mut rights = Rights::KERNEL_READ;
        rights.set(Rights::KERNEL_WRITE, write || !regime.write_protect);
        rights.set(Rights::KERNEL_EXECUTE, execute && !(user && regime.supervisor_execute_protect));
        rights.set(Rights::USER_READ, user);
        rights.set(Rights::USER_WRITE, user && write);
        rights.set(Rights::USER_EXECUTE, user && execute);
        rights
    }

    /// The same as of [`rights`](Self::rights), in fewer steps: a page fault takes them.
    #[inline(always)]
    fn allows(regime: &Regime, raw: u64, limits: u64, access: Access) -> bool {
        let taken = Bits::from_bits_retain(Self::limit(regime, limits, 0, raw));
        let user = !taken.contains(Bits::USER);
        if access.user && !user {
            return false;
        }
        match access.kind {
            Kind::Execute => {
                let protected = user && !access.user && regime.supervisor_execute_protect;
                !taken.contains(Bits::EXECUTE_DISABLE) && !protected
            }
            kind => {
                let fenced = user && !access.user && access.guarded;
                let checked = access.user || regime.write_protect;
                let writes = kind == Kind::Write && checked && taken.contains(Bits::WRITABLE);
                !fenced && !writes
            }
        }
    }

    /// Limits are the rights that are gone: R/W and U/S of a clear bit, XD of a set one.
    #[inline]
    fn limit(_regime: &Regime, limits: u64, _half: usize, raw: u64) -> u64 {
        let taken = TAKEN_BY_CLEAR.union(Bits::EXECUTE_DISABLE).bits();
        limits | (raw ^ TAKEN_BY_CLEAR.bits()) & taken
    }
}
