//! Structures that are asked together.

use crate::cache::{Cache, Kind, Known};
use crate::geometry::Structure;
use crate::invalidation::Invalidation;
use crate::owner::Owner;

/// A level of the TLB, or the walk caches.
#[derive(Clone, Debug)]
pub(crate) struct Level(Vec<Cache>);

impl Level {
    pub(crate) fn new(structures: &[Structure]) -> Self {
        Self(structures.iter().map(Cache::new).collect())
    }

    /// See [`Cache::hinted`].
    #[inline(always)]
    pub(crate) fn hinted(&mut self, owner: Owner, at: u64, store: bool) -> Option<bool> {
        self.0.iter_mut().find_map(|cache| cache.hinted(owner, at, store))
    }

    /// The translation of `at`.
    pub(crate) fn translation(&mut self, owner: Owner, at: u64) -> Option<Known> {
        self.find(Kind::Translation, owner, at, 0)
    }

    /// See [`Cache::find`].
    pub(crate) fn find(&mut self, kind: Kind, owner: Owner, at: u64, size: u32) -> Option<Known> {
        self.0.iter_mut().find_map(|cache| cache.find(kind, owner, at, size))
    }

    /// Keeps `known` where its largest piece fits.
    pub(crate) fn keep(&mut self, known: Known, at: u64) {
        let best = self.0.iter_mut().max_by_key(|cache| cache.fitting(&known));
        if let Some(cache) = best {
            cache.keep(known, at);
        }
    }

    pub(crate) fn drop_translation(&mut self, owner: Owner, at: u64) {
        self.0.iter_mut().for_each(|cache| cache.drop_translation(owner, at));
    }

    pub(crate) fn forget(&mut self, what: &Invalidation) -> u64 {
        self.0.iter_mut().map(|cache| cache.forget(what)).sum()
    }
}
