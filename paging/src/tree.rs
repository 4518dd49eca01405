//! One tree of tables for every format and every pair of address spaces.
//!
//! ```text
//!   root ── table ── table ── table ── page          an entry is a hole,
//!               └─ 1 GiB      └─ 2 MiB               a table or a leaf
//! ```
//!
//! A tree owns its tables: each stands in exactly one entry. Rules of the architecture are kept
//! here: a live entry changes its address or size only over an invalid one that the TLB was told
//! of, and a table is given back only after the TLB has forgotten it.

use core::marker::PhantomData;

use crate::addr::{Addr, Frame, HostPhys, Index, Level, Space};
use crate::attrs::Attrs;
use crate::entry::Entry;
use crate::format::Format;
use crate::mem::{Entries, Memory, Stale, Tlb};
use crate::pool::{OutOfFrames, PageId, Pool};

/// Why a mapping was not made. What was mapped before the error stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// No frame for a table.
    OutOfFrames,
    /// Something is mapped there.
    Occupied,
    /// An address or the size is not a multiple of 4 KiB, or beyond the tree.
    Misaligned,
}

impl From<OutOfFrames> for MapError {
    fn from(_: OutOfFrames) -> Self {
        Self::OutOfFrames
    }
}

/// What a tree needs for a change.
#[derive(Debug)]
pub struct Tools<'a, M, T> {
    /// The memory that the tables stand in.
    pub memory: &'a M,
    /// Where frames for tables come from.
    pub pool: &'a mut Pool,
    /// What remembers the tree's translations.
    pub tlb: &'a mut T,
}

/// Tables in the format `F` that translate `In` to `Out`.
#[derive(Debug)]
pub struct Tree<F, In, Out> {
    root: PageId,
    top: Level,
    spaces: PhantomData<(F, In, Out)>,
}

impl<F: Format, In: Space, Out: Space> Tree<F, In, Out> {
    /// An empty tree whose root table stands at level `top`.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] when there is none for the root.
    pub fn new(top: Level, memory: &impl Memory, pool: &mut Pool) -> Result<Self, OutOfFrames> {
        Ok(Self { root: pool.alloc(memory)?, top, spaces: PhantomData })
    }

    /// The root table.
    #[must_use]
    pub const fn root(&self) -> PageId {
        self.root
    }

    /// Bytes that the tree translates.
    const fn size(&self) -> u64 {
        1 << (self.top.shift() + crate::addr::INDEX_BITS)
    }

    /// Maps `size` bytes from `at` on to `to`, in the largest leaves that both addresses allow and
    /// that are no larger than `largest`.
    ///
    /// # Errors
    ///
    /// See [`MapError`].
    pub fn map<M: Memory, T: Tlb<In>>(
        &mut self,
        tools: &mut Tools<'_, M, T>,
        (at, to, size): (Addr<In>, Addr<Out>, u64),
        attrs: Attrs,
        largest: Level,
    ) -> Result<(), MapError> {
        let end = at.checked_add(size).ok_or(MapError::Misaligned)?;
        let aligned = |address: u64| address & (Level::PAGE.size() - 1) == 0;
        if !aligned(at.bits() | to.bits() | size) || end.bits() > self.size() {
            return Err(MapError::Misaligned);
        }
        let mapped = self.map_pieces(tools, (at, to, size), attrs, largest);
        tools.tlb.publish();
        mapped
    }

    /// Maps what is aligned and within the tree.
    fn map_pieces<M: Memory, T: Tlb<In>>(
        &mut self,
        tools: &mut Tools<'_, M, T>,
        (at, to, size): (Addr<In>, Addr<Out>, u64),
        attrs: Attrs,
        largest: Level,
    ) -> Result<(), MapError> {
        let mut done = 0;
        while done < size {
            let here = Addr::<In>::from_bits(at.bits() + done);
            let there = Addr::<Out>::from_bits(to.bits() + done);
            let fits = |level: &Level| {
                *level <= largest
                    && here.is_aligned(*level)
                    && there.is_aligned(*level)
                    && size - done >= level.size()
            };
            let level = [Level::BLOCK_1G, Level::BLOCK_2M]
                .into_iter()
                .filter(|level| *level <= self.top)
                .find(fits)
                .unwrap_or(Level::PAGE);
            // A table that is there already wants leaves of its own size.
            let (table, index, level) = self.table_for(tools, here, level)?;
            let entries = tools.memory.table(table);
            if F::is_live(entries.get(index)) {
                return Err(MapError::Occupied);
            }
            entries.set(index, F::leaf(level, there.frame(), attrs));
            done += level.size();
        }
        Ok(())
    }

