//! Leaf tables: filled, and given up.
//!
//! These loops decide what a fill and the end of an address space cost, since nearly all entries stand in
//! leaf tables. Entries are taken eight at a time: a group without any is passed at one look, and one more
//! tells whether all are of the common kind. Of that kind an entry costs its place among the records, and one look
//! at its record for the protection and one for the reverse map; whatever else can be is one branch to code that
//! stands elsewhere. What does not change is held in fields that become registers.

use core::marker::PhantomData;

use probe::{Event, Probe};

use crate::addr::{GuestPhys, Index, Level};
use crate::entry::{Entry, Shadowed};
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Entries, Env, GROUP, Group, Memory, World};
use crate::pool::PageId;
use crate::shadow::around::Window;
use crate::shadow::page::Slot;
use crate::shadow::reverse::Nodes;
use crate::shadow::{Record, Shadow};
use crate::switch::{Switch, Switches};

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// Derives the entries of the new, empty leaf table in which `asked` was asked for from those of
    /// `guest`, which nobody else writes now: each is looked at more than once.
    pub(super) fn fill_leaves<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        asked: Slot,
        guest: &impl Entries,
    ) {
        let window = self.first_window(asked);
        let filled = self.fill_window(world, asked.page(), window, guest);
        let left = if S::UNKNOWN_LEAVES {
            self.leave_others(world, asked.page(), window, guest)
        } else {
            0
        };
        self.filled_first(world, asked, [filled, left]);
    }

    /// Derives the entries of the new, empty leaf table in which `asked` was asked for from the parts of
    /// the guest's `block` of `level`. The parts stand in the table first.
    pub(super) fn fill_parts<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        asked: Slot,
        level: Level,
        block: u64,
    ) {
        let window = self.first_window(asked);
        let table = world.memory.table(asked.page());
        for part in window.groups().flat_map(Group::members) {
            table.set(part, S::part(level, block, part));
        }
        let filled = self.fill_window(world, asked.page(), window, table);
        let unknown = [S::unknown(Level::PAGE, block); GROUP];
        let others = window.others().map(|group| table.set_group(group, unknown));
        let left = others.count() as u32;
        self.filled_first(world, asked, [filled, left]);
    }

    /// Derives the entries of `window` of the new leaf table `page`. Returns how many groups there are with
    /// any.
    #[inline(always)]
    fn fill_window<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        page: PageId,
        window: Window,
        guest: &impl Entries,
    ) -> u32 {
        let mut filled = 0;
        let (mut leaves, table) = (self.leaves(page), world.memory.table(page));
        for group in window.groups() {
            let any = guest.any(group);
            if any != 0 {
                filled += 1;
                leaves.fill(world.probe, (guest, any), table, group);
            }
        }
        filled
    }

    /// Derives those entries of `group` of the leaf table `page` that are unknown from what `guest` tells.
    pub(super) fn fill_unknown<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        page: PageId,
        group: Group,
        guest: impl Fn(Index) -> u64,
    ) {
        let (mut leaves, table) = (self.leaves(page), world.memory.table(page));
        for at in group.members() {
            if S::is_unknown_leaf(table.get(at)) {
                table.set(at, leaves.fill_one(world.probe, at, guest(at)));
            }
        }
    }

    /// Takes every entry out of the leaf table `page`, to which nothing leads.
    pub(super) fn drain_leaves<E: Env>(&mut self, world: &World<'_, E>, page: PageId) {
        let (mut leaves, table) = (self.leaves(page), world.memory.table(page));
        for group in Group::all() {
            let any = table.any(group);
            if any != 0 {
                leaves.drain(table, group, any);
            }
        }
    }

    /// What fills and drains the leaf table `page`.
    #[inline(always)]
    pub(super) fn leaves(&mut self, page: PageId) -> Leaves<'_, G, S, C> {
        let Self { reach: layout, regime, records, nodes, switches, .. } = self;
        Leaves {
            page,
            records: records[0].get_mut(..layout.frames() as usize).unwrap_or_default(),
            nodes,
            ram: layout.ram().number(),
            host: layout.backing().number(),
            distance: layout.distance(),
            output_bits: G::output_bits(regime),
            switches: *switches,
            formats: PhantomData,
        }
    }
}

