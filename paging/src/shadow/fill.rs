//! Filling: shadow pages come into being where the hardware found none.

use probe::{Event, Probe};

use crate::addr::{Frame, GuestPhys, Gva, Index, Level};
use crate::entry::{Entry, Shadowed};
use crate::fault::{GuestFault, Verdict};
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Entries, Env, Group, Memory, World};
use crate::pool::{OutOfFrames, PageId};
use crate::shadow::page::{Page, Slot, Source};
use crate::shadow::{RESERVE_FRAMES, RESERVE_NODES, Shadow};
use crate::switch::{Switch, Switches};

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// The hardware met an unknown entry on the way to `at`: makes the whole way known, down to
    /// a filled leaf table, at once.
    pub(super) fn missing<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gva,
    ) -> Result<Verdict, OutOfFrames> {
        self.runs.end_runs();
        self.reserve(world, RESERVE_FRAMES, RESERVE_NODES)?;
        Ok(match self.make_way(world, at)? {
            Way::Known => self.retry(world, at),
            Way::Made => Verdict::Resume,
            Way::Fault(fault) => Verdict::Reflect(fault),
        })
    }

    /// Makes the way to `at` known from its root on. Frames and nodes were reserved.
    #[inline(always)]
    pub(super) fn make_way<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gva,
    ) -> Result<Way, OutOfFrames> {
        let start = G::start(&self.regime, at);
        let root = start.and_then(|start| self.contexts.root(start.half));
        let (Some(start), Some(root)) = (start, root) else {
            // The hardware found a root where the registers have none: the fault was of before.
            return Ok(Way::Known);
        };
        if self.pages[root.number() as usize].source == Source::Broken {
            return Ok(Way::Fault(self.root_fault(start.half, start.level)));
        }
        let index = start.index(self.roots[start.half], at);
        self.know(world, Slot::new(root, index), at)
    }

    /// Makes the way to `at` known from `slot` on. What is new is made whole before the entry that
    /// leads to it is written, so the hardware sees one change.
    fn know<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        slot: Slot,
        at: Gva,
    ) -> Result<Way, OutOfFrames> {
        let described = &mut self.pages[slot.page().number() as usize];
        described.young = true;
        described.used = slot.index();
        let level = described.level;
        let Some(below) = level.below() else { return Ok(self.know_leaf(world, slot)) };
        let slot_in = |page| Slot::new(page, Index::of(at.bits(), below));
        match S::shadowed(level, self.entry(world, slot)) {
            Shadowed::Table(frame) => match world.memory.page_of(frame) {
                Some(next) => self.know(world, slot_in(next), at),
                None => Ok(Way::Known),
            },
            Shadowed::Unknown => {
                let raw = self.guest_entry(world, slot).unwrap_or_default();
                let next = match self.resolve_unknown(world, slot, (level, raw), at)? {
                    Resolved::Page(next) => next,
                    Resolved::Entry => return Ok(Way::Made),
                    Resolved::Nothing => return Ok(Way::Known),
                    Resolved::Fault(fault) => return Ok(Way::Fault(fault)),
                };
                let beyond = self.know(world, slot_in(next), at)?;
                let link = S::shadow_table(level, raw, world.memory.frame_of(next));
                self.replace(world, slot, link);
                Ok(if let Way::Known = beyond { Way::Made } else { beyond })
            }
            Shadowed::Absent | Shadowed::Leaf { .. } | Shadowed::Device => Ok(Way::Known),
        }
    }

    /// Makes the leaf in `slot` known, with those around it.
    #[inline(always)]
    fn know_leaf<E: Env>(&mut self, world: &mut World<'_, E>, slot: Slot) -> Way {
        if S::UNKNOWN_LEAVES
            && S::is_unknown_leaf(self.entry(world, slot))
            && let Some(raw) = self.guest_entry(world, slot)
        {
            self.fill_around(world, slot, raw);
            return Way::Made;
        }
        Way::Known
    }

    /// Nothing was unknown: the TLB remembered an older entry. It forgets, and the guest tries again.
    #[inline(always)]
    pub(super) fn retry<E: Env>(&self, world: &mut World<'_, E>, at: Gva) -> Verdict {
        self.forget(world, at);
        Verdict::Resume
    }

    #[cold]
    #[inline(never)]
    fn forget<E: Env>(&self, world: &mut World<'_, E>, at: Gva) {
        world.probe.count(Event::Retried, 1);
        self.flush(world, Some(at));
    }

    /// What a walk from a root outside RAM meets.
    fn root_fault(&self, half: usize, level: Level) -> GuestFault {
        let base = self.roots[half].bits();
        if base >> G::output_bits(&self.regime) == 0 {
            GuestFault::WalkAbort(level)
        } else {
            GuestFault::AddressSize(Level::TOP)
        }
    }

    /// What becomes of the unknown entry `slot`, whose guest entry is `raw`. An entry that leads to
    /// a page is not written yet, and the page is made for the way to `at`.
    fn resolve_unknown<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        slot: Slot,
        (level, raw): (Level, u64),
        at: Gva,
    ) -> Result<Resolved, OutOfFrames> {
        let Some(below) = level.below() else { return Ok(Resolved::Entry) };
        let asked = Index::of(at.bits(), below);
        if G::KEEPS_FLAGS && !self.is_usable(level, raw) {
            return Ok(Resolved::Nothing);
        }
        let entry = match G::decode::<GuestPhys>(level, raw) {
            Entry::Table(frame) => {
                return match self.find(frame, below) {
                    Some(page) => Ok(Resolved::Page(page)),
                    None if self.reach.ram_index(frame).is_none() => {
                        Ok(Resolved::Fault(G::nowhere(below)))
                    }
                    None => self.make_shadow(world, frame, below, asked).map(Resolved::Page),
                };
            }
            Entry::Leaf(_) => self.derive(world, level, raw),
            Entry::Hole => S::ABSENT,
        };
        if S::shadowed(level, entry) == Shadowed::Unknown {
            return self.make_split(world, level, raw, asked).map(Resolved::Page);
        }
        self.replace(world, slot, entry);
        Ok(Resolved::Entry)
    }

    /// Whether the guest's entry `raw` of a table of `level` leads anywhere, with its flags as they are.
    fn is_usable(&self, level: Level, raw: u64) -> bool {
        match G::decode::<GuestPhys>(level, raw) {
            Entry::Table(to) | Entry::Leaf(to) => {
                G::accessed(raw) && G::refusal(&self.regime, level, raw, to).is_none()
            }
            Entry::Hole => false,
        }
    }

    /// Shadows the table in `frame` as used at `level`, of which the entry `asked` was asked for. A frame was
    /// reserved.
    pub(super) fn make_shadow<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        frame: Frame<GuestPhys>,
        level: Level,
        asked: Index,
    ) -> Result<PageId, OutOfFrames> {
        if let Some(page) = self.take_back(world, frame, level) {
            return Ok(page);
        }
        let span = world.probe.start();
        if self.switches.has(Switch::WriteFlood) {
            self.judge(world, frame, level);
        }
        let page = world.pool.alloc(world.memory)?;
        self.pages[page.number() as usize] = Page::new(Source::Table(frame), level);
        if !self.is_table(frame) {
            self.take_frame(world, frame);
        }
        self.enlist(page, frame, Level::PAGE);
        self.fill(world, Slot::new(page, asked), level, frame);
        world.probe.stop(Event::ShMakeShadow, span);
        Ok(page)
    }

    /// Takes `frame` for a table: no store reaches it unseen from here on.
    fn take_frame<E: Env>(&mut self, world: &mut World<'_, E>, frame: Frame<GuestPhys>) {
        let span = world.probe.start();
        for level in [Level::BLOCK_2M, Level::BLOCK_1G] {
            if let Some(index) = self.record_index(frame, level)
                && let Some(record) = self.records[level.number()].get_mut(index)
            {
                record.tables += 1;
                if record.tables == 1 {
                    self.idle.remove((level, index));
                    self.forget_blocks(world, level, index);
                }
            }
        }
        self.remove_write_access(world, frame);
        world.probe.stop(Event::GetPage, span);
    }

    /// Makes the leaves that map a whole block unknown, so that they are split when they are used.
    fn forget_blocks<E: Env>(&mut self, world: &mut World<'_, E>, level: Level, index: usize) {
        while let Some(slot) = self.any_leaf(world, level, index) {
            self.replace(world, slot, S::unknown(level, S::ABSENT));
            world.probe.count(Event::Split, 1);
        }
    }

    /// Takes write access to `frame` out of every leaf that maps it.
    pub(super) fn remove_write_access<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        frame: Frame<GuestPhys>,
    ) {
        let span = world.probe.start();
        self.protect(world, frame, true);
        world.probe.stop(Event::ShRemoveWriteAccess, span);
    }

    /// Sets or clears the store protection of every leaf that maps `frame`.
    pub(super) fn protect<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        frame: Frame<GuestPhys>,
        protect: bool,
    ) {
        let Some(index) = self.reach.ram_index(frame) else { return };
        self.each_leaf(world, index, |shadow, world, slot| {
            let old = shadow.entry(world, slot);
            let new = S::protect_leaf(old, protect);
            if new != old {
                shadow.write(world, slot, new);
            }
        });
    }

    /// A page of the parts of the guest's block `block`, of which the part `asked` was asked for. A frame
    /// was reserved.
    fn make_split<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        level: Level,
        block: u64,
        asked: Index,
    ) -> Result<PageId, OutOfFrames> {
        let page = world.pool.alloc(world.memory)?;
        let below = level.below().unwrap_or(Level::PAGE);
        self.pages[page.number() as usize] = Page::new(Source::Split { block, level }, below);
        if let Entry::Leaf(to) = G::decode::<GuestPhys>(level, block) {
            self.enlist(page, to, level);
        }
        let span = world.probe.start();
        if below == Level::PAGE && G::has_plain_pages(&self.regime) {
            self.fill_parts(world, Slot::new(page, asked), level, block);
        } else {
            for index in Index::all() {
                let (slot, raw) = (Slot::new(page, index), S::part(level, block, index));
                self.fill_entry(world, slot, below, raw);
            }
        }
        world.probe.stop(Event::ShMapAndValidate, span);
        Ok(page)
    }

    /// Adds `page` to the list of the record of `level` that `frame` lies in, if there is one.
    fn enlist(&mut self, page: PageId, frame: Frame<GuestPhys>, level: Level) {
        if let Some(index) = self.record_index(frame, level)
            && let Some(record) = self.records[level.number()].get_mut(index)
        {
            self.pages[page.number() as usize].next = record.shadows;
            record.shadows = page.number();
        }
    }

    /// Derives the entries of a new, empty page, in which `asked` was asked for, from the guest table in
    /// `frame`.
    fn fill<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        asked: Slot,
        level: Level,
        frame: Frame<GuestPhys>,
    ) {
        let Some(guest) = world.memory.guest(frame) else { return };
        let span = world.probe.start();
        let event = if level == Level::PAGE && G::has_plain_pages(&self.regime) {
            self.fill_leaves(world, asked, guest);
            Event::ShMapAndValidate
        } else {
            for group in Group::all() {
                if guest.any(group) == 0 {
                    continue;
                }
                for at in group.members() {
                    let raw = guest.get(at);
                    if G::is_live(raw) {
                        self.fill_entry(world, Slot::new(asked.page(), at), level, raw);
                    }
                }
            }
            Event::ShFillTable
        };
        world.probe.stop(event, span);
    }

    /// Derives the entry `slot`, which was empty, from the guest's `raw`. Leaf tables have a faster way.
    fn fill_entry<E: Env>(&mut self, world: &mut World<'_, E>, slot: Slot, level: Level, raw: u64) {
        let span = world.probe.start();
        let entry = self.derive(world, level, raw);
        self.refer(world, slot, level, entry);
        world.memory.table(slot.page()).set(slot.index(), entry);
        world.probe.stop(Event::L2ePropagate, span);
        world.probe.count(Event::ShadowEntries, 1);
    }
}

/// What the way to an address is like.
pub(super) enum Way {
    /// Nothing on it was unknown.
    Known,
    /// What was unknown has been made.
    Made,
    /// The guest's walk meets a fault.
    Fault(GuestFault),
}

/// What an unknown entry comes to.
enum Resolved {
    /// It is to lead to this page.
    Page(PageId),
    /// It leads to no page, and has been written.
    Entry,
    /// It stays unknown: a walk says what its use comes to.
    Nothing,
    /// The guest's walk meets a fault.
    Fault(GuestFault),
}
