//! How a shadow of x86-64's tables is spelled: by reserved bits and by R/W.
//!
//! | what the engine means | how it is spelled | what happens |
//! | --- | --- | --- |
//! | absent | 0 | the guest faults: natively on VT-x, whose filter lets faults with P = 0 pass |
//! | unknown, refused, accessed flag clear | present, with a reserved bit | a fault with P = 1 exits |
//! | a device or nothing | the same, with the guest's frame and rights | the same |
//! | RAM | a leaf with the guest's rights | nothing |
//! | RAM that the guest has not written by this entry (D = 0) | without R/W | a write exits |
//! | RAM that is a guest table | without R/W | a store exits |
//! | table | a table with the guest's rights | nothing |
//!
//! The reserved bit is bit 51, which is beyond the physical addresses of every processor that we run on.
//! Nothing of an entry with it is ever in a TLB or a paging-structure cache (Intel SDM vol. 3, "Caching
//! Translation Information", 4.10), so making it known needs no flush. Nor does giving R/W to a leaf:
//! whoever still remembers it without takes a fault, and that forgets the address ("Operations that
//! Invalidate TLBs and Paging-Structure Caches", 4.10.4.1).
//!
//! CR0.WP is set while a shadow is in use. Accessed flags are always set in shadows, and dirty ones in
//! their leaves, so the hardware writes nothing into them. No leaf is global.

use crate::addr::{Addr, Frame, GuestPhys, HostPhys, Level};
use crate::entry::{Entry, Shadowed};
use crate::format::x64::{ADDRESS, Bits, X64};
use crate::format::{Format, ShadowFormat};

/// A bit of the address that the hardware finds reserved.
pub const RESERVED: u64 = 1 << (OUTPUT_BITS);
/// Bits of a physical address that a processor may have at most: MAXPHYADDR.
pub const OUTPUT_BITS: u32 = 51;
/// Software's: the guest's tables let the leaf be written, and its dirty flag is set.
const MAY_WRITE: u64 = 1 << 9;
/// Software's: stores through the leaf exit.
const PROTECTED: u64 = 1 << 10;
/// Software's: a reserved entry that stands for a device.
const DEVICE: u64 = 1 << 11;
/// What is no entry of the hardware's.
const UNKNOWN: u64 = Bits::PRESENT.bits() | RESERVED;

/// What is copied from the guest's leaf, whatever its level.
const LEAF: Bits = Bits::PRESENT
    .union(Bits::USER)
    .union(Bits::WRITE_THROUGH)
    .union(Bits::CACHE_DISABLE)
    .union(Bits::LARGE)
    .union(Bits::EXECUTE_DISABLE);
/// What is copied from the guest's table entry.
const TABLE: Bits =
    Bits::PRESENT.union(Bits::WRITABLE).union(Bits::USER).union(Bits::EXECUTE_DISABLE);
/// What the entry of a device keeps of the guest's leaf, for it to change when an access comes to
/// something else.
const ALLOWED: u64 =
    Bits::WRITABLE.union(Bits::USER).union(Bits::DIRTY).union(Bits::EXECUTE_DISABLE).bits();
/// What every shadow leaf has.
const USED: u64 = Bits::ACCESSED.union(Bits::DIRTY).bits();
/// What decides whether a shadow leaf is writable.
const WRITTEN: u64 = Bits::WRITABLE.union(Bits::DIRTY).bits();
/// From D to R/W.
const DIRTY_TO_WRITABLE: u32 = 5;
/// From R/W to [`MAY_WRITE`].
const WRITABLE_TO_MAY_WRITE: u32 = 8;

const _: () = assert!(Bits::DIRTY.bits() >> DIRTY_TO_WRITABLE == Bits::WRITABLE.bits());
const _: () = assert!(Bits::WRITABLE.bits() << WRITABLE_TO_MAY_WRITE == MAY_WRITE);

/// R/W as the hardware gets it for the guest leaf `raw`, with the note of it: only if D is set.
#[inline(always)]
const fn writable(raw: u64) -> u64 {
    let write = raw & raw >> DIRTY_TO_WRITABLE & Bits::WRITABLE.bits();
    write | write << WRITABLE_TO_MAY_WRITE
}

/// Where the PAT bit of a leaf of `level` stands.
const fn pat(level: Level) -> Bits {
    match level {
        Level::PAGE => Bits::PAT_PAGE,
        _ => Bits::PAT_LARGE,
    }
}

impl ShadowFormat<Self> for X64 {
    const ABSENT: u64 = 0;
    const KEEPS_GLOBAL: bool = false;
    const RESYNC_IN_STORES: u32 = 12;
    const UNKNOWN_LEAVES: bool = true;

    #[inline(always)]
    fn is_cached(shadow: u64) -> bool {
        shadow & UNKNOWN == Bits::PRESENT.bits()
    }

    #[inline(always)]
    fn is_stale(old: u64, new: u64) -> bool {
        let noted = MAY_WRITE | PROTECTED;
        let more = Bits::WRITABLE.bits() & new & !old;
        (old ^ new) & !noted & !more != 0
    }

