//! Roots: the sets of root tables that a guest switches among, each with a hardware tag of its own.
//!
//! The tag is ours and not the guest's ASID: it belongs to one set of roots, so what the TLB holds
//! under it is always a part of what those roots' shadows give, whatever the guest does with its own ASIDs.

use probe::{Event, Probe};

use crate::addr::{Gpa, GuestVirt, Hpa, Index, Level};
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Entries, Env, Memory, Stale, Tlb, World};
use crate::pool::{OutOfFrames, PageId};
use crate::shadow::contexts::{Context, Place};
use crate::shadow::page::{Page, RootUse, Source};
use crate::shadow::{HardwareRoots, RESERVE_FRAMES, RESERVE_NODES, Shadow};
use crate::switch::{Switch, Switches};

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
        let found = if self.switches.has(Switch::ManyRoots) {
            self.contexts.find(wanted)
        } else {
            self.contexts.find_current(wanted)
        };
        let chosen = match found {
            Some(hit) => {
                world.probe.count(Event::RootHit, 1);
                hit
            }
            None => self.make_context(world, wanted)?,
        };
        let &Context { tables, pages, .. } = self.contexts.load(chosen);
        for page in pages.into_iter().flatten() {
            self.pages[page.number() as usize].young = true;
        }
        world.tlb.publish();
        Ok(HardwareRoots { tables, tag: chosen.tag() })
    }

    /// Makes a context for the roots `guest` in a free place, or in that of another.
    #[inline(never)]
    fn make_context<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        guest: [Gpa; 2],
    ) -> Result<Place, OutOfFrames> {
        world.probe.count(Event::RootMiss, 1);
        if let Some(victim) = self.contexts.victim() {
            world.probe.count(Event::RootEvict, 1);
            self.drop_context(world, victim);
        }
        // The context that was current keeps its roots while room is made, and no longer.
        self.reserve(world, RESERVE_FRAMES, RESERVE_NODES)?;
        let (mut pages, mut tables) = ([None; 2], [Hpa::from_bits(0); 2]);
        for half in 0..guest.len() {
            if let Some(start) = G::root(&self.regime, half) {
                let page = self.root_page(world, guest[half], start.level)?;
                let described = &mut self.pages[page.number() as usize];
                described.contexts += 1;
                let offset = guest[half].page_offset();
                let base = G::base(&self.regime, half);
                described.root = match described.root {
                    RootUse::No if offset == 0 => RootUse::At(base),
                    RootUse::At(before) if offset == 0 && before == base => RootUse::At(base),
                    _ => RootUse::Many,
                };
                let frame = world.memory.frame_of(page).start();
                tables[half] = Hpa::from_bits(frame.bits() | offset);
                pages[half] = Some(page);
                self.stores.changes.count();
            }
        }
        Ok(self.contexts.keep(Context { guest, pages, tables }))
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
                None => self.make_shadow(world, root.frame(), level, Index::wrapping(0)),
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
        while self.pages[page.number() as usize].contexts != 0
            && let Some(place) = self.contexts.any_of(page)
        {
            world.probe.count(Event::RootEvict, 1);
            self.drop_context(world, place);
        }
    }

    /// Gives up every context.
    pub(super) fn drop_all_contexts<E: Env>(&mut self, world: &mut World<'_, E>) {
        self.contexts.unload();
        for place in self.contexts.places() {
            if self.contexts.is_live(place) {
                self.drop_context(world, place);
            }
        }
    }

    /// Gives up one context; its tag may be used anew. Roots that nothing else leads to go with it.
    fn drop_context<E: Env>(&mut self, world: &mut World<'_, E>, place: Place) {
        let pages = self.contexts.forget(place);
        world.tlb.flush(Stale::<GuestVirt>::Root(place.tag()));
        world.probe.count(Event::FlushRoot, 1);
        for page in pages.into_iter().flatten() {
            let described = &mut self.pages[page.number() as usize];
            described.contexts -= 1;
            if described.contexts == 0 {
                described.root = RootUse::No;
                self.stores.changes.count();
                let orphan = described.is_orphan();
                if S::KEEPS_GLOBAL {
                    // Global translations that it gave as a root go too, also where it stays as a
                    // table: nobody would find their addresses any more.
                    self.flush(world, None);
                }
                if orphan {
                    self.destroy(world, page);
                }
            }
        }
    }
}