/// The entries of one leaf table, and what they refer to.
pub(super) struct Leaves<'w, G, S, C> {
    page: PageId,
    /// The records of the guest's RAM.
    records: &'w mut [Record],
    nodes: &'w mut Nodes,
    /// The number of RAM's first frame.
    ram: u64,
    /// The number of the host's frame behind it.
    host: u64,
    /// How far a frame of RAM stands behind its own address.
    pub(super) distance: u64,
    output_bits: u32,
    pub(super) switches: C,
    formats: PhantomData<(G, S)>,
}

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Leaves<'_, G, S, C> {
    /// Derives the entries of a group, `any` or'ed, and notes them in the reverse map.
    #[inline(always)]
    pub(super) fn fill(
        &mut self,
        probe: &mut impl Probe,
        (guest, any): (&impl Entries, u64),
        table: &impl Entries,
        group: Group,
    ) {
        let all = guest.all(group);
        match S::besides(all, any) {
            Some(besides) if G::is_plain_page(all) => {
                let moved = self.distance.wrapping_add(besides);
                guest.map_group(group, table, |at, raw| {
                    measured::<G, S>(probe, || self.plain(Slot::new(self.page, at), raw, moved))
                });
            }
            _ => self.fill_mixed(probe, guest, table, group),
        }
    }

    /// The same for entries of several kinds.
    #[inline(never)]
    fn fill_mixed(
        &mut self,
        probe: &mut impl Probe,
        guest: &impl Entries,
        table: &impl Entries,
        group: Group,
    ) {
        for at in group.members() {
            table.set(at, self.fill_one(probe, at, guest.get(at)));
        }
    }

    /// The shadow of the guest's entry `raw` at `at`, noted in the reverse map.
    #[inline(always)]
    fn fill_one(&mut self, probe: &mut impl Probe, at: Index, raw: u64) -> u64 {
        measured::<G, S>(probe, || match S::besides(raw, raw) {
            Some(besides) if G::is_plain_page(raw) => {
                let moved = self.distance.wrapping_add(besides);
                self.plain(Slot::new(self.page, at), raw, moved)
            }
            _ => self.other(raw),
        })
    }

    /// The shadow of a page with its accessed flag: `moved` is what it has besides what the guest's has.
    #[inline(always)]
    fn plain(&mut self, slot: Slot, raw: u64, moved: u64) -> u64 {
        let place = G::plain_frame(raw).number().wrapping_sub(self.ram);
        let listed = self.switches.has(Switch::ReverseMap);
        let is_common = match self.records.get_mut(place as usize) {
            Some(record) if listed => record.add_in_place(slot),
            Some(record) => record.shadows == 0,
            None => false,
        };
        if is_common { S::copied_leaf(raw, moved) } else { self.uncommon(slot, raw, moved) }
    }

    /// The same where the page is a table, is mapped several times already, or is not RAM.
    #[cold]
    #[inline(never)]
    fn uncommon(&mut self, slot: Slot, raw: u64, moved: u64) -> u64 {
        let place = G::plain_frame(raw).number().wrapping_sub(self.ram);
        match self.records.get_mut(place as usize) {
            Some(record) => {
                if self.switches.has(Switch::ReverseMap) {
                    record.leaves.add(self.nodes, slot.bits());
                }
                S::protect_leaf(S::copied_leaf(raw, moved), record.shadows != 0)
            }
            None => self.other(raw),
        }
    }

    /// The shadow of an entry that is no page of RAM with its accessed flag.
    fn other(&self, raw: u64) -> u64 {
        match G::decode::<GuestPhys>(Level::PAGE, raw) {
            Entry::Leaf(to) if to.start().bits() >> self.output_bits != 0 => {
                S::refused(Level::PAGE, raw)
            }
            Entry::Leaf(_) if !G::accessed(raw) => S::unaccessed(Level::PAGE, raw),
            Entry::Leaf(to) => S::device_leaf(Level::PAGE, raw, to),
            Entry::Hole | Entry::Table(_) => S::ABSENT,
        }
    }

    /// Takes the entries of a group, `any` or'ed, out of the table and of the reverse map.
    #[inline(always)]
    pub(super) fn drain(&mut self, table: &impl Entries, group: Group, any: u64) {
        let listed = self.switches.has(Switch::ReverseMap);
        match S::may_map(table.all(group), any) {
            Some(true) if listed => table.map_group(group, table, |at, entry| {
                self.take_out(Slot::new(self.page, at), entry);
                S::ABSENT
            }),
            None if listed => self.drain_mixed(table, group),
            _ => table.set_group(group, [S::ABSENT; GROUP]),
        }
    }

    /// The same for entries of several kinds.
    #[inline(never)]
    fn drain_mixed(&mut self, table: &impl Entries, group: Group) {
        for at in group.members() {
            let entry = table.get(at);
            table.set(at, S::ABSENT);
            if S::may_map(entry, entry) == Some(true) {
                self.take_out(Slot::new(self.page, at), entry);
            }
        }
    }

    /// Takes the leaf `entry` out of the list of what it maps.
    #[inline(always)]
    fn take_out(&mut self, slot: Slot, entry: u64) {
        let place = S::mapped_frame(entry).number().wrapping_sub(self.host);
        let record = self.records.get_mut(place as usize);
        if !record.is_some_and(|record| record.leaves.remove_in_place(slot.bits())) {
            self.take_out_uncommon(slot, entry);
        }
    }

    /// The same where the list has nodes, the leaf is protected, or there is none.
    #[cold]
    #[inline(never)]
    fn take_out_uncommon(&mut self, slot: Slot, entry: u64) {
        if let Shadowed::Leaf { to, .. } = S::shadowed(Level::PAGE, entry) {
            let place = to.number().wrapping_sub(self.host);
            if let Some(record) = self.records.get_mut(place as usize) {
                record.leaves.remove(self.nodes, slot.bits());
            }
        }
    }
}

/// Counts one entry that `derive` makes, and how long that takes.
#[inline(always)]
fn measured<G: GuestFormat, S: ShadowFormat<G>>(
    probe: &mut impl Probe,
    derive: impl FnOnce() -> u64,
) -> u64 {
    let span = probe.start();
    let entry = derive();
    probe.stop(Event::L1ePropagate, span);
    probe.count(Event::ShadowEntries, 1);
    if S::UNKNOWN_LEAVES && S::is_cached(entry) {
        probe.count(Event::AroundFilled, 1);
    }
    entry
}
