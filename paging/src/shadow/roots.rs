//! Roots: the sets of root tables that a guest switches among, each with a hardware tag of its own.
//!
//! The tag is ours and not the guest's ASID: it belongs to one set of roots, so what the TLB holds
//! under it is always a part of what those roots' shadows give, whatever the guest does with its own ASIDs.

use probe::{Event, Probe};

use crate::addr::{Gpa, GuestVirt, Hpa, Index, Level};
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Entries, Env, Memory, Stale, Tag, Tlb, World};
use crate::pool::{OutOfFrames, PageId};
use crate::shadow::page::{Page, RootUse, Source};
use crate::shadow::{HardwareRoots, RESERVE_FRAMES, RESERVE_NODES, Shadow};
use crate::switch::Switches;

/// How many sets of roots are kept.
const CONTEXTS: usize = 32;

/// A set of roots.
#[derive(Clone, Copy, Debug)]
struct Context {
    /// The guest's roots; what the regime does not use is 0.
    guest: [Gpa; 2],
    /// Their shadows.
    pages: [Option<PageId>; 2],
    /// When it was last loaded.
    used: u64,
    /// Whether it is in use at all.
    live: bool,
}

/// The sets of roots that are kept.
#[derive(Debug)]
pub(super) struct Contexts {
    all: [Context; CONTEXTS],
    /// The shadows of the current roots.
    roots: [Option<PageId>; 2],
    time: u64,
}

impl Contexts {
    /// None.
    pub(super) const NEW: Self = Self {
        all: [Context { guest: [Gpa::from_bits(0); 2], pages: [None; 2], used: 0, live: false };
            CONTEXTS],
        roots: [None; 2],
        time: 0,
    };

    /// The shadow of the current root `half`.
    #[inline]
    pub(super) fn root(&self, half: usize) -> Option<PageId> {
        *self.roots.get(half)?
    }

