//! Whether all that is remembered is so, and what is free is out of use.

use alloc::collections::BTreeSet;

use super::{Inner, Place, Remembered, Tlb, Violation, of_root};
use crate::addr::{Index, Level};
use crate::mem::ENTRY_SHIFT;
use crate::pool::{PageId, Pool};

impl Tlb {
    /// The pages that an entry, a root or anything remembered leads to or was read from.
    pub(super) fn referred_to(&self) -> BTreeSet<u32> {
        let inner = self.0.inner.borrow();
        let roots = inner.roots.values().flatten().flatten();
        let linked = inner.parents.iter().filter(|(_, parents)| !parents.is_empty());
        let mut pages: BTreeSet<u32> = roots.filter_map(of_root).collect();
        pages.extend(linked.map(|(page, _)| *page));
        for (place, remembered) in &inner.remembered {
            pages.insert(place.0);
            for it in remembered {
                pages.extend(of_root(&it.root));
                pages.extend(self.link(it.raw).filter(|_| it.level != Level::PAGE));
            }
        }
        pages
    }

    /// The first violation that was noted.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        self.0.inner.borrow().violations.first().copied()
    }

    /// Looks for anything that must not be, between two operations.
    ///
    /// # Errors
    ///
    /// The first violation that was noted, or what is wrong now.
    pub fn audit(&self, pool: &Pool) -> Result<(), Violation> {
        if let Some(first) = self.violation() {
            return Err(first);
        }
        let referred_to = self.referred_to();
        for number in 1..=pool.size() as u32 {
            if let Some(page) = PageId::new(number).filter(|page| pool.is_free(*page))
                && (Index::all().any(|at| self.0.stage.is_live(self.word(page, at)))
                    || referred_to.contains(&number))
            {
                return Err(Violation::FreeInUse(page));
            }
        }
        let inner = self.0.inner.borrow();
        for (&place, remembered) in &inner.remembered {
            for it in remembered {
                if !self.is_so(&inner, place, it) {
                    let Remembered { at, level, raw, .. } = *it;
                    return Err(Violation::Remembered { at, level, raw });
                }
            }
        }
        Ok(())
    }

    /// Whether a walk now finds what is remembered.
    fn is_so(&self, inner: &Inner, place: Place, it: &Remembered) -> bool {
        if let Some(tag) = it.tag
            && !inner.roots.get(&tag).is_some_and(|roots| roots.contains(&Some(it.root)))
        {
            return false;
        }
        let Some(mut page) = of_root(&it.root) else { return false };
        let (mut level, mut limits) = (it.root.level, 0);
        let within = (it.at >> level.shift()) as u32 & (it.root.entries - 1);
        let first = (it.root.address.page_offset() >> ENTRY_SHIFT) as u32;
        let mut index = Index::wrapping(first + within);
        loop {
            let here = (page, index.get() as u16);
            let raw = self.cell(here).get();
            if level == it.level {
                return here == place
                    && self.0.stage.may_linger((it.raw, it.limits), (raw, limits));
            }
            let (Some(next), Some(below)) = (self.link(raw), level.below()) else { return false };
            if !it.root.flat {
                limits |= self.0.stage.limits(raw);
            }
            (page, level, index) = (next, below, Index::of(it.at, below));
        }
    }
}
