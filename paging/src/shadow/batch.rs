//! Many stores to tables at once, from a guest that knows that its tables are shadowed.
//!
//! Most of what a store to a table costs is the exit and the question what the guest's instruction does. A guest
//! that hands its stores over spares both: what is left of each is the change of the shadow. It also says that they go to a table, so nobody need suspect that it is none any more.

use probe::{Event, Probe};

use crate::addr::{Frame, Gpa, GuestPhys, Index};
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{ENTRY_SHIFT, Entries, Env, Memory, World};
use crate::pool::{OutOfFrames, PageId};
use crate::shadow::lately::Changes;
use crate::shadow::page::Slot;
use crate::shadow::{RESERVE_FRAMES, RESERVE_NODES, Shadow};
use crate::switch::{Switch, Switches};

/// The table that a store went to, which mostly is that of the next store. It is good while no way changes.
struct Table<'a, E: Env> {
    frame: Frame<GuestPhys>,
    changes: Changes,
    guest: &'a <E::Memory as Memory>::Guest,
    /// Its shadow page, if it has just one.
    page: Option<PageId>,
}

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// Whether a guest may hand stores over: see [`update`](Self::update).
    #[inline(always)]
    #[must_use]
    pub fn takes_updates(&self) -> bool {
        self.switches.has(Switch::Paravirtual)
    }

    /// Makes the guest's `stores` of 8 bytes in order, up to the first that is misaligned or not to RAM, and
    /// returns how many it made. One to a frame that is no table, or while paging is off, is a store and no more.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] as in [`fault`](Self::fault). The store that needed them was not made then.
    #[inline(never)]
    pub fn update<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        stores: impl Iterator<Item = (Gpa, u64)>,
    ) -> Result<u64, OutOfFrames> {
        let span = world.probe.start();
        let done = self.update_each(world, stores);
        world.probe.count(Event::Batches, 1);
        world.probe.count(Event::BatchedUpdates, done.unwrap_or_default());
        world.probe.stop(Event::ShUpdateBatch, span);
        done
    }

    #[inline(always)]
    fn update_each<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        stores: impl Iterator<Item = (Gpa, u64)>,
    ) -> Result<u64, OutOfFrames> {
        let memory = world.memory;
        let mut table: Option<Table<'_, E>> = None;
        let mut done = 0;
        for (at, value) in stores {
            let offset = at.page_offset();
            if !offset.is_multiple_of(1 << ENTRY_SHIFT) {
                break;
            }
            self.reserve(world, RESERVE_FRAMES, RESERVE_NODES)?;
            let frame = at.frame();
            let changes = self.stores.changes;
            let here = match &table {
                Some(table) if table.frame == frame && table.changes == changes => table,
                _ => {
                    let Some(guest) = memory.guest(frame) else { break };
                    table.insert(Table { frame, changes, guest, page: self.only_shadow(frame) })
                }
            };
            let index = Index::wrapping((offset >> ENTRY_SHIFT) as u32);
            here.guest.set(index, value);
            match here.page {
                Some(page) => self.propagate(world, Slot::new(page, index), value),
                None => self.sync_entry(world, frame, index, value),
            }
            done += 1;
        }
        Ok(done)
    }
}
