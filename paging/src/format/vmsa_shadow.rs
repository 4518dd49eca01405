//! How a shadow of VMSAv8-64 stage 1 is spelled: three windows of stage 2.
//!
//! On Arm the shadow stands in the real TTBRs of the EL1&0 regime and stage 2 stays on. Stage 2 is
//! three static windows of the largest blocks, and a shadow descriptor says by the window of its
//! address what the hypervisor thinks of it:
//!
//! ```text
//! ipa 0           [ memory   ]  = hpa, readable, writable, executable
//!     1 << 37     [ alias    ]  = hpa, readable, executable: a store faults to EL2
//!     1 << 38     [ hole     ]  unmapped: a leaf or a table in it faults to EL2
//!     1 << 39     end of stage 2
//! ```
//!
//! So in this mode an IPA is not a guest-physical address. Write protection is a change of one
//! shadow leaf, found through the reverse map, and never of stage 2.
//!
//! A *leaf* in the hole keeps the guest's permissions exactly, because stage 1 checks them before
//! stage 2 is asked: what the guest's tables refuse faults into the guest, what they allow exits
//! with the guest-physical address in HPFAR_EL2. A *table* in the hole exits on every access.

use crate::addr::{Addr, Frame, Gpa, GuestPhys, HostPhys, Hpa, Level, Window};
use crate::entry::Shadowed;
use crate::format::vmsa_stage1::{ADDRESS, Bits, Stage1};
use crate::format::{Format, ShadowFormat};

/// Bits of an address within a window: RAM and devices of the host, and the guest's physical
/// addresses, lie below 128 GiB.
pub const WINDOW_BITS: u32 = 37;
/// Where the read-only alias begins.
pub const ALIAS: u64 = 1 << WINDOW_BITS;
/// Where the hole begins.
pub const HOLE: u64 = 2 << WINDOW_BITS;
/// Bits of an IPA: what VTCR_EL2.T0SZ says.
pub const WINDOWS_BITS: u32 = WINDOW_BITS + 2;
/// Bits of an output address of stage 1: what the real TCR_EL1.IPS says. 40 bits, the least that
/// the field can name and that covers the windows.
pub const OUTPUT_BITS: u32 = 40;
/// An output address that no TCR_EL1.IPS of [`OUTPUT_BITS`] allows.
const OVERSIZED: u64 = 1 << 47;

/// Bits of an output address that is not in memory's window.
const ELSEWHERE: u64 = ALIAS | HOLE | OVERSIZED;

/// What stage 2 made of a shadowed guest's access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InWindow {
    /// Memory itself.
    Memory(Hpa),
    /// The read-only alias.
    Alias(Hpa),
    /// The hole: a device, or a table that is not known.
    Hole(Gpa),
    /// Behind the windows.
    Outside,
}

/// Which window an IPA lies in, and what it names there.
#[must_use]
pub const fn window(at: Addr<Window>) -> InWindow {
    let within = at.bits() & (ALIAS - 1);
    match at.bits() >> WINDOW_BITS {
        0 => InWindow::Memory(Addr::from_bits(within)),
        1 => InWindow::Alias(Addr::from_bits(within)),
        2 => InWindow::Hole(Addr::from_bits(within)),
        _ => InWindow::Outside,
    }
}

impl ShadowFormat<Self> for Stage1 {
    const ABSENT: u64 = 0;
    const KEEPS_GLOBAL: bool = true;
    const RESYNC_IN_STORES: u32 = 24;
    /// Stage 1 checks permissions before stage 2 is asked.
    const UNKNOWN_LEAVES: bool = false;

    #[inline]
    fn shadow_leaf(_level: Level, raw: u64, to: Frame<HostPhys>, protect: bool) -> u64 {
        let address = to.start().bits() & ADDRESS;
        raw & Bits::LEAF.bits() | address | if protect { ALIAS } else { 0 }
    }

    const COPIED: u64 = Bits::LEAF.bits() | ADDRESS;

