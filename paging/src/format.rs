//! Formats: what the bits of a descriptor mean.
//!
//! A format knows bits, and neither memory nor what addresses are for. `decode` is total: every
//! number means something at every level.

use core::fmt::Debug;

use crate::addr::{Addr, Frame, Gpa, GuestPhys, GuestVirt, HostPhys, Index, Level, Space};
use crate::attrs::{Access, Attrs, Kind, Rights};
use crate::entry::{Entry, Shadowed};
use crate::fault::GuestFault;

pub mod ept;
pub mod vmsa_shadow;
pub mod vmsa_stage1;
pub mod vmsa_stage2;
pub mod x64;
pub mod x64_shadow;

#[cfg(test)]
mod tests;

/// A page-table format with 512 entries a table and the 4 KiB granule.
pub trait Format: 'static {
    /// Whether a live entry has to be made invalid, and the TLB told, before its address or size
    /// changes.
    const BREAK_BEFORE_MAKE: bool;

    /// What `raw` means in a table of `level`.
    fn decode<O: Space>(level: Level, raw: u64) -> Entry<O>;
    /// A leaf of `level`'s size at `to`, which is aligned to that size.
    fn leaf<O: Space>(level: Level, to: Frame<O>, attrs: Attrs) -> u64;
    /// The attributes of a leaf of `level` that [`leaf`](Self::leaf) made.
    fn attrs(level: Level, raw: u64) -> Attrs;
    /// An entry for the next table, which takes no right away.
    fn table<O: Space>(to: Frame<O>) -> u64;
    /// Whether a walker may use and remember `raw`. A test of bits, any of which makes an entry live: what
    /// is true of one of two entries is true of both or'ed together.
    fn is_live(raw: u64) -> bool;
    /// Whether live `old` may become live `new` in one step.
    fn may_replace_live(old: u64, new: u64) -> bool;
}

/// Where a walk begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// Which root: 0, or 1 for the upper half where there are two.
    pub half: usize,
    /// The level of the root table.
    pub level: Level,
    /// How many entries it has.
    pub entries: u32,
}

impl Start {
    /// The entry of the frame that holds the root table which `at` selects, for a root at `base`.
    #[must_use]
    #[inline]
    pub const fn index(&self, base: Gpa, at: Addr<GuestVirt>) -> Index {
        let within = (at.bits() >> self.level.shift()) as u32 & (self.entries - 1);
        let first = (base.page_offset() >> crate::mem::ENTRY_SHIFT) as u32;
        Index::wrapping(first + within)
    }
}

/// A format that guests use, with what registers add to it.
pub trait GuestFormat: Format {
    /// What the translation registers say beside the roots.
    type Regime: Copy + Eq + Debug;
    /// How many roots are in force at once.
    const ROOTS: usize;
    /// Whether the hardware keeps accessed and dirty flags in the guest's own tables. If it does not, an
    /// access through a leaf without its accessed flag faults.
    const KEEPS_FLAGS: bool;

    /// Where the walk of `at` begins, unless the regime translates no such address.
    fn start(regime: &Self::Regime, at: Addr<GuestVirt>) -> Option<Start>;
    /// Where walks of root `half` begin, if it is in use.
    fn root(regime: &Self::Regime, half: usize) -> Option<Start>;
    /// The lowest address that root `half` translates.
    fn base(regime: &Self::Regime, half: usize) -> Addr<GuestVirt>;
    /// The address that root and indices `bits` select, in the form that the TLB wants.
    #[inline(always)]
    fn canonical(bits: u64) -> Addr<GuestVirt> {
        Addr::from_bits(bits)
    }
    /// Bits of a physical address; an entry with a larger one faults.
    fn output_bits(regime: &Self::Regime) -> u32;
    /// Whether tables mean the same under `old` and `new`, which may differ in what accesses they allow.
    fn same_tables(old: &Self::Regime, new: &Self::Regime) -> bool {
        old == new
    }
    /// The part of `regime` that the hardware enforces while it runs on shadows. What `regime` allows
    /// beyond it is for software to carry out.
    fn enforced(regime: &Self::Regime) -> Self::Regime {
        *regime
    }
    /// The fault that any access meets at `raw` in a table of `level`, an entry that leads to `to`.
    fn refusal(
        regime: &Self::Regime,
        level: Level,
        raw: u64,
        to: Frame<GuestPhys>,
    ) -> Option<GuestFault>;
    /// The fault of a walk that finds no RAM where the table of `level` should be.
    fn nowhere(level: Level) -> GuestFault;
    /// What the hardware makes of `raw`, an entry of a table of `level`, when an access of `kind` uses it.
    #[inline(always)]
    fn marked(_level: Level, raw: u64, _kind: Kind) -> u64 {
        raw
    }
    /// Whether under `regime` every [plain page](Self::is_plain_page) of RAM can be used.
    #[inline(always)]
    fn has_plain_pages(_regime: &Self::Regime) -> bool {
        true
    }
    /// Whether `raw`, an entry of a leaf table, is a page with its accessed flag: the common case. A
    /// test of bits that all must be set: what is true of two entries is true of both and'ed.
    fn is_plain_page(raw: u64) -> bool;
    /// The frame of an entry that is one.
    fn plain_frame(raw: u64) -> Frame<GuestPhys>;
    /// Whether `raw`, a leaf or an entry that [has such flags](Self::KEEPS_FLAGS), has its accessed flag.
    fn accessed(raw: u64) -> bool;
    /// The rights that a leaf gives, before what `limits` of the tables above take away.
    fn rights(regime: &Self::Regime, raw: u64, limits: u64) -> Rights;
    /// Whether a leaf under `limits` allows `access`: what its [rights](Self::rights) say.
    #[inline]
    fn allows(regime: &Self::Regime, raw: u64, limits: u64, access: Access) -> bool {
        access.allowed_by(Self::rights(regime, raw, limits))
    }
    /// Adds what the table entry `raw` takes away to `limits`, which begin as 0.
    fn limit(regime: &Self::Regime, limits: u64, half: usize, raw: u64) -> u64;
}

