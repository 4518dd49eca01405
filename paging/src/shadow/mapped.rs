//! The leaves that map a frame or a block: listed by the reverse map, or searched for.
//!
//! With the reverse map each record lists the leaves that map its frame or block, so a change of all of them
//! costs what there is to change. Without it the lists stay empty, and all shadow pages of that level are
//! searched: entries cost less while they come and go, and every table that becomes one, or is none any
//! more, costs a search.

use probe::{Event, Probe};

use crate::addr::{Frame, HostPhys, INDEX_BITS, Level};
use crate::entry::Shadowed;
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Entries, Env, GROUP, Group, Memory, World};
use crate::shadow::Shadow;
use crate::shadow::page::{Slot, Source};
use crate::shadow::reverse::Nodes;
use crate::switch::{Switch, Switches};

/// The first slot of the first page.
const FIRST: u32 = 1 << INDEX_BITS;

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// The leaf in `slot` maps the frame or block of the record `index` of `level` from now on.
    #[inline(always)]
    pub(super) fn add_leaf(&mut self, level: Level, index: usize, slot: Slot) {
        if self.switches.has(Switch::ReverseMap)
            && let Some(record) = self.records[level.number()].get_mut(index)
        {
            record.leaves.add(&mut self.nodes, slot.bits());
        }
    }

    /// The leaf in `slot` maps that frame or block no longer.
    #[inline(always)]
    pub(super) fn remove_leaf(&mut self, level: Level, index: usize, slot: Slot) {
        if self.switches.has(Switch::ReverseMap)
            && let Some(record) = self.records[level.number()].get_mut(index)
        {
            record.leaves.remove(&mut self.nodes, slot.bits());
        }
    }

    /// A leaf that maps the block of the record `index` of `level`.
    pub(super) fn any_leaf<E: Env>(
        &self,
        world: &mut World<'_, E>,
        level: Level,
        index: usize,
    ) -> Option<Slot> {
        if !self.switches.has(Switch::ReverseMap) {
            return self.search(world, level, index, FIRST);
        }
        let found = self.records[level.number()].get(index)?.leaves.any()?;
        world.probe.count(Event::ReverseFound, 1);
        Some(Slot::from_bits(found))
    }

    /// Calls `visit` with every leaf that maps the frame of the record `index`. It may change the leaf, but not
    /// what it maps.
    pub(super) fn each_leaf<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        index: usize,
        mut visit: impl FnMut(&mut Self, &mut World<'_, E>, Slot),
    ) {
        if !self.switches.has(Switch::ReverseMap) {
            let mut from = FIRST;
            while let Some(slot) = self.search(world, Level::PAGE, index, from) {
                visit(self, world, slot);
                from = slot.bits() + 1;
            }
            return;
        }
        let Some(leaves) = self.records[0].get(index).map(|record| record.leaves) else { return };
        if leaves.is_empty() {
            return;
        }
        // The lists are not touched below; they are put aside so that `self` can be.
        let nodes = core::mem::replace(&mut self.nodes, Nodes::NONE);
        leaves.each(&nodes, |slot| {
            world.probe.count(Event::ReverseFound, 1);
            visit(self, world, Slot::from_bits(slot));
        });
        self.nodes = nodes;
    }

    /// The first slot from `from` on with a leaf that maps the frame or block of the record `index` of `level`.
    fn search<E: Env>(
        &self,
        world: &mut World<'_, E>,
        level: Level,
        index: usize,
        from: u32,
    ) -> Option<Slot> {
        let target = self.recorded(level, index)?;
        let end = (self.pages.len() as u32) << INDEX_BITS;
        let mut next = from;
        while next < end {
            let slot = Slot::from_bits(next);
            let described = &self.pages[slot.page().number() as usize];
            if described.source == Source::Free || described.level != level {
                next = (slot.page().number() + 1) << INDEX_BITS;
                continue;
            }
            let table = world.memory.table(slot.page());
            if Group::beginning(slot.index()).is_some_and(|group| table.any(group) == 0) {
                next += GROUP as u32;
                continue;
            }
            world.probe.count(Event::ReverseScanned, 1);
            if let Shadowed::Leaf { to, .. } = S::shadowed(level, table.get(slot.index()))
                && to == target
            {
                return Some(slot);
            }
            next += 1;
        }
        None
    }

    /// The host's frame at which the block of the record `index` of `level` begins, if all of it is RAM.
    fn recorded(&self, level: Level, index: usize) -> Option<Frame<HostPhys>> {
        let shift = level.shift() - Level::PAGE.shift();
        let first = self.reach.ram().number() >> shift;
        self.reach.resolve(Frame::from_number((first + index as u64) << shift))
    }
}