    /// Each set of roots that is kept, with its shadows.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn live(&self) -> impl Iterator<Item = ([Gpa; 2], [Option<PageId>; 2])> {
        let live = self.all.iter().filter(|context| context.live);
        live.map(|context| (context.guest, context.pages))
    }

    /// Whether `page` is a current root.
    pub(super) fn is_current_root(&self, page: PageId) -> bool {
        self.roots.contains(&Some(page))
    }
}

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// The guest loaded `root` as its root `half`. Returns what the hardware is to load.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] as in [`fault`](Self::fault).
    pub fn update_root<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        half: usize,
        root: Gpa,
    ) -> Result<HardwareRoots, OutOfFrames> {
        let span = world.probe.start();
        if let Some(place) = self.roots.get_mut(half) {
            *place = root;
        }
        let loaded = self.select(world);
        world.probe.stop(Event::ShUpdateCr3, span);
        loaded
    }

    /// The guest's registers say `regime` and `roots` from now on. If they mean something else than
    /// before, everything is given up. Returns what the hardware is to load.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] as in [`fault`](Self::fault).
    pub fn update_regime<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        regime: G::Regime,
        roots: [Gpa; 2],
    ) -> Result<HardwareRoots, OutOfFrames> {
        if !G::same_tables(&self.regime, &regime) {
            self.reset(world);
            self.reach = self.layout.within(G::output_bits(&regime));
        } else if G::enforced(&self.regime) != G::enforced(&regime) {
            // The hardware may have remembered what accesses it allowed.
            self.flush(world, None);
        }
        self.stores.changes.count();
        self.regime = regime;
        self.roots = roots;
        self.select(world)
    }

    /// Makes the context of the guest's roots the current one.
    fn select<E: Env>(&mut self, world: &mut World<'_, E>) -> Result<HardwareRoots, OutOfFrames> {
        let mut wanted = self.roots;
        for (half, root) in wanted.iter_mut().enumerate() {
            if G::root(&self.regime, half).is_none() {
                *root = Gpa::from_bits(0);
            }
        }
        self.contexts.time += 1;
        let found =
            self.contexts.all.iter().position(|context| context.live && context.guest == wanted);
        let chosen = match found {
            Some(hit) => {
                world.probe.count(Event::RootHit, 1);
                hit
            }
            None => {
                world.probe.count(Event::RootMiss, 1);
                self.make_context(world, wanted)?
            }
        };
        let context = &mut self.contexts.all[chosen];
        context.used = self.contexts.time;
        self.contexts.roots = context.pages;
        for page in context.pages.into_iter().flatten() {
            self.pages[page.number() as usize].young = true;
        }
        world.tlb.publish();
        Ok(self.hardware_roots(world, chosen))
    }

    fn hardware_roots<E: Env>(&self, world: &World<'_, E>, chosen: usize) -> HardwareRoots {
        let context = &self.contexts.all[chosen];
        let mut tables = [Hpa::from_bits(0); 2];
        for (half, table) in tables.iter_mut().enumerate() {
            if let Some(page) = context.pages[half] {
                let offset = context.guest[half].page_offset();
                let frame = world.memory.frame_of(page).start();
                *table = Hpa::from_bits(frame.bits() | offset);
            }
        }
        HardwareRoots { tables, tag: Tag(chosen as u16 + 1) }
    }

    /// Makes a context for the roots `guest` in a free place, or in that of the context that was
    /// loaded least recently.
    fn make_context<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        guest: [Gpa; 2],
    ) -> Result<usize, OutOfFrames> {
        let oldest = self
            .contexts
            .all
            .iter()
            .enumerate()
            .min_by_key(|(_, context)| (context.live, context.used))
            .map_or(0, |(place, _)| place);
        if self.contexts.all[oldest].live {
            world.probe.count(Event::RootEvict, 1);
            self.drop_context(world, oldest);
        }
        // The context that was current keeps its roots while room is made, and no longer.
        self.reserve(world, RESERVE_FRAMES, RESERVE_NODES)?;
        let mut pages = [None; 2];
        for (half, place) in pages.iter_mut().enumerate() {
            if let Some(start) = G::root(&self.regime, half) {
                let page = self.root_page(world, guest[half], start.level)?;
                let described = &mut self.pages[page.number() as usize];
                described.contexts += 1;
                let whole = guest[half].page_offset() == 0;
                let base = G::base(&self.regime, half);
                described.root = match described.root {
                    RootUse::No if whole => RootUse::At(base),
                    RootUse::At(before) if whole && before == base => RootUse::At(base),
                    _ => RootUse::Many,
                };
                *place = Some(page);
                self.stores.changes.count();
            }
        }
        self.contexts.all[oldest] = Context { guest, pages, used: 0, live: true };
        Ok(oldest)
    }

    /// The shadow of the root table at `root`. A frame was reserved.
    fn root_page<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        root: Gpa,
        level: Level,
    ) -> Result<PageId, OutOfFrames> {
        if self.reach.ram_index(root.frame()).is_some() {
            return match self.find(root.frame(), level) {
                Some(page) => Ok(page),
                None => self.make_shadow(world, root.frame(), level),
            };
        }
        let page = world.pool.alloc(world.memory)?;
        self.pages[page.number() as usize] = Page::new(Source::Broken, level);
        for index in Index::all() {
            world.memory.table(page).set(index, S::unknown(level, S::ABSENT));
        }
        Ok(page)
    }

    /// Gives up the contexts that have `page` as a root. It is not a current root.
    pub(super) fn drop_contexts_of<E: Env>(&mut self, world: &mut World<'_, E>, page: PageId) {
        for place in 0..CONTEXTS {
            let context = &self.contexts.all[place];
            if context.live && context.pages.contains(&Some(page)) {
                world.probe.count(Event::RootEvict, 1);
                self.drop_context(world, place);
            }
        }
    }

    /// Gives up every context.
    pub(super) fn drop_all_contexts<E: Env>(&mut self, world: &mut World<'_, E>) {
        self.contexts.roots = [None; 2];
        for place in 0..CONTEXTS {
            if self.contexts.all[place].live {
                self.drop_context(world, place);
            }
        }
    }

    /// Gives up one context; its tag may be used anew. Roots that nothing else leads to go with it.
    fn drop_context<E: Env>(&mut self, world: &mut World<'_, E>, place: usize) {
        let pages = self.contexts.all[place].pages;
        self.contexts.all[place].live = false;
        world.tlb.flush(Stale::<GuestVirt>::Root(Tag(place as u16 + 1)));
        world.probe.count(Event::FlushRoot, 1);
        for page in pages.into_iter().flatten() {
            let described = &mut self.pages[page.number() as usize];
            described.contexts -= 1;
            if described.contexts == 0 {
                described.root = RootUse::No;
                self.stores.changes.count();
                let orphan = described.is_orphan();
                // Global translations that it gave as a root go too, also where it stays as a
                // table: nobody would find their addresses any more.
                self.flush(world, None);
                if orphan {
                    self.destroy(world, page);
                }
            }
        }
    }
}