    #[inline]
    fn shadow_leaf(level: Level, raw: u64, to: Frame<HostPhys>, protect: bool) -> u64 {
        let copied = raw & LEAF.union(pat(level)).bits() | writable(raw) | USED;
        Self::protect_leaf(copied | to.start().bits() & ADDRESS, protect)
    }

    const COPIED: u64 = LEAF.bits() | ADDRESS;

    #[inline(always)]
    fn besides(all: u64, any: u64) -> Option<u64> {
        ((all ^ any) & WRITTEN == 0).then(|| USED | writable(all))
    }

    #[inline(always)]
    fn may_map(all: u64, any: u64) -> Option<bool> {
        if all & Bits::PRESENT.bits() != 0 && any & RESERVED == 0 {
            Some(true)
        } else if all & RESERVED != 0 || any & Bits::PRESENT.bits() == 0 {
            Some(false)
        } else {
            None
        }
    }

    /// A reserved bit is one of an address that is not RAM's.
    #[inline(always)]
    fn mapped_frame(shadow: u64) -> Frame<HostPhys> {
        Addr::from_bits(shadow & ADDRESS).frame()
    }

    /// A leaf that its guest could write if it were dirty is said to differ. All other shadows of pages have every
    /// bit that is compared in common with the guest's: of what is no shadow of a page, none is accessed.
    #[inline(always)]
    fn moved_difference(raw: u64, shadow: u64, distance: u64) -> u64 {
        let compared = LEAF.bits() | ADDRESS | Bits::WRITABLE.bits() | USED;
        (raw & compared ^ shadow.wrapping_sub(distance)) & !MAY_WRITE
    }

    #[inline]
    fn first_part(level: Level, raw: u64) -> u64 {
        let Some(below) = level.below() else { return Self::ABSENT };
        let to = Addr::<GuestPhys>::from_bits(raw & ADDRESS).align_down(level).bits();
        let moved = pat(level).union(Bits::LARGE);
        let mut bits = Bits::from_bits_retain(raw & !ADDRESS) - moved;
        bits.set(Bits::LARGE, below != Level::PAGE);
        if raw & pat(level).bits() != 0 {
            bits |= pat(below);
        }
        bits.bits() | to
    }

    #[inline]
    fn protect_leaf(shadow: u64, protect: bool) -> u64 {
        let rest = shadow & !(PROTECTED | Bits::WRITABLE.bits());
        if protect {
            rest | PROTECTED
        } else {
            rest | (shadow & MAY_WRITE) >> WRITABLE_TO_MAY_WRITE
        }
    }

    #[inline]
    fn device_leaf(level: Level, raw: u64, to: Frame<GuestPhys>) -> u64 {
        UNKNOWN | DEVICE | raw & ALLOWED | to.start().align_down(level).bits() & ADDRESS
    }

    #[inline]
    fn unaccessed(_level: Level, _raw: u64) -> u64 {
        UNKNOWN
    }

    #[inline]
    fn refused(_level: Level, _raw: u64) -> u64 {
        UNKNOWN
    }

    #[inline]
    fn shadow_table(level: Level, raw: u64, to: Frame<HostPhys>) -> u64 {
        let copied = match Self::decode::<GuestPhys>(level, raw) {
            Entry::Table(_) => raw & TABLE.bits(),
            // The parts of a block say for themselves what it allows.
            _ => (Bits::PRESENT | Bits::WRITABLE | Bits::USER).bits(),
        };
        copied | Bits::ACCESSED.bits() | to.start().bits() & ADDRESS
    }

    #[inline]
    fn unknown(_level: Level, _raw: u64) -> u64 {
        UNKNOWN
    }

    #[inline(always)]
    fn is_unknown_leaf(shadow: u64) -> bool {
        shadow & (UNKNOWN | DEVICE) == UNKNOWN
    }

    #[inline]
    fn forget_table(_shadow: u64) -> u64 {
        UNKNOWN
    }

    #[inline(always)]
    fn next_table(level: Level, shadow: u64) -> Option<Frame<HostPhys>> {
        let large = match level {
            Level::PAGE => return None,
            Level::TOP => 0,
            _ => Bits::LARGE.bits(),
        };
        let table = shadow & (UNKNOWN | large) == Bits::PRESENT.bits();
        table.then(|| Addr::from_bits(shadow & ADDRESS).frame())
    }

    #[inline]
    fn shadowed(level: Level, shadow: u64) -> Shadowed {
        match Self::decode::<HostPhys>(level, shadow) {
            Entry::Hole => Shadowed::Absent,
            _ if shadow & (RESERVED | DEVICE) == RESERVED | DEVICE => Shadowed::Device,
            _ if shadow & RESERVED != 0 => Shadowed::Unknown,
            Entry::Table(to) => Shadowed::Table(to),
            Entry::Leaf(to) => Shadowed::Leaf { to, protected: shadow & PROTECTED != 0 },
        }
    }
}
