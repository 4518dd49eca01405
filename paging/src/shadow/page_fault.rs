//! Page faults of an architecture that raises one exception for everything: whether a fault is the guest's
//! own is found by walking its tables as the hardware would, accessed and dirty flags included.

use probe::{Event, Probe, Span};

use crate::addr::{ENTRIES, Frame, Gpa, GuestPhys, Gva, HostPhys, Index, Level};
use crate::attrs::{Access, Kind};
use crate::entry::{Entry, Shadowed};
use crate::fault::{GuestFault, Verdict};
use crate::format::{GuestFormat, ShadowFormat, Start};
use crate::mem::{Entries, Env, Memory, World};
use crate::pool::{OutOfFrames, PageId};
use crate::shadow::fill::Way;
use crate::shadow::lately::{Found, Store};
use crate::shadow::page::{Slot, Source};
use crate::shadow::sync::LEVELS;
use crate::shadow::{RESERVE_FRAMES, RESERVE_NODES, Shadow, decided};
use crate::switch::Switches;
use crate::walk::{self, Step, Translation};

/// The entries of a walk whose flags an access sets, from the root's on.
struct Unmarked {
    steps: [Option<Step>; Level::TOP.number() + 1],
}

/// How far a walk through the shadow has come.
#[derive(Clone, Copy)]
struct Reach {
    /// Where the shadow table stands.
    table: Frame<HostPhys>,
    /// The entry of it that is next.
    index: Index,
    /// What the tables above take away.
    limits: u64,
}

/// A frame of RAM.
#[derive(Clone, Copy)]
struct Place {
    /// Its place among them.
    index: usize,
    /// Whether it is a table that is shadowed.
    is_table: bool,
}

/// Who allows an access.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checked {
    /// The hardware, as it is set while shadows are in use.
    ByHardware,
    /// Only the guest's registers.
    ByRegisters,
}

