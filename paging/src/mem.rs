//! All that a page-table algorithm may touch: tables, guest memory, the TLB, a probe.

use probe::Probe;

use crate::addr::{Addr, ENTRIES, Frame, GuestPhys, GuestVirt, HostPhys, Index, Space};
use crate::pool::{PageId, Pool};

/// A frame as 512 descriptors of 8 bytes, each read and written whole.
///
/// Writes go through a shared reference: the walker of the MMU, and a guest on another CPU, look at
/// the same memory at any time.
pub trait Entries {
    /// The descriptor at `at`.
    fn get(&self, at: Index) -> u64;
    /// Replaces the descriptor at `at`.
    fn set(&self, at: Index, raw: u64);
    /// Makes all descriptors zero.
    fn clear(&self) {
        for at in Index::all() {
            self.set(at, 0);
        }
    }
    /// The descriptors of a group, each read whole.
    #[inline(always)]
    fn group(&self, group: Group) -> [u64; GROUP] {
        core::array::from_fn(|member| self.get(group.member(member)))
    }
    /// The descriptors of a group, and'ed.
    #[inline(always)]
    fn all(&self, group: Group) -> u64 {
        self.group(group).iter().fold(u64::MAX, |all, raw| all & raw)
    }
    /// The descriptors of a group, or'ed.
    #[inline(always)]
    fn any(&self, group: Group) -> u64 {
        self.group(group).iter().fold(0, |any, raw| any | raw)
    }
    /// Replaces the descriptors of a group, each written whole.
    #[inline(always)]
    fn set_group(&self, group: Group, raw: [u64; GROUP]) {
        for (member, raw) in raw.into_iter().enumerate() {
            self.set(group.member(member), raw);
        }
    }
    /// Replaces the descriptors of a group of `to` by what `make` makes of those here and of their places.
    #[inline(always)]
    fn map_group(&self, group: Group, to: &impl Entries, mut make: impl FnMut(Index, u64) -> u64) {
        for at in group.members() {
            to.set(at, make(at, self.get(at)));
        }
    }
}

/// Descriptors of a group.
pub const GROUP: usize = 8;

/// Eight neighbouring descriptors of a table: what a loop over a whole table takes at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group(u32);

impl Group {
    /// Every group of a table, in order.
    #[inline(always)]
    pub fn all() -> impl Iterator<Item = Self> {
        (0..(ENTRIES / GROUP) as u32).map(Self)
    }

    /// The group whose first member stands at `at`, if one does.
    #[must_use]
    pub const fn beginning(at: Index) -> Option<Self> {
        let place = at.get();
        if place.is_multiple_of(GROUP) { Some(Self((place / GROUP) as u32)) } else { None }
    }

    /// The group with number `number`, of which the low bits count.
    #[inline(always)]
    #[must_use]
    pub const fn wrapping(number: u32) -> Self {
        Self(number % (ENTRIES / GROUP) as u32)
    }

    /// The group that the entry `at` is a member of.
    #[inline(always)]
    #[must_use]
    pub const fn of(at: Index) -> Self {
        Self((at.get() / GROUP) as u32)
    }

    /// Its place among the groups of a table.
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The places of its members.
    #[inline(always)]
    pub fn members(self) -> impl Iterator<Item = Index> {
        (0..GROUP).map(move |member| self.member(member))
    }

    /// The place of member `member`, below [`GROUP`].
    #[inline(always)]
    #[must_use]
    pub const fn member(self, member: usize) -> Index {
        Index::wrapping(self.0 * GROUP as u32 + member as u32)
    }

    /// Bytes from the table's first to the group's first.
    #[inline(always)]
    #[must_use]
    pub const fn offset(self) -> usize {
        self.0 as usize * (GROUP << ENTRY_SHIFT)
    }
}

/// Memory that holds tables.
pub trait Memory {
    /// A table of ours.
    type Table: Entries;
    /// A frame of guest RAM, which may be a table of the guest's.
    type Guest: Entries;

    /// The frame `page` of the pool. `page` came from [`Pool::alloc`].
    fn table(&self, page: PageId) -> &Self::Table;
    /// Where `page` stands.
    fn frame_of(&self, page: PageId) -> Frame<HostPhys>;
    /// Which frame of the pool stands at `frame`.
    fn page_of(&self, frame: Frame<HostPhys>) -> Option<PageId>;
    /// The frame of the pool that stands at `frame`.
    #[inline(always)]
    fn table_at(&self, frame: Frame<HostPhys>) -> Option<&Self::Table> {
        self.page_of(frame).map(|page| self.table(page))
    }
    /// Makes all descriptors of `page` zero.
    fn clear(&self, page: PageId) {
        self.table(page).clear();
    }
    /// Takes note that `page`, which is zero, is handed out.
    #[inline(always)]
    fn hand_out(&self, _page: PageId) {}
    /// A frame of guest RAM, unless `frame` is none.
    fn guest(&self, frame: Frame<GuestPhys>) -> Option<&Self::Guest>;
}

/// A hardware tag that keeps the translations of one root apart from those of others: ASID, PCID.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag(pub u16);

/// What the TLB may hold that is no longer so, for the VM at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stale<S: Space> {
    /// Translations of one page or block, and the way to it, under every tag, global ones too.
    Address(Addr<S>),
    /// Everything under one tag, except global translations.
    Root(Tag),
    /// Everything.
    All,
}

/// The TLB and the walk caches of every CPU on which the VM at hand may have run.
pub trait Tlb<S: Space> {
    /// Forgets what is stale. Descriptors written before are seen by walks that begin after; when
    /// it returns, no CPU uses what was stale.
    fn flush(&mut self, stale: Stale<S>);
    /// Makes descriptors written before visible to walks that begin after. Nothing was stale.
    fn publish(&mut self);
}

/// The types of a world.
pub trait Env {
    /// Its memory.
    type Memory: Memory;
    /// Its TLB, for guest-virtual addresses.
    type Tlb: Tlb<GuestVirt>;
    /// Its instrument.
    type Probe: Probe + 'static;
}

/// One bundle of everything, so that signatures stay short and tests replace the world whole.
#[derive(Debug)]
pub struct World<'a, E: Env> {
    /// Tables and guest RAM.
    pub memory: &'a E::Memory,
    /// Free frames for tables.
    pub pool: &'a mut Pool,
    /// What remembers translations.
    pub tlb: &'a mut E::Tlb,
    /// What counts and measures.
    pub probe: &'a mut E::Probe,
}

impl<E: Env> World<'_, E> {
    /// The same for a callee. For one that is called rarely it is put together only there.
    #[inline(always)]
    pub const fn lend(&mut self) -> World<'_, E> {
        World { memory: self.memory, pool: self.pool, tlb: self.tlb, probe: self.probe }
    }
}

/// Bytes of a descriptor, log2.
pub const ENTRY_SHIFT: u32 = 3;

const _: () = assert!(ENTRIES << ENTRY_SHIFT == crate::addr::PAGE_SIZE as usize);
