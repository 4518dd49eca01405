//! Leaf tables whole: their entries are derived eight at a time.

use core::marker::PhantomData;

use probe::{Event, Probe};

use crate::addr::{GuestPhys, Level};
use crate::entry::Entry;
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Entries, Env, GROUP, Group, Memory, World};
use crate::pool::PageId;
use crate::shadow::page::Slot;
use crate::shadow::reverse::Nodes;
use crate::shadow::{Record, Shadow};
use crate::switch::Switches;

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// Derives the entries of the new, empty leaf table `page` from `guest`.
    pub(super) fn fill_leaves<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        page: PageId,
        guest: &<E::Memory as Memory>::Guest,
    ) {
        let mut filler = self.leaf_filler(world, page);
        for group in Group::all() {
            let raw = guest.group(group);
            if any_live::<G>(&raw) {
                filler.fill_group(world.probe, group, raw);
            }
        }
    }

    /// Derives the entries of the new, empty leaf table `page` from the parts of the guest's `block`
    /// of `level`.
    pub(super) fn fill_parts<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        page: PageId,
        level: Level,
        block: u64,
    ) {
        let mut filler = self.leaf_filler(world, page);
        for group in Group::all() {
            let parts = core::array::from_fn(|member| S::part(level, block, group.member(member)));
            filler.fill_group(world.probe, group, parts);
        }
    }

    /// What fills the new, empty leaf table `page`.
    fn leaf_filler<'w, E: Env>(
        &'w mut self,
        world: &World<'w, E>,
        page: PageId,
    ) -> LeafFiller<'w, G, S, <E::Memory as Memory>::Table> {
        let Self { reach: layout, regime, records, nodes, .. } = self;
        LeafFiller {
            table: world.memory.table(page),
            page,
            records: records[0].get_mut(..layout.frames() as usize).unwrap_or_default(),
            nodes,
            ram: layout.ram().number(),
            distance: layout.distance(),
            output_bits: G::output_bits(regime),
            formats: PhantomData,
        }
    }
}

/// Fills a leaf table.
///
/// This decides what a fill costs. What does not change is held in fields that become registers; one
/// look at a frame's record serves the reverse map and the protection; the common case has
/// one branch for each thing that can be otherwise.
struct LeafFiller<'w, G, S, T> {
    table: &'w T,
    page: PageId,
    /// The records of the guest's RAM.
    records: &'w mut [Record],
    nodes: &'w mut Nodes,
    /// The number of RAM's first frame.
    ram: u64,
    /// How far a frame of RAM stands behind its own address.
    distance: u64,
    output_bits: u32,
    formats: PhantomData<(G, S)>,
}

impl<G: GuestFormat, S: ShadowFormat<G>, T: Entries> LeafFiller<'_, G, S, T> {
    /// Derives the entries of a group, which were empty, from the guest's.
    #[inline(always)]
    fn fill_group(&mut self, probe: &mut impl Probe, group: Group, raw: [u64; GROUP]) {
        let entries = if G::is_plain_page(raw.iter().fold(u64::MAX, |all, raw| all & raw)) {
            self.derive_each(probe, group, raw, |_| true)
        } else {
            self.derive_each(probe, group, raw, G::is_plain_page)
        };
        self.table.set_group(group, entries);
    }

    /// The shadows of a group's entries. `is_plain` tells whether one is a page with its accessed flag.
    #[inline(always)]
    fn derive_each(
        &mut self,
        probe: &mut impl Probe,
        group: Group,
        raw: [u64; GROUP],
        is_plain: impl Fn(u64) -> bool,
    ) -> [u64; GROUP] {
        let mut entries = raw;
        for (member, entry) in entries.iter_mut().enumerate() {
            let span = probe.start();
            let slot = Slot::new(self.page, group.member(member));
            *entry = if is_plain(*entry) {
                self.derive_plain(slot, *entry)
            } else {
                other_leaf::<G, S>(self.output_bits, *entry)
            };
            probe.stop(Event::L1ePropagate, span);
            probe.count(Event::ShadowEntries, 1);
        }
        entries
    }

    /// The shadow of a page with its accessed flag, entered in the reverse map.
    #[inline(always)]
    fn derive_plain(&mut self, slot: Slot, raw: u64) -> u64 {
        let place = G::plain_frame(raw).number().wrapping_sub(self.ram);
        match self.records.get_mut(place as usize) {
            Some(record) => {
                record.leaves.add(self.nodes, slot.bits());
                let leaf = S::moved_leaf(raw, self.distance);
                if record.shadows == 0 { leaf } else { protected::<G, S>(leaf) }
            }
            None => other_leaf::<G, S>(self.output_bits, raw),
        }
    }
}

/// Whether any entry of a group is live. Most entries of most tables are not.
#[inline(always)]
pub(super) fn any_live<G: GuestFormat>(raw: &[u64; GROUP]) -> bool {
    G::is_live(raw.iter().fold(0, |all, raw| all | raw))
}

/// The shadow leaf `leaf` of a table.
#[cold]
fn protected<G: GuestFormat, S: ShadowFormat<G>>(leaf: u64) -> u64 {
    S::protect_leaf(leaf, true)
}

/// The shadow of an entry of a leaf table that is no page of RAM with its accessed flag.
#[cold]
fn other_leaf<G: GuestFormat, S: ShadowFormat<G>>(output_bits: u32, raw: u64) -> u64 {
    match G::decode::<GuestPhys>(Level::PAGE, raw) {
        Entry::Leaf(to) if to.start().bits() >> output_bits != 0 => S::refused(Level::PAGE, raw),
        Entry::Leaf(_) if !G::accessed(raw) => S::unaccessed(Level::PAGE, raw),
        Entry::Leaf(to) => S::device_leaf(Level::PAGE, raw, to),
        Entry::Hole | Entry::Table(_) => S::ABSENT,
    }
}
