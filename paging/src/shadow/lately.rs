//! What was found lately about the ways through the shadow, for as long as no way changes.
//!
//! A guest that fills or clears a table stores to the same page again and again, and each store makes
//! the engine ask the same two questions: to which frame does this address lead, and which addresses does
//! this shadow page translate. Both answers hang on the entries above the leaf tables, which change
//! seldom. So each such change is counted, and an answer is good while the count stands.

use crate::addr::{Frame, GuestPhys, Gva, Level};
use crate::attrs::{Access, Kind};
use crate::pool::PageId;
use crate::shadow::Reached;
use crate::shadow::page::Slot;

/// How many stores are remembered.
const STORES: usize = 8;

/// How often the ways through the shadow have changed: an entry above the leaf tables, what leads to
/// a page, whether a page is a root, or whether it is one at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Changes(u64);

impl Changes {
    /// A way changes.
    #[inline(always)]
    pub(super) const fn count(&mut self) {
        self.0 += 1;
    }
}

/// Which addresses a shadow page translates, as of some changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    changes: Changes,
    reached: Reached,
}

impl Known {
    /// Nothing yet: changes are counted from 1 on.
    pub(super) const NOTHING: Self = Self { changes: Changes(0), reached: Reached::Nowhere };

    /// What was found after `changes`.
    pub(super) const fn new(changes: Changes, reached: Reached) -> Self {
        Self { changes, reached }
    }

    /// What holds after `changes`, if it is known.
    #[inline(always)]
    pub(super) fn at(self, changes: Changes) -> Option<Reached> {
        (self.changes == changes).then_some(self.reached)
    }
}

/// A store to a guest table, or an access to a device: its page, and who made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Store {
    /// The page's first address.
    pub(super) page: Gva,
    /// The access.
    pub(super) access: Access,
    /// The shadow of the root that was in force.
    pub(super) root: Option<PageId>,
}

/// What was found about a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The shadow entry that refused it.
    pub(super) slot: Slot,
    /// What stood there.
    pub(super) entry: u64,
    /// The frame of the table or of the device.
    pub(super) frame: Frame<GuestPhys>,
}

/// The stores that were met lately.
#[derive(Debug)]
pub(super) struct Stores {
    /// How often ways have changed.
    pub(super) changes: Changes,
    met: [Option<(Changes, Store, Found)>; STORES],
}

impl Stores {
    /// None yet.
    pub(super) const NONE: Self = Self { changes: Changes(1), met: [None; STORES] };

    /// Where `store` would be. A device is read and written in turn, and both are to stay.
    #[inline(always)]
    const fn place(store: &Store) -> usize {
        let kind = matches!(store.access.kind, Kind::Read) as usize;
        ((store.page.bits() >> Level::PAGE.shift()) as usize + kind) % STORES
    }

    /// What is known of `store`. It holds if what stood in the slot still stands there.
    #[inline(always)]
    pub(super) fn find(&self, store: &Store) -> Option<Found> {
        match self.met[Self::place(store)] {
            Some((changes, met, found)) if changes == self.changes && met == *store => Some(found),
            _ => None,
        }
    }

    /// Remembers what was found about `store`.
    #[inline(always)]
    pub(super) fn meet(&mut self, store: Store, found: Found) {
        self.met[Self::place(&store)] = Some((self.changes, store, found));
    }
}