    #[inline(always)]
    fn besides(_all: u64, _any: u64) -> Option<u64> {
        Some(0)
    }

    #[inline(always)]
    fn may_map(all: u64, any: u64) -> Option<bool> {
        let are_pages = |raw| raw & Bits::TABLE.bits() == Bits::TABLE.bits();
        (are_pages(all) || !are_pages(any)).then(|| are_pages(all))
    }

    /// RAM is in the first window alone.
    #[inline(always)]
    fn mapped_frame(shadow: u64) -> Frame<HostPhys> {
        Addr::from_bits(shadow & ADDRESS).frame()
    }

    #[inline(always)]
    fn moved_difference(raw: u64, shadow: u64, distance: u64) -> u64 {
        Self::moved_leaf(raw, distance) ^ shadow | shadow & ELSEWHERE
    }

    #[inline]
    fn first_part(level: Level, raw: u64) -> u64 {
        let Some(below) = level.below() else { return Self::ABSENT };
        let form = if below == Level::PAGE { Bits::TABLE } else { Bits::VALID };
        let to = Addr::<GuestPhys>::from_bits(raw & ADDRESS).align_down(level).bits();
        let attrs = raw & (Bits::LEAF - Bits::TABLE).bits();
        attrs | to | form.bits()
    }

    #[inline]
    fn protect_leaf(shadow: u64, protect: bool) -> u64 {
        if protect { shadow | ALIAS } else { shadow & !ALIAS }
    }

    #[inline]
    fn device_leaf(level: Level, raw: u64, to: Frame<GuestPhys>) -> u64 {
        let address = to.start().align_down(level).bits() & (ALIAS - 1);
        raw & Bits::LEAF.bits() | address | HOLE
    }

    /// The flag fault comes before any use of the address, natively.
    #[inline]
    fn unaccessed(level: Level, raw: u64) -> u64 {
        Self::device_leaf(level, raw, Frame::from_number(0))
    }

    fn refused(level: Level, raw: u64) -> u64 {
        match Self::decode::<GuestPhys>(level, raw) {
            crate::entry::Entry::Table(_) => {
                raw & Bits::TABLE_LIMITS.bits() | OVERSIZED | Bits::TABLE.bits()
            }
            _ => raw & Bits::LEAF.bits() | OVERSIZED,
        }
    }

    #[inline]
    fn shadow_table(level: Level, raw: u64, to: Frame<HostPhys>) -> u64 {
        let limits = match Self::decode::<GuestPhys>(level, raw) {
            crate::entry::Entry::Table(_) => raw & Bits::TABLE_LIMITS.bits(),
            _ => 0,
        };
        limits | to.start().bits() & ADDRESS | Bits::TABLE.bits()
    }

    #[inline]
    fn unknown(level: Level, raw: u64) -> u64 {
        Self::shadow_table(level, raw, Frame::from_number(0)) | HOLE
    }

    #[inline]
    fn forget_table(shadow: u64) -> u64 {
        shadow & !ADDRESS | HOLE
    }

    #[inline]
    fn shadowed(level: Level, shadow: u64) -> Shadowed {
        let entry = Self::decode::<Window>(level, shadow);
        match entry {
            crate::entry::Entry::Hole => Shadowed::Absent,
            crate::entry::Entry::Table(to) => match window(to.start()) {
                InWindow::Memory(at) => Shadowed::Table(at.frame()),
                InWindow::Hole(_) => Shadowed::Unknown,
                InWindow::Alias(_) | InWindow::Outside => Shadowed::Absent,
            },
            crate::entry::Entry::Leaf(to) => match window(to.start()) {
                InWindow::Memory(at) => Shadowed::Leaf { to: at.frame(), protected: false },
                InWindow::Alias(at) => Shadowed::Leaf { to: at.frame(), protected: true },
                InWindow::Hole(_) => Shadowed::Device,
                InWindow::Outside => Shadowed::Absent,
            },
        }
    }
}
