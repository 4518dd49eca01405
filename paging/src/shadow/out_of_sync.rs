//! Leaf tables out of sync: one that is stored to again and again is set aside until its next use.
//!
//! A store to a guest table costs an exit. A guest that clears, protects or fills hundreds of entries of
//! one leaf table before it uses any of them needs not hundreds of exits but two. After a run of stores
//! the table's shadow page is *set aside*: every entry that leads to it becomes unknown, the
//! TLB is told, and the table's frame loses its store protection. From then on stores to it are free.
//! The next use of any address below meets an unknown entry and exits, as it would had there never been a
//! shadow; the way is made, and where a shadow page would be filled, the one set aside is *taken back*: the
//! frame is protected again, and each entry that is not what the guest's entry makes of it now is derived anew.
//!
//! Invalidations by the guest need no exit for this, on any architecture, because the [invariants](super) hold
//! all the time:
//!
//! - **In sync** is a claim about what the hardware can reach, and no entry leads to a page set aside. Whether
//!   its entries are still right is found out when it is taken back, before the first entry leads to it again.
//! - **Protected**: the frame is no table meanwhile, so leaves that map it may be stored through. The leaves
//!   *in* the page set aside are kept like all others, protected if their frame is a table. So of an
//!   entry only the guest's part can be out of date, and that is compared.
//! - **Found**: those leaves stay in the reverse map, as what stands in the page and not what the guest has
//!   written since. Nothing leads to the page, so it has no parents.
//! - **Nothing stale**: the TLB was told when the last way was cut, and walks that meet an unknown entry
//!   leave nothing behind.
//! - **Bounded**: setting aside takes no frame and no node. Taking back takes no frame, and no more nodes than
//!   a fill. A page set aside is given up like any other when room is needed.
//!
//! No copy of the guest's entries is kept to compare with: the shadow is one. What a plain page's entry
//! should be is [a sum](ShadowFormat::moved_difference), so that is compared with what stands there.
//!
//! The blocks that the frame lies in keep counting it, or they would be joined and split for nothing.
//!
//! **Progress.** A table is set aside only after a store to it was carried out, so each exit gets the guest
//! further, also if the table maps the code that stores, its stack, or itself.
//!
//! **The guess.** Taking back costs as much as [some stores](ShadowFormat::RESYNC_IN_STORES); it was right to set
//! a table aside if as many entries have changed. A table is set aside after a run of stores to it in which
//! nothing else faulted; how long a run has to be is learnt for each [kind](StoreKind) of store, and for each page
//! whose last guess was wrong.

use probe::{Event, Probe};

use crate::addr::{Frame, GuestPhys, Level};
use crate::attrs::Rights;
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Entries, Env, Group, Memory, World};
use crate::pool::PageId;
use crate::shadow::Shadow;
use crate::shadow::around::leave;
use crate::shadow::leaves::Leaves;
use crate::shadow::page::{Slot, Source};
use crate::switch::{Switch, Switches};

/// The longest run that a kind of store asks for, in looks: more than there are stores that fill a table.
const MOST_PATIENCE: u8 = 64;
/// A run that is long, in looks.
const LONG: u8 = MOST_PATIENCE / 2;
/// Of so many long runs, one is tried although the patience is at its most.
const TRIAL: u8 = 16;
/// Stores to a table from one look to the next.
const STORES_A_LOOK: u8 = 8;
/// How often a page's run is doubled at most for wrong guesses.
const MOST_DOUBLED: u8 = 1;

/// What a store does to an entry of a leaf table. Rights are taken away for many pages at once, and given
/// to one that is about to be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum StoreKind {
    /// It maps nothing from here on.
    Clears,
    /// It maps a page that cannot be written.
    Restricts,
    /// It maps one that can.
    Grants,
}

/// A run of stores to one page, which is looked at after every few of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Stores to the next look.
    left: u8,
    /// When it was last looked at.
    epoch: u32,
    /// What the store was then.
    kind: StoreKind,
    /// Looks between which nothing but stores faulted.
    looks: u8,
    /// How many guesses in a row were wrong, for each kind of store.
    wrong: [u8; 3],
}

