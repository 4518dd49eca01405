//! What may be remembered of an entry just before it changes: every way to it, and what is below.

use alloc::vec::Vec;

use super::{Inner, Place, Remembered, Tlb, of_root};
use crate::addr::ENTRIES;
use crate::mem::ENTRY_SHIFT;

impl Tlb {
    /// Remembers the live entry `raw` at `place` for every address and tag that lead to it, and of
    /// what is below it the first and the last of each table.
    pub(super) fn show(&self, inner: &mut Inner, place: Place, raw: u64) {
        for way in self.ways(inner, place) {
            self.show_way(inner, place, Remembered { raw, ..way });
        }
    }

    fn show_way(&self, inner: &mut Inner, place: Place, way: Remembered) {
        self.remember_in(inner, place, way);
        let (Some(table), Some(below)) = (self.link(way.raw), way.level.below()) else { return };
        let limits = self.limits_below(&way);
        let live = |index: &u16| self.0.stage.is_live(self.cell((table, *index)).get());
        let first = (0..ENTRIES as u16).find(live);
        let last = (0..ENTRIES as u16).rfind(live);
        for index in first.into_iter().chain(last) {
            let at = way.at | u64::from(index) << below.shift();
            let raw = self.cell((table, index)).get();
            let entry = Remembered { at, level: below, raw, limits, ..way };
            self.show_way(inner, (table, index), entry);
        }
    }

    /// Every way from a loaded root to the entry at `place`.
    pub(super) fn ways(&self, inner: &Inner, (page, index): Place) -> Vec<Remembered> {
        let mut ways = Vec::new();
        for (&tag, roots) in &inner.roots {
            for root in roots.iter().flatten().filter(|root| of_root(root) == Some(page)) {
                let first = root.address.page_offset() >> ENTRY_SHIFT;
                let within = u64::from(index).wrapping_sub(first);
                if within < u64::from(root.entries) {
                    ways.push(Remembered {
                        tag: Some(tag),
                        root: *root,
                        at: self.0.stage.extended(root.base | within << root.level.shift()),
                        level: root.level,
                        raw: 0,
                        limits: 0,
                    });
                }
            }
        }
        for &parent in inner.parents.get(&page).into_iter().flatten() {
            for way in self.ways(inner, parent) {
                let way = Remembered { raw: self.cell(parent).get(), ..way };
                if let Some(below) = way.level.below() {
                    let at = way.at | u64::from(index) << below.shift();
                    let limits = self.limits_below(&way);
                    ways.push(Remembered { at, level: below, raw: 0, limits, ..way });
                }
            }
        }
        ways
    }
}
