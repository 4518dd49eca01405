//! Giving shadow pages up: because nothing leads to them, or to make room.

use probe::{Event, Probe};

use crate::addr::{Frame, GuestPhys, Level};
use crate::entry::Entry;
use crate::format::{GuestFormat, ShadowFormat};
use crate::layout::Backing;
use crate::mem::{Entries, Env, Group, Memory, World};
use crate::pool::{OutOfFrames, PageId};
use crate::shadow::flood::Guesses;
use crate::shadow::idle::{Block, Idle};
use crate::shadow::page::{Page, Slot, Source};
use crate::shadow::{MIN_FRAMES, Shadow};
use crate::switch::Switches;

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// Makes sure that `frames` frames and `nodes` nodes are free.
    #[inline]
    pub(super) fn reserve<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        frames: usize,
        nodes: usize,
    ) -> Result<(), OutOfFrames> {
        if world.pool.available() >= frames && self.nodes.available() >= nodes {
            return Ok(());
        }
        self.make_room(world, frames, nodes)
    }

    #[cold]
    fn make_room<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        frames: usize,
        nodes: usize,
    ) -> Result<(), OutOfFrames> {
        while world.pool.available() < frames || self.nodes.available() < nodes {
            if let Some(block) = self.idle.pop() {
                self.join(world, block);
                continue;
            }
            let victim = self.victim().ok_or(OutOfFrames)?;
            world.probe.count(Event::Evict, 1);
            self.evict(world, victim);
        }
        Ok(())
    }

    /// The page to be given up next: a clock goes round, and passes a page once that was used since
    /// it last came by. The current roots are never given up.
    fn victim(&mut self) -> Option<PageId> {
        let count = self.pages.len() as u32;
        for _ in 0..2 * count {
            self.hand = if self.hand + 1 >= count { 1 } else { self.hand + 1 };
            let Some(page) = PageId::new(self.hand) else { continue };
            let current = self.contexts.is_current_root(page);
            let described = &mut self.pages[self.hand as usize];
            if described.source == Source::Free || current {
                continue;
            }
            if !core::mem::take(&mut described.young) {
                return Some(page);
            }
        }
        None
    }

    /// Gives up `page`, whatever leads to it.
    pub(super) fn evict<E: Env>(&mut self, world: &mut World<'_, E>, page: PageId) {
        self.drop_contexts_of(world, page);
        self.cut_ways(world, page);
        // Leaving a context may have given the page up already.
        if self.pages[page.number() as usize].source != Source::Free {
            self.destroy(world, page);
        }
    }

    /// Makes every entry that leads to `page` unknown.
    pub(super) fn cut_ways<E: Env>(&mut self, world: &mut World<'_, E>, page: PageId) {
        while let Some(slot) = self.pages[page.number() as usize].parents.any() {
            let slot = Slot::from_bits(slot);
            let unknown = S::forget_table(self.entry(world, slot));
            self.write(world, slot, unknown);
            self.pages[page.number() as usize].parents.remove(&mut self.nodes, slot.bits());
            self.stores.changes.count();
        }
    }

    /// Gives back `page`, to which nothing leads. The TLB was told when the last way to it was cut.
    pub(super) fn destroy<E: Env>(&mut self, world: &mut World<'_, E>, page: PageId) {
        let span = world.probe.start();
        let described = self.pages[page.number() as usize];
        self.distances.learn(&described);
        // From here on no list of shadow pages finds it.
        self.delist(world, page, described);
        if described.level == Level::PAGE {
            self.drain_leaves(world, page);
        } else {
            self.drain_table(world, page, described.level);
        }
        self.pages[page.number() as usize] = Page::FREE;
        self.stores.changes.count();
        world.pool.free(page);
        let event = if described.level == Level::PAGE {
            Event::ShRemoveL1Shadow
        } else {
            Event::ShRemoveTable
        };
        world.probe.stop(event, span);
    }

    /// Takes every entry out of `page`, a table of tables and blocks.
    fn drain_table<E: Env>(&mut self, world: &mut World<'_, E>, page: PageId, level: Level) {
        let table = world.memory.table(page);
        for group in Group::all() {
            if table.any(group) == 0 {
                continue;
            }
            for at in group.members() {
                let entry = table.get(at);
                table.set(at, S::ABSENT);
                self.release(world, Slot::new(page, at), level, entry);
            }
        }
    }

    /// Takes `page` out of the list of its frame or block, and what that means for the frame.
    fn delist<E: Env>(&mut self, world: &mut World<'_, E>, page: PageId, described: Page) {
        let (frame, level) = match described.source {
            Source::Table(frame) => (frame, Level::PAGE),
            Source::Split { block, level } => match G::decode::<GuestPhys>(level, block) {
                Entry::Leaf(to) => (to, level),
                Entry::Hole | Entry::Table(_) => return,
            },
            Source::Free | Source::Broken => return,
        };
        let Some(index) = self.record_index(frame, level) else { return };
        let Some(record) = self.records[level.number()].get_mut(index) else { return };
        if level == Level::PAGE && record.tables == page.number() {
            record.tables = 0;
        } else if record.shadows == page.number() {
            record.shadows = described.next;
        } else {
            let mut next = record.shadows;
            while next != 0 {
                let before = &mut self.pages[next as usize];
                next = before.next;
                if next == page.number() {
                    before.next = described.next;
                    break;
                }
            }
        }
        if level == Level::PAGE && !self.is_table(frame) {
            self.give_frame_back(world, frame);
        }
    }

    /// `frame` is no longer a table: stores to it are the guest's own business again.
    fn give_frame_back<E: Env>(&mut self, world: &mut World<'_, E>, frame: Frame<GuestPhys>) {
        self.protect(world, frame, false);
        for level in [Level::BLOCK_2M, Level::BLOCK_1G] {
            if let Some(index) = self.record_index(frame, level)
                && let Some(record) = self.records[level.number()].get_mut(index)
            {
                record.tables -= 1;
                if record.tables == 0
                    && level <= self.largest
                    && let Some(oldest) = self.idle.push((level, index))
                {
                    self.join(world, oldest);
                }
            }
        }
    }

    /// Gives up the parts of a block in which no table is left, so that it is mapped whole at its
    /// next use.
    fn join<E: Env>(&mut self, world: &mut World<'_, E>, (level, index): Block) {
        let mut next = self.records[level.number()].get(index).map_or(0, |record| record.shadows);
        while let Some(page) = PageId::new(next) {
            next = self.pages[page.number() as usize].next;
            let Source::Split { block, .. } = self.pages[page.number() as usize].source else {
                continue;
            };
            if let Entry::Leaf(to) = G::decode::<GuestPhys>(level, block)
                && matches!(self.reach.block(to, level), Backing::Ram(_))
            {
                world.probe.count(Event::Join, 1);
                self.evict(world, page);
            }
        }
    }

    /// Gives up everything: paging was turned off, or means something else from now on.
    pub fn reset<E: Env>(&mut self, world: &mut World<'_, E>) {
        // Every page but those set aside is reached from some root, so all others go with the roots.
        self.drop_all_contexts(world);
        self.drop_aside(world);
        self.opened = [None; super::sync::OPEN];
        self.guesses = Guesses::NONE;
        self.idle = Idle::NONE;
        self.flush(world, None);
    }
}

const _: () = assert!(MIN_FRAMES > 2 * super::RESERVE_FRAMES);