/// A format in which the guest tables of format `G` can be shadowed.
///
/// What the guest allows is copied from its own descriptor, right by right; what the hypervisor
/// takes away is a second attribute, so neither can be mistaken for the other.
pub trait ShadowFormat<G: GuestFormat>: Format {
    /// Makes the guest find nothing, natively.
    const ABSENT: u64;
    /// Whether a leaf may be one that the hardware remembers under every tag.
    const KEEPS_GLOBAL: bool;
    /// How many stores to a leaf table take as long to be carried out as a table that is out of sync takes to be
    /// set aside and taken back. Measured.
    const RESYNC_IN_STORES: u32;
    /// Whether an entry of a leaf table can be unknown. If not, leaf tables are filled whole.
    const UNKNOWN_LEAVES: bool;

    /// Whether the hardware may remember anything of the shadow entry.
    #[inline(always)]
    fn is_cached(shadow: u64) -> bool {
        Self::is_live(shadow)
    }
    /// Whether what the hardware remembers of `old` must be forgotten where `new` stands now.
    #[inline(always)]
    fn is_stale(_old: u64, _new: u64) -> bool {
        true
    }
    /// The shadow of the guest leaf `raw` of `level`, at `to`. With `protect`, stores exit.
    fn shadow_leaf(level: Level, raw: u64, to: Frame<HostPhys>, protect: bool) -> u64;
    /// What the shadow of a [plain page](GuestFormat::is_plain_page) copies from it.
    const COPIED: u64;
    /// What that shadow has besides, if it is the same for all plain pages that are `all` and'ed and
    /// `any` or'ed.
    fn besides(all: u64, any: u64) -> Option<u64>;
    /// What [`shadow_leaf`](Self::shadow_leaf) makes of the plain page `raw` without protection, when its
    /// frame stands `distance` bytes behind its own address, modulo 2^64.
    #[inline(always)]
    fn moved_leaf(raw: u64, distance: u64) -> u64 {
        let besides = Self::besides(raw, raw).unwrap_or_default();
        Self::copied_leaf(raw, distance.wrapping_add(besides))
    }
    /// The same for the sum of the distance and of what the leaf has [besides](Self::besides).
    #[inline(always)]
    fn copied_leaf(raw: u64, sum: u64) -> u64 {
        (raw & Self::COPIED).wrapping_add(sum)
    }
    /// Whether some entries of a leaf table, `all` and'ed and `any` or'ed, may be leaves that map RAM: each of
    /// them, none, or some.
    fn may_map(all: u64, any: u64) -> Option<bool>;
    /// The frame that it maps. For one that maps no RAM it is none of RAM, and it may be none of RAM for one that
    /// is store-protected.
    fn mapped_frame(shadow: u64) -> Frame<HostPhys>;
    /// The first part of the guest's block `raw` of `level`, as a leaf one level below. The others differ by
    /// their addresses, which stand in their own place.
    fn first_part(level: Level, raw: u64) -> u64;
    /// The part with number `part` of that block.
    #[inline]
    fn part(level: Level, raw: u64, part: Index) -> u64 {
        let size = level.below().map_or(0, Level::size);
        Self::first_part(level, raw) + part.get() as u64 * size
    }
    /// In which bits the shadow leaf-table entry `shadow` is not what [`moved_leaf`](Self::moved_leaf) makes of the
    /// guest's plain page `raw`. Where it is 0, `shadow` is what the engine makes of `raw` wherever it may be used. What
    /// is 0 of several pairs is 0 of all or'ed together. It need not be 0 of a pair that fits.
    fn moved_difference(raw: u64, shadow: u64, distance: u64) -> u64;
    /// The same leaf with its store protection changed.
    fn protect_leaf(shadow: u64, protect: bool) -> u64;
    /// The shadow of a guest leaf whose frame is not RAM: exits with the guest-physical address.
    fn device_leaf(level: Level, raw: u64, to: Frame<GuestPhys>) -> u64;
    /// The shadow of a guest entry without its accessed flag: faults so natively, or exits to have it set.
    fn unaccessed(level: Level, raw: u64) -> u64;
    /// The shadow of a guest entry that the format [refuses](GuestFormat::refusal): faults so natively,
    /// or exits.
    fn refused(level: Level, raw: u64) -> u64;
    /// The shadow of the guest table entry `raw` (or of a block that is split), for the table `to`.
    fn shadow_table(level: Level, raw: u64, to: Frame<HostPhys>) -> u64;
    /// The same with no table yet: exits.
    fn unknown(level: Level, raw: u64) -> u64;
    /// Whether an entry of a leaf table is unknown, or one that is spelled the same: without its accessed flag,
    /// or refused.
    #[inline(always)]
    fn is_unknown_leaf(_shadow: u64) -> bool {
        false
    }
    /// A live table entry without its table.
    fn forget_table(shadow: u64) -> u64;
    /// The table that an entry leads to, if it is a [`Shadowed::Table`].
    #[inline]
    fn next_table(level: Level, shadow: u64) -> Option<Frame<HostPhys>> {
        match Self::shadowed(level, shadow) {
            Shadowed::Table(to) => Some(to),
            _ => None,
        }
    }
    /// What an entry that these functions made means.
    fn shadowed(level: Level, shadow: u64) -> Shadowed;
}