impl Run {
    /// None yet.
    pub(super) const NONE: Self =
        Self { left: STORES_A_LOOK, epoch: 0, kind: StoreKind::Clears, looks: 0, wrong: [0; 3] };

    /// A store of `kind` in `epoch` is looked at.
    const fn look(&mut self, epoch: u32, kind: StoreKind) {
        let goes_on = self.epoch == epoch && self.kind as u8 == kind as u8;
        self.looks = if goes_on { self.looks.saturating_add(1) } else { 0 };
        self.left = STORES_A_LOOK;
        self.epoch = epoch;
        self.kind = kind;
    }
}

/// What was learnt about runs of stores.
#[derive(Debug)]
pub(super) struct Runs {
    /// Faults that were no stores to tables, modulo 2^32.
    epoch: u32,
    /// How long a run has to be, for each kind of store.
    patience: [u8; 3],
    /// Long runs that were not long enough, modulo 2^8.
    long: u8,
}

impl Runs {
    /// Nothing yet.
    pub(super) const NEW: Self = Self { epoch: 1, patience: [1; 3], long: 0 };

    /// The guest did something else than to store to a table.
    #[inline(always)]
    pub(super) const fn end_runs(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Whether `run` is long enough.
    fn suffices(&mut self, run: &Run) -> bool {
        let kind = run.kind as usize;
        if run.looks == LONG && self.patience[kind] > LONG {
            self.long = self.long.wrapping_add(1);
            if self.long.is_multiple_of(TRIAL) {
                self.patience[kind] = LONG;
            }
        }
        run.looks >= self.patience[kind] << run.wrong[kind]
    }

    /// What `run` led to was `right`.
    fn learn(&mut self, run: &mut Run, right: bool) {
        let kind = run.kind as usize;
        let (patience, wrong) = (&mut self.patience[kind], &mut run.wrong[kind]);
        if right {
            *patience = (*patience / 2).max(1);
            *wrong = wrong.saturating_sub(1);
        } else {
            *patience = (*patience * 2).min(MOST_PATIENCE);
            *wrong = (*wrong + 1).min(MOST_DOUBLED);
        }
        run.looks = 0;
    }
}

const _: () = assert!(MOST_PATIENCE.leading_zeros() >= MOST_DOUBLED as u32);

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// Counts a store to the table that has the only shadow `page`. Returns whether it is time to look at its run.
    #[inline(always)]
    pub(super) fn is_look_due(&mut self, page: PageId) -> bool {
        if !self.switches.has(Switch::OutOfSync) {
            return false;
        }
        let left = &mut self.pages[page.number() as usize].run.left;
        *left = left.wrapping_sub(1);
        *left == 0
    }

