//! Accesses to devices, recognised from one look at the shadow.
//!
//! A guest accesses the registers of a device again and again, and each access exits. Where it leads, and that
//! the guest's tables allow it, the first one found out: the shadow entry has the guest's frame, and beside
//! it what the guest's leaf allows, so that it changes when either does. So what was found is
//! [remembered](super::lately) like a store to a table, for as long as that entry stands there and no way
//! changes. That is done for a device in a large page, as kernels map them: to one in a page of its own the
//! shadow's way leads down to the guest's leaf, which takes no walk either.

use crate::addr::{Gpa, Gva, Level};
use crate::attrs::{Access, Kind};
use crate::entry::Shadowed;
use crate::fault::Verdict;
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Env, World};
use crate::shadow::Shadow;
use crate::shadow::lately::{Found, Store};
use crate::switch::Switches;

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// What came of the same `store`, a store to a table or an access to a device, the last time, if it is so
    /// still.
    #[inline(always)]
    pub(super) fn found_lately<E: Env>(
        &self,
        world: &World<'_, E>,
        store: &Store,
        at: Gva,
    ) -> Option<Verdict> {
        let found = self.stores.find(store)?;
        if self.entry(world, found.slot) != found.entry {
            return None;
        }
        let gpa = Gpa::from_bits(found.frame.start().bits() | at.page_offset());
        // A table is RAM, whose leaf the hardware knows; a device it does not.
        let is_table = S::is_cached(found.entry);
        Some(if is_table { Verdict::Store(gpa) } else { Verdict::Device(gpa) })
    }

    /// Remembers an access to the device at `gpa`, which the guest's tables allow.
    #[cold]
    #[inline(never)]
    pub(super) fn meet_device<E: Env>(
        &mut self,
        world: &World<'_, E>,
        at: Gva,
        access: Access,
        gpa: Gpa,
    ) {
        if access.kind != Kind::Execute
            && let Some((slot, Shadowed::Device)) = self.last_slot(world, at)
        {
            let page = at.align_down(Level::PAGE);
            let store = Store { page, access, root: self.contexts.root(0) };
            let entry = self.entry(world, slot);
            self.stores.meet(store, Found { slot, entry, frame: gpa.frame() });
        }
    }
}