/// A guest's page to whose shadow the way is known.
struct KnownLeaf {
    /// The shadow page that has it.
    page: PageId,
    /// The guest's leaf table; none where the page is part of a block.
    table: Option<Frame<GuestPhys>>,
    /// The entry's place.
    index: Index,
    /// The guest's entry, or what it would be for this part of the block.
    raw: u64,
    /// What the tables above take away.
    limits: u64,
}

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// An access met a fault. A shadow is absent only where the guest's tables are, so what is not
    /// `present` is the guest's own fault. Everything else is for a walk to say.
    #[inline(always)]
    pub(super) fn page_fault<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gva,
        access: Access,
        present: bool,
        span: Span<<E::Probe as Probe>::Stamp>,
    ) -> Result<Verdict, OutOfFrames> {
        if !present {
            self.runs.end_runs();
            let fault = GuestFault::Translation(Level::PAGE);
            return Ok(decided(world, span, Verdict::Reflect(fault)));
        }
        let store = Store { page: at.align_down(Level::PAGE), access, root: self.contexts.root(0) };
        if access.kind == Kind::Write
            && let Some(verdict) = self.found_lately(world, &store, at)
        {
            return Ok(decided(world, span, verdict));
        }
        if self.nodes.available() >= LEVELS
            && let Some(leaf) = self.known_leaf(world, at)
            && let Some(verdict) = self.known_fault(world, at, access, &leaf)
        {
            if let Verdict::Store(gpa) = verdict {
                let slot = Slot::new(leaf.page, leaf.index);
                let entry = self.entry(world, slot);
                // That the guest's leaf is dirty can be seen in the shadow of one that may be written.
                let writable = S::is_stale(S::protect_leaf(entry, false), entry);
                if writable
                    && let Shadowed::Leaf { protected: true, .. } = S::shadowed(Level::PAGE, entry)
                {
                    self.stores.meet(store, Found { slot, entry, frame: gpa.frame() });
                }
            } else {
                self.runs.end_runs();
            }
            return Ok(decided(world, span, verdict));
        }
        if access.kind == Kind::Read
            && let Some(verdict) = self.found_lately(world, &store, at)
        {
            return Ok(decided(world, span, verdict));
        }
        self.walked_fault(world, at, access, span)
    }

    /// The guest's page for `at`, by the way that the shadow knows. This is a walk of the guest's
    /// tables: a shadow table entry is there only if the guest's has its accessed flag, and it has the
    /// guest's limits.
    #[inline(always)]
    fn known_leaf<E: Env>(&self, world: &mut World<'_, E>, at: Gva) -> Option<KnownLeaf> {
        let span = world.probe.start();
        let found = self.find_leaf(world, at);
        world.probe.stop(Event::GuestWalkTables, span);
        found
    }

    #[inline(always)]
    fn find_leaf<E: Env>(&self, world: &World<'_, E>, at: Gva) -> Option<KnownLeaf> {
        let start = G::start(&self.regime, at)?;
        let page = self.contexts.root(start.half)?;
        let index = start.index(self.roots[start.half], at);
        // Written out, for the levels to be constants.
        let way = Reach { table: world.memory.frame_of(page), index, limits: 0 };
        let way = self.down(world, at, start, Level::TOP, way)?;
        let way = self.down(world, at, start, Level::BLOCK_1G, way)?;
        let Reach { table, index, limits } = self.down(world, at, start, Level::BLOCK_2M, way)?;
        let page = world.memory.page_of(table)?;
        let source = self.pages[page.number() as usize].source;
        let (table, raw) = if let Source::Table(table) = source {
            (Some(table), world.memory.guest(table)?.get(index))
        } else if let Source::Split { block, level } = source {
            (None, S::part(level, block, index))
        } else {
            return None;
        };
        Some(KnownLeaf { page, table, index, raw, limits })
    }

    /// One level further on the way to `at`, unless the walk begins below it.
    #[inline(always)]
    fn down<E: Env>(
        &self,
        world: &World<'_, E>,
        at: Gva,
        start: Start,
        level: Level,
        way: Reach,
    ) -> Option<Reach> {
        if level > start.level {
            return Some(way);
        }
        let entry = world.memory.table_at(way.table)?.get(way.index);
        Some(Reach {
            table: S::next_table(level, entry)?,
            index: Index::of(at.bits(), level.below()?),
            limits: G::limit(&self.regime, way.limits, start.half, entry),
        })
    }

    /// A fault at a page that is known. None where a block has to be marked: that is for a walk to do.
    #[inline(always)]
    fn known_fault<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gva,
        access: Access,
        leaf: &KnownLeaf,
    ) -> Option<Verdict> {
        let raw = leaf.raw;
        let Entry::Leaf(to) = G::decode::<GuestPhys>(Level::PAGE, raw) else {
            // The fault was of before.
            return Some(self.retry(world, at));
        };
        if let Some(fault) = G::refusal(&self.regime, Level::PAGE, raw, to) {
            return Some(Verdict::Reflect(fault));
        }
        let Some(checked) = self.allower(raw, leaf.limits, access) else {
            return Some(Verdict::Reflect(GuestFault::Permission(Level::PAGE)));
        };
        let slot = Slot::new(leaf.page, leaf.index);
        let asked =
            S::UNKNOWN_LEAVES && G::accessed(raw) && S::is_unknown_leaf(self.entry(world, slot));
        if asked {
            if self.nodes.available() < ENTRIES {
                return None;
            }
            self.fill_around(world, slot, raw);
        }
        let place = self.place(to);
        let marked = G::marked(Level::PAGE, raw, access.kind) != raw;
        if marked {
            self.mark_leaf(world, leaf, leaf.table?, access.kind, place);
        }
        let gpa = Gpa::from_bits(to.start().bits() | at.page_offset());
        Some(match emulated(gpa, place, access, checked) {
            Some(verdict) => verdict,
            None if marked || asked => Verdict::Resume,
            None => self.retry(world, at),
        })
    }

    /// Where in RAM `frame` is, unless it is none.
    #[inline(always)]
    fn place(&self, frame: Frame<GuestPhys>) -> Option<Place> {
        let index = self.reach.ram_index(frame)?;
        let is_table = self.records[0].get(index)?.shadows != 0;
        Some(Place { index, is_table })
    }

    /// Who allows an access to the leaf `raw` under `limits`, unless nobody does.
    #[inline(always)]
    fn allower(&self, raw: u64, limits: u64, access: Access) -> Option<Checked> {
        if G::allows(&G::enforced(&self.regime), raw, limits, access) {
            Some(Checked::ByHardware)
        } else if G::allows(&self.regime, raw, limits, access) {
            Some(Checked::ByRegisters)
        } else {
            None
        }
    }

    /// A fault on a way that is not known down to a leaf table.
    #[inline(never)]
    fn walked_fault<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gva,
        access: Access,
        span: Span<<E::Probe as Probe>::Stamp>,
    ) -> Result<Verdict, OutOfFrames> {
        self.runs.end_runs();
        let verdict = self.walk_and_know(world, at, access)?;
        if let Verdict::Device(gpa) = verdict {
            self.meet_device(world, at, access, gpa);
        }
        Ok(decided(world, span, verdict))
    }

    #[inline(always)]
    fn walk_and_know<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gva,
        access: Access,
    ) -> Result<Verdict, OutOfFrames> {
        self.reserve(world, RESERVE_FRAMES, RESERVE_NODES)?;
        let (found, unmarked) = match self.walk(world, at, access.kind) {
            Ok(walked) => walked,
            Err(fault) => {
                if let GuestFault::Translation(_) = fault {
                    // Once the way is known to where it ends, the next such fault need not exit.
                    self.make_way(world, at)?;
                }
                return Ok(Verdict::Reflect(fault));
            }
        };
        let Some(checked) = self.allower(found.leaf, found.limits, access) else {
            return Ok(Verdict::Reflect(GuestFault::Permission(found.level)));
        };
        let marked = self.mark(world, &unmarked, access.kind);
        let place = self.place(found.gpa.frame());
        if let Some(verdict) = emulated(found.gpa, place, access, checked) {
            // There will be more of them: the next one finds its way known.
            self.make_way(world, at)?;
            return Ok(verdict);
        }
        Ok(match self.make_way(world, at)? {
            Way::Known if !marked => self.retry(world, at),
            Way::Known | Way::Made => Verdict::Resume,
            Way::Fault(fault) => Verdict::Reflect(fault),
        })
    }

    /// Walks the guest's tables for an access.
    #[inline(always)]
    fn walk<E: Env>(
        &self,
        world: &mut World<'_, E>,
        at: Gva,
        kind: Kind,
    ) -> Result<(Translation, Unmarked), GuestFault> {
        let span = world.probe.start();
        let mut unmarked = Unmarked { steps: [None; Level::TOP.number() + 1] };
        let found = walk::follow::<G>(world.memory, &self.regime, self.roots, at, |step| {
            if G::marked(step.level, step.raw, kind) != step.raw {
                unmarked.steps[Level::TOP.number() - step.level.number()] = Some(step);
            }
        });
        world.probe.stop(Event::GuestWalkTables, span);
        found.map(|found| (found, unmarked))
    }

    /// Sets the flags that an access of `kind` sets in the guest's entries, in all their shadows too.
    /// Returns whether there were any to be set.
    #[inline(always)]
    fn mark<E: Env>(&mut self, world: &mut World<'_, E>, unmarked: &Unmarked, kind: Kind) -> bool {
        let mut any = false;
        for step in unmarked.steps.iter().flatten() {
            self.mark_entry(world, step, kind);
            any = true;
        }
        any
    }

    /// The same for the entry of the leaf table `table`, which leads to the frame at `place`.
    #[inline(always)]
    fn mark_leaf<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        leaf: &KnownLeaf,
        table: Frame<GuestPhys>,
        kind: Kind,
        place: Option<Place>,
    ) {
        let (true, Some(place)) = (self.is_only_shadow(leaf, table), place) else {
            let KnownLeaf { index, raw, .. } = *leaf;
            return self.mark_entry(world, &Step { table, index, level: Level::PAGE, raw }, kind);
        };
        let Some(guest) = world.memory.guest(table) else { return };
        let span = world.probe.start();
        let raw = G::marked(Level::PAGE, leaf.raw, kind);
        guest.set(leaf.index, raw);
        // What `derive` makes of it, and what `replace` does: its shadow was unknown, or leads to the frame.
        let slot = Slot::new(leaf.page, leaf.index);
        if !G::accessed(leaf.raw) {
            self.add_leaf(Level::PAGE, place.index, slot);
        }
        let host = Frame::from_number(self.reach.backing().number() + place.index as u64);
        let entry = S::shadow_leaf(Level::PAGE, raw, host, place.is_table);
        self.write_at(world, slot, Level::PAGE, entry);
        world.probe.stop(Event::L1ePropagate, span);
    }

    /// Whether `table`, which has `leaf`, is used at no other level.
    #[inline(always)]
    fn is_only_shadow(&self, leaf: &KnownLeaf, table: Frame<GuestPhys>) -> bool {
        let record = self.reach.ram_index(table).and_then(|at| self.records[0].get(at));
        record.is_some_and(|record| record.shadows == leaf.page.number())
            && self.pages[leaf.page.number() as usize].next == 0
    }

    /// The same for any entry. Nothing is counted that makes the table suspect of being dead.
    #[cold]
    #[inline(never)]
    fn mark_entry<E: Env>(&mut self, world: &mut World<'_, E>, step: &Step, kind: Kind) {
        let Some(guest) = world.memory.guest(step.table) else { return };
        let raw = G::marked(step.level, step.raw, kind);
        guest.set(step.index, raw);
        for page in self.shadows_of(step.table) {
            // Marking one may give up another.
            if self.pages[page.number() as usize].source == Source::Table(step.table) {
                self.propagate_again(world, Slot::new(page, step.index), raw);
            }
        }
    }
}

/// What is to be carried out by software of an access to `gpa`: one that reaches no RAM, a store to a table,
/// and one that the hardware would not allow.
#[inline(always)]
fn emulated(gpa: Gpa, place: Option<Place>, access: Access, checked: Checked) -> Option<Verdict> {
    let Some(place) = place else { return Some(Verdict::Device(gpa)) };
    let refused = place.is_table || checked == Checked::ByRegisters;
    (access.kind == Kind::Write && refused).then_some(Verdict::Store(gpa))
}
