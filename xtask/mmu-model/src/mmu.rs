//! The MMU of one processor: two L1 TLBs, an L2, and a walker behind it.
//!
//! What stands in the L1 TLBs hangs on the accesses alone, so they are there once. Behind them the model is
//! there twice: without walk caches, where every miss of the L2 TLB reads all tables on its way, and with
//! those of the geometry, which may take room of the L2 TLB.

use paging::addr::Hpa;

use crate::architecture::{Architecture, Context};
use crate::cache::Known;
use crate::counts::{Counts, Walks};
use crate::geometry::Geometry;
use crate::invalidation::{Invalidation, untagged};
use crate::level::Level;
use crate::memory::Physical;
use crate::owner::Owner;
use crate::walk::{Caches, Walk};

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads.
    Load,
    /// It writes, or reads and writes.
    Store,
    /// It fetches an instruction.
    Fetch,
}

/// What the model makes of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The physical address.
    pub physical: Hpa,
    /// The one without walk caches, which is the same unless an invalidation is missing.
    pub plain: Hpa,
    /// Whether a store may follow without another look at the tables.
    pub writable: bool,
}

/// What is behind the L1 TLBs.
#[derive(Clone, Debug)]
struct Backend {
    l2: Level,
    /// For fetches, where they have one of their own.
    l2_instruction: Option<Level>,
    walk_caches: Level,
}

impl Backend {
    fn new(geometry: &Geometry) -> Self {
        let instruction = &geometry.l2_instruction;
        Self {
            l2: Level::new(&geometry.l2),
            l2_instruction: (!instruction.is_empty()).then(|| Level::new(instruction)),
            walk_caches: Level::new(&geometry.walk_caches),
        }
    }

    fn levels(&mut self) -> impl Iterator<Item = &mut Level> {
        [&mut self.l2, &mut self.walk_caches].into_iter().chain(&mut self.l2_instruction)
    }

    /// What a miss of an L1 TLB finds.
    fn find<A: Architecture>(
        &mut self,
        context: &Context<A>,
        memory: &impl Physical,
        access: Access,
        at: u64,
        walks: &mut Walks,
    ) -> Option<Known> {
        let Self { l2, l2_instruction, walk_caches } = self;
        let of_fetches = l2_instruction.as_mut().filter(|_| access == Access::Fetch);
        let own = of_fetches.is_some();
        let level = of_fetches.unwrap_or(l2);
        let found = level.translation(context.owner, untagged(at));
        if let Some(found) = found.filter(|found| access != Access::Store || found.writable) {
            return Some(found);
        }
        if found.is_some() {
            level.drop_translation(context.owner, untagged(at));
        }
        let caches = Caches { l2, own: walk_caches };
        let found = Walk::new(context, memory, caches).run(at, walks)?;
        let level = if own { l2_instruction.as_mut()? } else { l2 };
        level.keep(found, untagged(at));
        Some(found)
    }
}

/// The model of one processor's MMU.
#[derive(Clone, Debug)]
pub struct Mmu {
    l1_instruction: Level,
    l1_data: Level,
    plain: Backend,
    cached: Backend,
}

impl Mmu {
    /// One of this geometry, with nothing in it.
    #[must_use]
    pub fn new(geometry: &Geometry) -> Self {
        Self {
            l1_instruction: Level::new(&geometry.l1_instruction),
            l1_data: Level::new(&geometry.l1_data),
            plain: Backend::new(&geometry.without_walk_caches()),
            cached: Backend::new(geometry),
        }
    }

    /// Whether the L1 data TLB's hints have a translation that serves a load, or a store, at `at`, which is then
    /// used; and whether a store may go through it.
    #[inline(always)]
    pub(crate) fn hit_by_hint(&mut self, owner: Owner, at: u64, store: bool) -> Option<bool> {
        self.l1_data.hinted(owner, untagged(at), store)
    }

    /// Makes an access and counts it. Nothing, if the tables do not translate it.
    #[inline]
    pub fn access<A: Architecture>(
        &mut self,
        context: &Context<A>,
        memory: &impl Physical,
        access: Access,
        at: u64,
        counts: &mut Counts,
    ) -> Option<Reached> {
        let l1 = match access {
            Access::Fetch => &mut self.l1_instruction,
            Access::Load | Access::Store => &mut self.l1_data,
        };
        if let Some(found) = l1.translation(context.owner, untagged(at)) {
            if access != Access::Store || found.writable {
                let physical = Hpa::from_bits(found.translate(at));
                return Some(Reached { physical, plain: physical, writable: found.writable });
            }
            l1.drop_translation(context.owner, untagged(at));
        }
        self.miss(context, memory, access, at, counts)
    }

    #[cold]
    fn miss<A: Architecture>(
        &mut self,
        context: &Context<A>,
        memory: &impl Physical,
        access: Access,
        at: u64,
        counts: &mut Counts,
    ) -> Option<Reached> {
        let l1 = match access {
            Access::Fetch => {
                counts.l1_instruction_misses += 1;
                &mut self.l1_instruction
            }
            Access::Load | Access::Store => {
                counts.l1_data_misses += 1;
                &mut self.l1_data
            }
        };
        let plain = self.plain.find(context, memory, access, at, &mut counts.plain);
        let cached = self.cached.find(context, memory, access, at, &mut counts.cached);
        let (Some(plain), Some(cached)) = (plain, cached) else {
            counts.unexplained += 1;
            return None;
        };
        if access == Access::Store && !cached.writable {
            counts.unexplained += 1;
        }
        l1.keep(cached, untagged(at));
        Some(Reached {
            physical: Hpa::from_bits(cached.translate(at)),
            plain: Hpa::from_bits(plain.translate(at)),
            writable: cached.writable,
        })
    }

    /// Forgets what is invalid.
    pub fn forget(&mut self, what: &Invalidation, counts: &mut Counts) {
        counts.invalidations += 1;
        counts.invalidated += self.l1_instruction.forget(what) + self.l1_data.forget(what);
        for level in self.plain.levels().chain(self.cached.levels()) {
            level.forget(what);
        }
    }
}
