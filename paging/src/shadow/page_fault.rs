//! Page faults of an architecture that raises one exception for everything: whether a fault is the guest's
//! own is found by walking its tables as the hardware would, accessed and dirty flags included.

use probe::{Event, Probe};

use crate::addr::{Gva, Level};
use crate::attrs::{Access, Kind};
use crate::fault::{GuestFault, Verdict};
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Entries, Env, Memory, World};
use crate::pool::OutOfFrames;
use crate::shadow::fill::Way;
use crate::shadow::page::{Slot, Source};
use crate::shadow::{RESERVE_FRAMES, RESERVE_NODES, Shadow};
use crate::walk::{self, Step, Translation};

/// The entries of a walk whose flags an access sets, from the root's on.
struct Unmarked {
    steps: [Option<Step>; Level::TOP.number() + 1],
}

impl<G: GuestFormat, S: ShadowFormat<G>> Shadow<G, S> {
    /// An access met a fault. A shadow is absent only where the guest's tables are, so what is not
    /// `present` is the guest's own fault. Everything else is for a walk to say.
    #[inline(always)]
    pub(super) fn page_fault<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        at: Gva,
        access: Access,
        present: bool,
    ) -> Result<Verdict, OutOfFrames> {
        if !present {
            return Ok(Verdict::Reflect(GuestFault::Translation(Level::PAGE)));
        }
        self.reserve(world, RESERVE_FRAMES, RESERVE_NODES)?;
        let (found, unmarked) = match self.walk(world, at, access) {
            Ok(walked) => walked,
            Err(fault) => {
                if let GuestFault::Translation(_) = fault {
                    // Once the way is known to where it ends, the next such fault need not exit.
                    self.make_way(world, at)?;
                }
                return Ok(Verdict::Reflect(fault));
            }
        };
        let marked = self.mark(world, &unmarked, access.kind);
        let frame = found.gpa.frame();
        if self.reach.ram_index(frame).is_none() {
            return Ok(Verdict::Device(found.gpa));
        }
        if access.kind == Kind::Write && (self.is_table(frame) || self.is_lent(&found, access)) {
            return Ok(Verdict::Store(found.gpa));
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
        access: Access,
    ) -> Result<(Translation, Unmarked), GuestFault> {
        let span = world.probe.start();
        let mut unmarked = Unmarked { steps: [None; Level::TOP.number() + 1] };
        let found = walk::follow::<G>(world.memory, &self.regime, self.roots, at, |step| {
            if G::marked(step.level, step.raw, access.kind) != step.raw {
                unmarked.steps[Level::TOP.number() - step.level.number()] = Some(step);
            }
        });
        world.probe.stop(Event::GuestWalkTables, span);
        let found = found?;
        if access.allowed_by(found.rights) {
            Ok((found, unmarked))
        } else {
            Err(GuestFault::Permission(found.level))
        }
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

    /// The same for one entry. Nothing is counted that makes the table suspect of being dead.
    fn mark_entry<E: Env>(&mut self, world: &mut World<'_, E>, step: &Step, kind: Kind) {
        let Some(guest) = world.memory.guest(step.table) else { return };
        let raw = G::marked(step.level, step.raw, kind);
        guest.set(step.index, raw);
        match self.only_shadow(step.table) {
            Some(page) => self.propagate(world, Slot::new(page, step.index), raw),
            None => {
                for page in self.shadows_of(step.table) {
                    if self.pages[page.number() as usize].source == Source::Table(step.table) {
                        self.propagate(world, Slot::new(page, step.index), raw);
                    }
                }
            }
        }
    }

    /// Whether the guest's registers allow an access that the hardware, as it is set while shadows are in
    /// use, does not.
    #[inline(always)]
    fn is_lent(&self, found: &Translation, access: Access) -> bool {
        let enforced = G::enforced(&self.regime);
        !access.allowed_by(G::rights(&enforced, found.leaf, found.limits))
    }
}
