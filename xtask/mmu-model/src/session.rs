//! One run: who does what, in which phase, and what the model counts of it.
//!
//! An access to the page of the one before finds that page's entry, which is the one used last already. So it is
//! only counted, and nothing of the model moves: this is where most accesses end.

use paging::addr::{Hpa, PAGE_SHIFT};

use crate::architecture::{Architecture, Context};
use crate::config::Config;
use crate::counts::{Check, Counts, Output, Part, SCHEMA, Unseen, VERSION};
use crate::invalidation::Invalidation;
use crate::memory::Physical;
use crate::mmu::{Access, Mmu};
use crate::owner::Owner;

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The guest, or whatever runs on a machine without a hypervisor.
    Guest,
    /// The hypervisor.
    Hypervisor,
}

/// No page.
const NONE: u64 = u64::MAX;

/// A run.
pub struct Session<A: Architecture> {
    mmu: Mmu,
    geometry: String,
    context: Context<A>,
    who: Who,
    parts: Vec<Part>,
    /// The part at hand.
    part: usize,
    /// The page of the last access that a load may repeat, and that a store may.
    last: [u64; 2],
    /// How often that happened and is not counted yet.
    repeated: [u64; 2],
    ignores_invalidations: bool,
    check: Option<Check>,
    refused: Option<String>,
    /// Whether accesses are translated, and nothing is done but that.
    is_plain: bool,
}