    /// Carries out a store to the table in `frame` that made the entry of `slot`, in its only shadow, `raw`, and
    /// looks at the run that it belongs to.
    #[cold]
    #[inline(never)]
    pub(super) fn propagate_and_look<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        frame: Frame<GuestPhys>,
        slot: Slot,
        raw: u64,
    ) {
        self.propagate_again(world, slot, raw);
        self.look_at_run(world, frame, raw);
    }

    /// Sets the table in `frame` aside if that seems to pay. The last store made an entry `raw`.
    #[cold]
    #[inline(never)]
    pub(super) fn look_at_run<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        frame: Frame<GuestPhys>,
        raw: u64,
    ) {
        let Some(page) = self.only_shadow(frame) else { return };
        let kind = self.kind_of(raw);
        let described = &mut self.pages[page.number() as usize];
        described.run.look(self.runs.epoch, kind);
        // No root is a leaf table.
        if described.level == Level::PAGE
            && G::has_plain_pages(&self.regime)
            && self.runs.suffices(&described.run)
        {
            self.set_aside(world, page, frame);
        }
    }

    fn kind_of(&self, raw: u64) -> StoreKind {
        let write = Rights::KERNEL_WRITE | Rights::USER_WRITE;
        if !G::is_live(raw) {
            StoreKind::Clears
        } else if G::rights(&self.regime, raw, 0).intersects(write) {
            StoreKind::Grants
        } else {
            StoreKind::Restricts
        }
    }

    /// Sets `page` aside, the only shadow of the leaf table in `frame`.
    fn set_aside<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        page: PageId,
        frame: Frame<GuestPhys>,
    ) {
        let span = world.probe.start();
        self.cut_ways(world, page);
        if let Some(index) = self.reach.ram_index(frame)
            && let Some(record) = self.records[0].get_mut(index)
        {
            record.shadows = 0;
            record.tables = page.number();
        }
        self.protect(world, frame, false);
        world.probe.count(Event::Unsync, 1);
        world.probe.stop(Event::ShUnsync, span);
    }

    /// Takes the page of the leaf table in `frame` back that was set aside, as nothing leads to it yet. If
    /// the table is to be used at another level than a leaf table's, the page is given up instead.
    pub(super) fn take_back<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        frame: Frame<GuestPhys>,
        level: Level,
    ) -> Option<PageId> {
        if !self.switches.has(Switch::OutOfSync) {
            return None;
        }
        let record = self.records[0].get_mut(self.reach.ram_index(frame)?)?;
        let page = PageId::new(record.tables)?;
        if level != Level::PAGE {
            self.destroy(world, page);
            return None;
        }
        record.tables = 0;
        record.shadows = page.number();
        let span = world.probe.start();
        self.protect(world, frame, true);
        let changed = self.resync(world, page, frame);
        let described = &mut self.pages[page.number() as usize];
        let right = changed >= S::RESYNC_IN_STORES;
        self.runs.learn(&mut described.run, right);
        world.probe.count(Event::Resync, 1);
        world.probe.count(Event::ResyncEntries, u64::from(changed));
        if !right {
            world.probe.count(Event::UnsyncWrong, 1);
        }
        world.probe.stop(Event::ShResync, span);
        Some(page)
    }

    /// Brings `page`, to which nothing leads, in sync with the leaf table in `frame`. Returns how many of
    /// its entries have changed.
    fn resync<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        page: PageId,
        frame: Frame<GuestPhys>,
    ) -> u32 {
        let memory = world.memory;
        let Some(guest) = memory.guest(frame) else { return 0 };
        let (mut leaves, table) = (self.leaves(page), memory.table(page));
        let mut changed = 0;
        for group in Group::all() {
            if !leaves.fit(guest, table, group) {
                changed += leaves.refill(world.probe, guest, table, group);
            }
        }
        changed
    }

    /// Gives up all pages that are set aside, where no others are left.
    pub(super) fn drop_aside<E: Env>(&mut self, world: &mut World<'_, E>) {
        for number in 1..self.pages.len() as u32 {
            if let Some(page) = PageId::new(number)
                && self.pages[number as usize].source != Source::Free
            {
                self.destroy(world, page);
            }
        }
    }
}

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Leaves<'_, G, S, C> {
    /// Whether a group of `table` is what the engine makes of the `guest`'s, which is empty or has plain pages
    /// alone. Others may be told not to fit.
    #[inline(always)]
    fn fit(&self, guest: &impl Entries, table: &impl Entries, group: Group) -> bool {
        let differ = group.members().fold(0, |differ, at| {
            differ | S::moved_difference(guest.get(at), table.get(at), self.distance)
        });
        differ == 0 || guest.any(group) | table.any(group) == 0
    }

    /// Derives a group of `table` anew, unless all that it had was unknown: then it has what was not asked for yet.
    /// Returns how many of its entries have changed.
    #[inline(never)]
    fn refill(
        &mut self,
        probe: &mut impl Probe,
        guest: &impl Entries,
        table: &impl Entries,
        group: Group,
    ) -> u32 {
        let (old, any) = (table.group(group), guest.any(group));
        let used = table.any(group);
        if S::UNKNOWN_LEAVES && used != 0 && old.iter().all(|old| !S::is_cached(*old)) {
            leave::<G, S>(group, guest, table);
        } else {
            if used != 0 {
                self.drain(table, group, used);
            }
            if any != 0 {
                self.fill(probe, (guest, any), table, group);
            }
        }
        let new = table.group(group);
        new.iter().zip(&old).filter(|(new, old)| new != old).count() as u32
    }
}