    /// Takes `size` bytes from `at` on out of the tree; a block that reaches beyond them is split.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfFrames`] when there is none to split a block, [`MapError::Misaligned`] where
    /// `size` reaches beyond the tree.
    pub fn unmap<M: Memory, T: Tlb<In>>(
        &mut self,
        tools: &mut Tools<'_, M, T>,
        at: Addr<In>,
        size: u64,
    ) -> Result<(), MapError> {
        let end = at.checked_add(size).ok_or(MapError::Misaligned)?;
        if end.bits() > self.size() {
            return Err(MapError::Misaligned);
        }
        let mut here = at;
        while here < end {
            let (table, index, level) = self.lookup(tools.memory, here);
            let entries = tools.memory.table(table);
            let raw = entries.get(index);
            let whole = here.is_aligned(level) && end.bits() - here.bits() >= level.size();
            match F::decode::<Out>(level, raw) {
                Entry::Leaf(to) if !whole => {
                    self.split(tools, (table, index, level), here, to, raw)?;
                    continue;
                }
                Entry::Leaf(_) => {
                    entries.set(index, 0);
                    tools.tlb.flush(Stale::Address(here));
                }
                Entry::Hole | Entry::Table(_) => {}
            }
            let Some(next) = here.align_down(level).checked_add(level.size()) else { break };
            here = next;
        }
        Ok(())
    }

    /// Where `at` leads, and through a leaf of which level.
    #[must_use]
    pub fn find(&self, memory: &impl Memory, at: Addr<In>) -> Option<(Addr<Out>, Level)> {
        if at.bits() >= self.size() {
            return None;
        }
        let (table, index, level) = self.lookup(memory, at);
        match F::decode::<Out>(level, memory.table(table).get(index)) {
            Entry::Leaf(to) => {
                let offset = at.bits() & (level.size() - 1);
                Some((Addr::from_bits(to.start().bits() | offset), level))
            }
            Entry::Hole | Entry::Table(_) => None,
        }
    }

    /// Gives every table back. The tree is not in use, and the TLB is told here.
    pub fn free<M: Memory, T: Tlb<In>>(self, tools: &mut Tools<'_, M, T>) {
        tools.tlb.flush(Stale::All);
        Self::free_below(tools.memory, tools.pool, self.root, self.top);
    }

    fn free_below<M: Memory>(memory: &M, pool: &mut Pool, table: PageId, level: Level) {
        for index in Index::all() {
            let raw = memory.table(table).get(index);
            if !F::is_live(raw) {
                continue;
            }
            memory.table(table).set(index, 0);
            if let (Entry::Table(frame), Some(below)) =
                (F::decode::<HostPhys>(level, raw), level.below())
                && let Some(next) = memory.page_of(frame)
            {
                Self::free_below(memory, pool, next, below);
            }
        }
        pool.free(table);
    }

    /// The entry that decides about `at`: the lowest that exists.
    fn lookup(&self, memory: &impl Memory, at: Addr<In>) -> (PageId, Index, Level) {
        let (mut table, mut level) = (self.root, self.top);
        loop {
            let index = Index::of(at.bits(), level);
            let raw = memory.table(table).get(index);
            match (F::decode::<HostPhys>(level, raw), level.below()) {
                (Entry::Table(frame), Some(below)) => match memory.page_of(frame) {
                    Some(next) => (table, level) = (next, below),
                    None => return (table, index, level),
                },
                _ => return (table, index, level),
            }
        }
    }

    /// The lowest table on the way to `at`, made down to `level` with those above it where they are
    /// missing.
    fn table_for<M: Memory, T: Tlb<In>>(
        &mut self,
        tools: &mut Tools<'_, M, T>,
        at: Addr<In>,
        level: Level,
    ) -> Result<(PageId, Index, Level), MapError> {
        loop {
            let (table, index, found) = self.lookup(tools.memory, at);
            if found <= level {
                return Ok((table, index, found));
            }
            let entries = tools.memory.table(table);
            if F::is_live(entries.get(index)) {
                return Err(MapError::Occupied);
            }
            let next = tools.pool.alloc(tools.memory)?;
            entries.set(index, F::table(tools.memory.frame_of(next)));
        }
    }

    /// Replaces the block `raw` by a table of leaves one level smaller.
    fn split<M: Memory, T: Tlb<In>>(
        &mut self,
        tools: &mut Tools<'_, M, T>,
        (table, index, level): (PageId, Index, Level),
        at: Addr<In>,
        to: Frame<Out>,
        raw: u64,
    ) -> Result<(), MapError> {
        let below = level.below().ok_or(MapError::Misaligned)?;
        let parts = tools.pool.alloc(tools.memory)?;
        for part in Index::all() {
            let there = to.start().bits() + ((part.get() as u64) << below.shift());
            let leaf = F::leaf::<Out>(below, Addr::from_bits(there).frame(), F::attrs(level, raw));
            tools.memory.table(parts).set(part, leaf);
        }
        let entries = tools.memory.table(table);
        let link = F::table(tools.memory.frame_of(parts));
        if F::BREAK_BEFORE_MAKE && !F::may_replace_live(raw, link) {
            entries.set(index, 0);
            tools.tlb.flush(Stale::Address(at.align_down(level)));
            entries.set(index, link);
            tools.tlb.publish();
        } else {
            entries.set(index, link);
            tools.tlb.flush(Stale::Address(at.align_down(level)));
        }
        Ok(())
    }
}