impl<A: Architecture> Session<A> {
    /// One that begins with nothing translated.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            mmu: Mmu::new(&config.geometry),
            geometry: config.geometry.name.clone(),
            context: Context::untranslated(Owner::space(0, 0)),
            who: if config.hypervisor { Who::Hypervisor } else { Who::Guest },
            parts: vec![Part::default()],
            part: 0,
            last: [NONE; 2],
            repeated: [0; 2],
            ignores_invalidations: config.ignore_invalidations,
            check: config.check.then(Check::default),
            refused: None,
            is_plain: false,
        }
    }

    /// Whether a load (or a store) of one byte at `at` repeats the one before, and needs no more than this.
    #[inline(always)]
    pub const fn repeats(&mut self, store: bool, at: u64) -> bool {
        let same = self.last[store as usize] == at >> PAGE_SHIFT;
        self.repeated[store as usize] += same as u64;
        same
    }

    /// Whether a load (or a store) of one byte at `at` hits the L1 data TLB, and needs no more than this.
    #[inline]
    pub fn hits(&mut self, store: bool, at: u64) -> bool {
        if !self.is_plain {
            return false;
        }
        let Some(writable) = self.mmu.hit_by_hint(self.context.owner, at, store) else {
            return false;
        };
        self.repeated[usize::from(store)] += 1;
        self.note(at, writable);
        true
    }

    /// What comes next may repeat an access to `at`.
    #[inline]
    const fn note(&mut self, at: u64, writable: bool) {
        let page = at >> PAGE_SHIFT;
        self.last = [page, if writable { page } else { NONE }];
    }

    /// Makes an access to one page, and says where the model goes. `emulated` is where the emulator went, for a
    /// comparison.
    pub fn access(
        &mut self,
        memory: &impl Physical,
        access: Access,
        at: u64,
        emulated: Option<Hpa>,
    ) -> Option<Hpa> {
        if self.refused.is_some() {
            return None;
        }
        if let (Some(check), Some(_)) = (&mut self.check, emulated) {
            check.compared += 1;
        }
        let counts = counts(&mut self.parts[self.part], self.who);
        if self.context.upper.is_none() && self.context.lower.is_none() {
            counts.untranslated += 1;
            let physical = Some(Hpa::from_bits(at));
            self.compare(access, at, [physical; 2], emulated);
            return physical;
        }
        *match access {
            Access::Load => &mut counts.loads,
            Access::Store => &mut counts.stores,
            Access::Fetch => &mut counts.fetches,
        } += 1;
        let reached = self.mmu.access(&self.context, memory, access, at, counts);
        if access != Access::Fetch && self.is_plain {
            match reached {
                None => self.last = [NONE; 2],
                Some(reached) => self.note(at, reached.writable),
            }
        }
        let found = reached.map(|reached| [Some(reached.physical), Some(reached.plain)]);
        self.compare(access, at, found.unwrap_or_default(), emulated);
        reached.map(|reached| reached.physical)
    }

    /// Compares where the model goes, with walk caches and without, with where the emulator went. Only what is an
    /// [`access`](Self::access) counts as compared: how often a program's blocks begin is the emulator's affair.
    #[inline]
    pub fn compare(
        &mut self,
        access: Access,
        at: u64,
        found: [Option<Hpa>; 2],
        emulated: Option<Hpa>,
    ) {
        if self.check.is_some()
            && let Some(emulated) = emulated
        {
            self.compare_with(access, at, found, emulated);
        }
    }

    #[cold]
    fn compare_with(&mut self, access: Access, at: u64, found: [Option<Hpa>; 2], emulated: Hpa) {
        let Some(check) = &mut self.check else { return };
        if found != [Some(emulated); 2] {
            check.differences += 1;
            check.first.get_or_insert_with(|| {
                let shown = |place: Option<Hpa>| {
                    place.map_or_else(|| "nothing".to_owned(), |place| format!("{:#x}", place.bits()))
                };
                format!(
                    "a {} of the {} at {at:#x}: the model reaches {} ({} without walk caches), the emulator {:#x}",
                    match access {
                        Access::Load => "load",
                        Access::Store => "store",
                        Access::Fetch => "fetch",
                    },
                    match self.who {
                        Who::Guest => "guest",
                        Who::Hypervisor => "hypervisor",
                    },
                    shown(found[0]),
                    shown(found[1]),
                    emulated.bits()
                )
            });
        }
    }

    /// Counts what was only noted.
    fn settle(&mut self) {
        let [loads, stores] = std::mem::take(&mut self.repeated);
        self.last = [NONE; 2];
        let counts = counts(&mut self.parts[self.part], self.who);
        counts.loads += loads;
        counts.stores += stores;
    }

    /// From now on `who` runs, and addresses mean what `context` says.
    pub fn enter(&mut self, who: Who, context: Context<A>) {
        self.settle();
        if (self.who, who) == (Who::Guest, Who::Hypervisor) {
            self.parts[self.part].exits += 1;
        }
        self.who = who;
        self.context = context;
        self.watch(false);
    }

    /// Whether from now on each data access has to come by [`access`](Self::access), until another is entered.
    pub fn watch(&mut self, each: bool) {
        self.settle();
        let translated = self.context.upper.is_some() || self.context.lower.is_some();
        self.is_plain = !each && translated && self.check.is_none() && self.refused.is_none();
    }

    /// Whether translations are compared.
    #[must_use]
    pub const fn is_checked(&self) -> bool {
        self.check.is_some()
    }

    /// Software has told the hardware to forget something.
    pub fn forget(&mut self, what: &Invalidation) {
        self.settle();
        if !self.ignores_invalidations {
            self.mmu.forget(what, counts(&mut self.parts[self.part], self.who));
        }
    }

    /// A phase begins, or none, if its name is empty. Phases of one name are one part.
    pub fn phase(&mut self, name: &str) {
        self.settle();
        self.part = self.parts.iter().position(|part| part.phase == name).unwrap_or_else(|| {
            self.parts.push(Part { phase: name.to_owned(), ..Part::default() });
            self.parts.len() - 1
        });
    }

    /// The run is something that cannot be modelled, for a reason.
    pub fn refuse(&mut self, why: &str) {
        self.refused.get_or_insert_with(|| why.to_owned());
        self.is_plain = false;
    }

    /// What was counted.
    #[must_use]
    pub fn output(&mut self, unseen: Vec<Unseen>) -> Output {
        self.settle();
        Output {
            schema: SCHEMA.to_owned(),
            version: VERSION,
            geometry: self.geometry.clone(),
            refused: self.refused.clone(),
            parts: self.parts.clone(),
            unseen,
            check: self.check.clone(),
        }
    }
}

const fn counts(part: &mut Part, who: Who) -> &mut Counts {
    match who {
        Who::Guest => &mut part.guest,
        Who::Hypervisor => &mut part.hypervisor,
    }
}
