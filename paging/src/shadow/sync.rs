//! Keeping the shadow in sync: what a guest entry makes of its shadow entry, and what a store to a
//! guest table has to change.

use probe::{Event, Probe};

use crate::addr::{Frame, Gpa, GuestPhys, Gva, Index, Level};
use crate::attrs::{Access, Kind};
use crate::entry::{Entry, Shadowed};
use crate::fault::{GuestFault, Verdict};
use crate::format::{GuestFormat, ShadowFormat};
use crate::layout::Backing;
use crate::mem::{ENTRY_SHIFT, Entries, Env, Memory, World};
use crate::pool::{OutOfFrames, PageId};
use crate::shadow::page::{Slot, Source};
use crate::shadow::{RESERVE_FRAMES, RESERVE_NODES, Shadow};
use crate::switch::Switches;
use crate::walk::{self, Translation};

/// At how many levels a table can be used: it has a shadow page for each at most.
pub(super) const LEVELS: usize = 4;
/// How many guest tables one instruction may have open.
pub(super) const OPEN: usize = 4;

/// A guest table that one instruction may write to unseen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Opened {
    frame: Frame<GuestPhys>,
    first: Index,
    last: Index,
}

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// The shadow of the guest's entry `raw` in a table of `level`, as things stand. It refers to
    /// nothing yet.
    #[inline(always)]
    pub(super) fn derive<E: Env>(&self, world: &World<'_, E>, level: Level, raw: u64) -> u64 {
        let refused = |to: Frame<GuestPhys>| G::refusal(&self.regime, level, raw, to).is_some();
        match (G::decode::<GuestPhys>(level, raw), level.below()) {
            (Entry::Hole, _) | (Entry::Table(_), None) => S::ABSENT,
            (Entry::Table(to) | Entry::Leaf(to), _) if refused(to) => S::refused(level, raw),
            (Entry::Table(_), _) if G::KEEPS_FLAGS && !G::accessed(raw) => {
                S::unaccessed(level, raw)
            }
            (Entry::Table(to), Some(below)) => match self.find(to, below) {
                Some(page) => S::shadow_table(level, raw, world.memory.frame_of(page)),
                None => S::unknown(level, raw),
            },
            (Entry::Leaf(_), _) if !G::accessed(raw) => S::unaccessed(level, raw),
            (Entry::Leaf(to), None) => match self.reach.resolve(to) {
                Some(host) => S::shadow_leaf(level, raw, host, self.is_table(to)),
                None => S::device_leaf(level, raw, to),
            },
            (Entry::Leaf(to), Some(_)) => match self.reach.block(to, level) {
                Backing::Device => S::device_leaf(level, raw, to),
                Backing::Ram(host) if level <= self.largest && self.tables_in(to, level) == 0 => {
                    S::shadow_leaf(level, raw, host, false)
                }
                Backing::Ram(_) | Backing::Mixed => S::unknown(level, raw),
            },
        }
    }

    /// The same for an entry of a leaf table: what most stores leave comes first, nothing and a page of RAM.
    #[inline(always)]
    fn derive_leaf<E: Env>(&self, world: &World<'_, E>, raw: u64) -> u64 {
        if !G::is_live(raw) {
            return S::ABSENT;
        }
        if G::is_plain_page(raw)
            && G::has_plain_pages(&self.regime)
            && let Some(index) = self.reach.ram_index(G::plain_frame(raw))
            && let Some(record) = self.records[0].get(index)
        {
            let leaf = S::moved_leaf(raw, self.reach.distance());
            return if record.shadows == 0 { leaf } else { S::protect_leaf(leaf, true) };
        }
        self.derive(world, Level::PAGE, raw)
    }

    /// How many frames of the block at `frame` have shadow pages.
    fn tables_in(&self, frame: Frame<GuestPhys>, level: Level) -> u32 {
        self.record_index(frame, level)
            .and_then(|index| self.records[level.number()].get(index))
            .map_or(0, |record| record.tables)
    }

    /// Notes what the shadow entry `entry`, which comes to stand in `slot`, refers to.
    #[inline(always)]
    pub(super) fn refer<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        slot: Slot,
        level: Level,
        entry: u64,
    ) {
        match S::shadowed(level, entry) {
            Shadowed::Leaf { to, .. } => {
                if level > Level::PAGE {
                    world.probe.count(Event::BlockMapped, 1);
                }
                if let Some(index) = self.leaf_record(level, to) {
                    self.add_leaf(level, index, slot);
                }
            }
            Shadowed::Table(to) => {
                if let Some(page) = world.memory.page_of(to) {
                    let page = &mut self.pages[page.number() as usize];
                    page.parents.add(&mut self.nodes, slot.bits());
                    self.stores.changes.count();
                }
            }
            Shadowed::Absent | Shadowed::Unknown | Shadowed::Device => {}
        }
    }

    /// Takes back what [`refer`](Self::refer) noted. A shadow page to which nothing leads any more
    /// is given up.
    #[inline(always)]
    pub(super) fn release<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        slot: Slot,
        level: Level,
        entry: u64,
    ) {
        match S::shadowed(level, entry) {
            Shadowed::Leaf { to, .. } => {
                if let Some(index) = self.leaf_record(level, to) {
                    self.remove_leaf(level, index, slot);
                }
            }
            Shadowed::Table(to) => {
                if let Some(page) = world.memory.page_of(to) {
                    let described = &mut self.pages[page.number() as usize];
                    described.parents.remove(&mut self.nodes, slot.bits());
                    self.stores.changes.count();
                    if described.is_orphan() {
                        self.destroy(world, page);
                    }
                }
            }
            Shadowed::Absent | Shadowed::Unknown | Shadowed::Device => {}
        }
    }

    /// Where the block at the host's `frame` is described.
    #[inline]
    pub(super) fn leaf_record(
        &self,
        level: Level,
        frame: Frame<crate::addr::HostPhys>,
    ) -> Option<usize> {
        let at = self.reach.guest_address(frame.start())?;
        self.record_index(at.frame(), level)
    }

    /// Puts `entry` into `slot`, with what it refers to.
    pub(super) fn replace<E: Env>(&mut self, world: &mut World<'_, E>, slot: Slot, entry: u64) {
        let level = self.pages[slot.page().number() as usize].level;
        self.replace_at(world, slot, level, entry);
    }

    /// The same for a `slot` of a page of `level`: where that is known, most of this goes away.
    #[inline(always)]
    fn replace_at<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        slot: Slot,
        level: Level,
        entry: u64,
    ) {
        let old = self.entry(world, slot);
        if old == entry {
            return;
        }
        let refers_to = |entry| match S::shadowed(level, entry) {
            Shadowed::Leaf { to, .. } | Shadowed::Table(to) => Some(to),
            Shadowed::Absent | Shadowed::Unknown | Shadowed::Device => None,
        };
        self.write_at(world, slot, level, entry);
        if refers_to(old) != refers_to(entry) {
            self.refer(world, slot, level, entry);
            self.release(world, slot, level, old);
        }
    }

    /// Derives the shadow entry `slot` from the guest's entry, which is `raw` now.
    #[inline(always)]
    pub(super) fn propagate<E: Env>(&mut self, world: &mut World<'_, E>, slot: Slot, raw: u64) {
        let span = world.probe.start();
        let level = self.pages[slot.page().number() as usize].level;
        let event = if level == Level::PAGE {
            let entry = self.derive_leaf(world, raw);
            self.replace_at(world, slot, Level::PAGE, entry);
            Event::L1ePropagate
        } else {
            self.propagate_table(world, slot, level, raw);
            Event::L2ePropagate
        };
        world.probe.stop(event, span);
    }

    /// [`propagate`](Self::propagate), once in the image for all callers that are not hot.
    #[inline(never)]
    pub(super) fn propagate_again<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        slot: Slot,
        raw: u64,
    ) {
        self.propagate(world, slot, raw);
    }

    /// The same for an entry above the leaf tables.
    fn propagate_table<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        slot: Slot,
        level: Level,
        raw: u64,
    ) {
        if !self.splits(world, slot, level, raw) {
            let entry = self.derive(world, level, raw);
            self.replace(world, slot, entry);
        }
    }

    /// Whether `slot` leads to the parts of the very block `raw`.
    pub(super) fn splits<E: Env>(
        &self,
        world: &World<'_, E>,
        slot: Slot,
        level: Level,
        raw: u64,
    ) -> bool {
        match S::shadowed(level, self.entry(world, slot)) {
            Shadowed::Table(to) => world.memory.page_of(to).is_some_and(|page| {
                self.pages[page.number() as usize].source == Source::Split { block: raw, level }
            }),
            _ => false,
        }
    }

    /// The guest's entries `first` to `last` of the table in `frame` may have changed: brings every
    /// shadow of that table up to date.
    fn sync<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        (frame, guest): (Frame<GuestPhys>, &<E::Memory as Memory>::Guest),
        first: Index,
        last: Index,
    ) {
        for place in first.get()..=last.get() {
            let index = Index::wrapping(place as u32);
            self.sync_each(world, frame, index, guest.get(index));
        }
        if let Some(page) = self.only_shadow(frame)
            && self.is_look_due(page)
        {
            self.look_at_run(world, frame, guest.get(first));
        }
    }

    /// The guest's entry `index` of the table in `frame` is `raw` now.
    #[inline(always)]
    pub(super) fn sync_entry<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        frame: Frame<GuestPhys>,
        index: Index,
        raw: u64,
    ) {
        match self.only_shadow(frame) {
            Some(page) => {
                let slot = Slot::new(page, index);
                if self.is_abandoned(world, page, index) {
                } else if self.is_look_due(page) {
                    self.propagate_and_look(world, frame, slot, raw);
                } else {
                    self.propagate(world, slot, raw);
                }
            }
            None => self.sync_each(world, frame, index, raw),
        }
    }

    /// The same for one entry of a table that is used at several levels.
    #[cold]
    fn sync_each<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        frame: Frame<GuestPhys>,
        index: Index,
        raw: u64,
    ) {
        // A change may give up shadow pages, of this table too.
        for page in self.shadows_of(frame) {
            if self.pages[page.number() as usize].source == Source::Table(frame)
                && !self.is_abandoned(world, page, index)
            {
                self.propagate_again(world, Slot::new(page, index), raw);
            }
        }
    }

    /// The shadow page of the table in `frame`, if it has just one.
    #[inline]
    pub(super) fn only_shadow(&self, frame: Frame<GuestPhys>) -> Option<PageId> {
        let index = self.reach.ram_index(frame)?;
        let page = PageId::new(self.records[0].get(index)?.shadows)?;
        (self.pages[page.number() as usize].next == 0).then_some(page)
    }

    /// The shadow pages of the table in `frame` as they are now.
    pub(super) fn shadows_of(
        &self,
        frame: Frame<GuestPhys>,
    ) -> impl Iterator<Item = PageId> + use<G, S, C> {
        let record = self.reach.ram_index(frame).and_then(|index| self.records[0].get(index));
        let mut next = record.and_then(|record| PageId::new(record.shadows));
        let mut pages = [None; LEVELS];
        for page in &mut pages {
            let Some(here) = next else { break };
            *page = next;
            next = PageId::new(self.pages[here.number() as usize].next);
        }
        pages.into_iter().map_while(|page| page)
    }

    /// A store reached a leaf that is protected.
    pub(super) fn protected<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gva,
        gpa: Gpa,
    ) -> Verdict {
        if self.is_table(gpa.frame()) { Verdict::Store(gpa) } else { self.retry(world, at) }
    }

    /// Carries out the guest's store of the low `1 << width` bytes of `value` at `at`, which lies in
    /// a table of the guest's and does not cross its end.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] as in [`fault`](Self::fault). The store was not made then.
    #[inline]
    pub fn emulate_write<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gpa,
        width: u32,
        value: u64,
    ) -> Result<(), OutOfFrames> {
        let span = world.probe.start();
        let done = self.store(world, at, width, value);
        world.probe.stop(Event::ShEmulateWrite, span);
        done
    }

    /// The same, once in the image for all callers that are not hot.
    ///
    /// # Errors
    ///
    /// As in [`emulate_write`](Self::emulate_write).
    pub fn emulate_write_again<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gpa,
        width: u32,
        value: u64,
    ) -> Result<(), OutOfFrames> {
        let span = world.probe.start();
        let done = self.store_again(world, at, width, value);
        world.probe.stop(Event::ShEmulateWrite, span);
        done
    }

    /// The same for an exclusive store, which has been decided to succeed: `values` are one or two
    /// registers to be stored one behind the other.
    ///
    /// # Errors
    ///
    /// As in [`emulate_write`](Self::emulate_write).
    pub fn emulate_cmpxchg<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gpa,
        width: u32,
        values: [Option<u64>; 2],
    ) -> Result<(), OutOfFrames> {
        let span = world.probe.start();
        let mut done = Ok(());
        for (place, value) in values.into_iter().flatten().enumerate() {
            let at = Gpa::from_bits(at.bits().wrapping_add((place as u64) << width));
            done = done.and_then(|()| self.store_again(world, at, width, value));
        }
        world.probe.stop(Event::ShEmulateCmpxchg, span);
        done
    }

    /// [`store`](Self::store), once in the image for all callers that are not hot.
    #[inline(never)]
    fn store_again<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gpa,
        width: u32,
        value: u64,
    ) -> Result<(), OutOfFrames> {
        self.store(world, at, width, value)
    }

    #[inline(always)]
    fn store<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gpa,
        width: u32,
        value: u64,
    ) -> Result<(), OutOfFrames> {
        self.reserve(world, RESERVE_FRAMES, RESERVE_NODES)?;
        let first = at.page_offset();
        let last = first + (1 << width) - 1;
        let memory = world.memory;
        let Some(guest) = memory.guest(at.frame()) else { return Ok(()) };
        let index = |offset: u64| Index::wrapping((offset >> ENTRY_SHIFT) as u32);
        if width == ENTRY_SHIFT && first.is_multiple_of(1 << ENTRY_SHIFT) {
            guest.set(index(first), value);
            self.sync_entry(world, at.frame(), index(first), value);
        } else {
            for entry in [index(first), index(last)] {
                guest.set(entry, merged(guest.get(entry), entry, first, width, value));
            }
            self.sync(world, (at.frame(), guest), index(first), index(last));
        }
        Ok(())
    }

    /// Lets one instruction write to the guest table at `gpa` through the guest-virtual `at`, unseen: at
    /// most `reach` bytes before and behind. The instruction has to be the only one that runs before
    /// [`close`](Self::close).
    ///
    /// Returns whether it is open now: an instruction that writes to too many tables is not
    /// supported.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] as in [`fault`](Self::fault).
    pub fn open<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gva,
        gpa: Gpa,
        reach: u64,
    ) -> Result<bool, OutOfFrames> {
        let index = |offset: u64| Index::wrapping((offset >> ENTRY_SHIFT) as u32);
        let offset = gpa.page_offset();
        let opened = Opened {
            frame: gpa.frame(),
            first: index(offset.saturating_sub(reach)),
            last: index((offset + reach).min(Level::PAGE.size() - 1)),
        };
        if self.leaf_slot(world, at).is_none() {
            self.reserve(world, RESERVE_FRAMES, RESERVE_NODES)?;
            self.make_way(world, at)?;
        }
        let known = |place: &&mut Option<Opened>| place.is_none_or(|it| it == opened);
        let Some(place) = self.opened.iter_mut().find(known) else {
            return Ok(false);
        };
        *place = Some(opened);
        if let Some(slot) = self.leaf_slot(world, at) {
            let entry = self.entry(world, slot);
            if let Shadowed::Leaf { .. } = S::shadowed(Level::PAGE, entry) {
                self.write(world, slot, S::protect_leaf(entry, false));
            }
        }
        Ok(true)
    }

    /// The instruction for which tables were opened is over: they are protected again, and what it
    /// may have written is brought into the shadow.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] as in [`fault`](Self::fault).
    pub fn close<E: Env>(&mut self, world: &mut World<'_, E>) -> Result<(), OutOfFrames> {
        let span = world.probe.start();
        for opened in core::mem::take(&mut self.opened).into_iter().flatten() {
            if self.is_table(opened.frame) {
                self.protect(world, opened.frame, true);
            }
            self.reserve(world, RESERVE_FRAMES, RESERVE_NODES)?;
            let memory = world.memory;
            if let Some(guest) = memory.guest(opened.frame) {
                self.sync(world, (opened.frame, guest), opened.first, opened.last);
            }
        }
        world.probe.stop(Event::ShEmulateWrite, span);
        Ok(())
    }

    /// The leaf-level slot that translates `at` under the current roots, if the way to it is known.
    fn leaf_slot<E: Env>(&self, world: &World<'_, E>, at: Gva) -> Option<Slot> {
        let (slot, _) = self.last_slot(world, at)?;
        (self.pages[slot.page().number() as usize].level == Level::PAGE).then_some(slot)
    }

    /// Where the way to `at` under the current roots ends, as far as it is known, and what stands there.
    pub(super) fn last_slot<E: Env>(
        &self,
        world: &World<'_, E>,
        at: Gva,
    ) -> Option<(Slot, Shadowed)> {
        let start = G::start(&self.regime, at)?;
        let mut page: PageId = self.contexts.root(start.half)?;
        let mut index = start.index(self.roots[start.half], at);
        loop {
            let level = self.pages[page.number() as usize].level;
            let slot = Slot::new(page, index);
            match (level.below(), S::shadowed(level, self.entry(world, slot))) {
                (Some(below), Shadowed::Table(frame)) => {
                    page = world.memory.page_of(frame)?;
                    index = Index::of(at.bits(), below);
                }
                (_, what) => return Some((slot, what)),
            }
        }
    }

    /// What the guest's tables make of `at`, by the architecture's walk.
    ///
    /// # Errors
    ///
    /// The fault that an access there meets.
    pub fn translate<E: Env>(
        &self,
        world: &mut World<'_, E>,
        at: Gva,
    ) -> Result<Translation, GuestFault> {
        let span = world.probe.start();
        let found = walk::translate::<G>(world.memory, &self.regime, self.roots, at);
        world.probe.stop(Event::GuestWalkTables, span);
        found
    }

    /// The frame from which an instruction at `at` is fetched.
    ///
    /// # Errors
    ///
    /// The fault that the fetch meets.
    pub fn gva_to_gfn<E: Env>(
        &self,
        world: &mut World<'_, E>,
        at: Gva,
        user: bool,
    ) -> Result<Gpa, GuestFault> {
        let span = world.probe.start();
        let fetch = Access { kind: Kind::Execute, user, guarded: false };
        let found = self.translate(world, at).and_then(|found| {
            if fetch.allowed_by(found.rights) {
                Ok(found.gpa)
            } else {
                Err(GuestFault::Permission(found.level))
            }
        });
        world.probe.stop(Event::ShGvaToGfn, span);
        found
    }
}

/// Descriptor `entry`, which is `old`, after a store of `1 << width` bytes at page offset `first`.
#[cold]
fn merged(old: u64, entry: Index, first: u64, width: u32, value: u64) -> u64 {
    let start = (entry.get() as u64) << ENTRY_SHIFT;
    let bytes = 1_u64 << width;
    let mut new = old.to_le_bytes();
    for (place, byte) in new.iter_mut().enumerate() {
        let from = (start + place as u64).wrapping_sub(first);
        if from < bytes {
            *byte = (value >> (8 * from)) as u8;
        }
    }
    u64::from_le_bytes(new)
}
