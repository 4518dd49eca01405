//! The engine's invariants, checked in full: for tests.
//!
//! Everything is computed anew from the guest's tables and the shadow's own entries, and compared with
//! what the engine keeps.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::addr::{Frame, GuestPhys, Hpa, Index, Level};
use crate::entry::{Entry, Shadowed};
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Env, Memory, World};
use crate::pool::PageId;
use crate::shadow::contexts::Context;
use crate::shadow::page::{Page, RootUse, Slot, Source};
use crate::shadow::reverse::Refs;
use crate::shadow::{NODES, Shadow};
use crate::switch::{Switch, Switches};

/// Slots by the thing that they refer to.
type Listed<K> = BTreeMap<K, Vec<u32>>;
/// What entries refer to: records by level and place, and pages by number.
type Referred = (Listed<(Level, usize)>, Listed<u32>);

/// Says what is wrong.
macro_rules! ensure {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// Whether `frame` is a table that stores may not reach unseen.
    #[must_use]
    pub fn is_shadowed(&self, frame: Frame<GuestPhys>) -> bool {
        self.is_table(frame)
    }

    /// Checks invariants 1 to 3, and that every frame of the pool is accounted for.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn check<E: Env>(&self, world: &World<'_, E>) -> Result<(), String> {
        self.check_pages(world)?;
        let (leaves, parents) = self.check_entries(world)?;
        self.check_records(&leaves)?;
        self.check_roots(world, &parents)
    }

    /// Pages in use, with their numbers.
    fn used(&self) -> impl Iterator<Item = (PageId, &Page)> {
        (1..self.pages.len() as u32).filter_map(|number| {
            let page = PageId::new(number)?;
            let described = &self.pages[number as usize];
            (described.source != Source::Free).then_some((page, described))
        })
    }

    /// Whether `described` is a page that was set aside.
    fn is_aside(&self, page: PageId, described: &Page) -> bool {
        let Source::Table(frame) = described.source else { return false };
        let record = self.reach.ram_index(frame).and_then(|index| self.records[0].get(index));
        record.is_some_and(|record| record.tables == page.number())
    }

    /// A frame is free in the pool if, and only if, it shadows nothing.
    fn check_pages<E: Env>(&self, world: &World<'_, E>) -> Result<(), String> {
        let used: Vec<_> = self.used().map(|(page, _)| page).collect();
        ensure!(
            used.len() + world.pool.available() == world.pool.size(),
            "{} pages are in use and {} of {} are free",
            used.len(),
            world.pool.available(),
            world.pool.size()
        );
        for page in used {
            ensure!(!world.pool.is_free(page), "{page:?} is in use and free");
        }
        Ok(())
    }

    /// Each entry is what the guest's makes of it or unknown. Returns what entries refer to: the
    /// leaves by level and record, the parents by page.
    fn check_entries<E: Env>(&self, world: &World<'_, E>) -> Result<Referred, String> {
        let (mut leaves, mut parents) = (Listed::new(), Listed::new());
        for (page, described) in self.used() {
            let level = described.level;
            for index in Index::all() {
                let slot = Slot::new(page, index);
                let entry = self.entry(world, slot);
                let what = S::shadowed(level, entry);
                let right = if self.is_aside(page, described) {
                    self.is_kept(entry, what)
                } else {
                    self.is_in_sync(world, slot, level, entry, what)
                };
                ensure!(
                    right,
                    "{page:?} {:?} {level:?}[{}] is {entry:#x}, {what:?}; the guest's is {:x?}",
                    described.source,
                    index.get(),
                    self.guest_entry(world, slot)
                );
                match what {
                    Shadowed::Leaf { to, .. } => {
                        let Some(record) = self.leaf_record(level, to) else {
                            return Err(format!("{page:?}[{}] maps no RAM", index.get()));
                        };
                        if self.switches.has(Switch::ReverseMap) {
                            leaves.entry((level, record)).or_default().push(slot.bits());
                        }
                    }
                    Shadowed::Table(to) => {
                        let Some(next) = world.memory.page_of(to) else {
                            return Err(format!("{page:?}[{}] leads out of the pool", index.get()));
                        };
                        parents.entry(next.number()).or_default().push(slot.bits());
                    }
                    Shadowed::Absent | Shadowed::Unknown | Shadowed::Device => {}
                }
            }
        }
        Ok((leaves, parents))
    }

    /// Whether `entry` of a page that was set aside has the protection that it has to have.
    fn is_kept(&self, entry: u64, what: Shadowed) -> bool {
        let Shadowed::Leaf { to, protected } = what else { return true };
        let to = self.reach.guest_address(to.start());
        to.is_some_and(|to| protected == self.is_table(to.frame()))
            && entry == S::protect_leaf(entry, protected)
    }

    /// Whether `entry` is what it has to be.
    fn is_in_sync<E: Env>(
        &self,
        world: &World<'_, E>,
        slot: Slot,
        level: Level,
        entry: u64,
        what: Shadowed,
    ) -> bool {
        let Some(raw) = self.guest_entry(world, slot) else { return what == Shadowed::Unknown };
        let derived = self.derive(world, level, raw);
        let derived_is = S::shadowed(level, derived);
        match what {
            Shadowed::Unknown if level == Level::PAGE => {
                entry == derived || S::is_unknown_leaf(entry) && G::is_live(raw)
            }
            Shadowed::Unknown => {
                matches!(derived_is, Shadowed::Unknown | Shadowed::Table(_) | Shadowed::Leaf { .. })
            }
            Shadowed::Table(to)
                if derived_is == Shadowed::Unknown || self.is_left_split(level, raw) =>
            {
                self.splits(world, slot, level, raw) && entry == S::shadow_table(level, raw, to)
            }
            _ => entry == derived,
        }
    }

    /// Whether the guest's block `raw` could be whole, and stays split for a while.
    fn is_left_split(&self, level: Level, raw: u64) -> bool {
        match G::decode::<GuestPhys>(level, raw) {
            Entry::Leaf(to) => {
                self.record_index(to, level).is_some_and(|index| self.idle.has((level, index)))
            }
            Entry::Hole | Entry::Table(_) => false,
        }
    }

    /// Each record lists exactly the leaves that map its block and the pages that shadow or split
    /// it, and counts its tables. One that has a page set aside has no other.
    fn check_records(&self, leaves: &Listed<(Level, usize)>) -> Result<(), String> {
        let (mut shadows, mut tables) = (BTreeMap::new(), BTreeMap::new());
        let mut counted = BTreeSet::new();
        for (page, described) in self.used() {
            let (frame, level) = match described.source {
                Source::Table(frame) => (frame, Level::PAGE),
                Source::Split { block, level } => match G::decode::<GuestPhys>(level, block) {
                    Entry::Leaf(to) => (to, level),
                    _ => return Err(format!("{page:?} splits no block")),
                },
                Source::Free | Source::Broken => continue,
            };
            let Some(record) = self.record_index(frame, level) else { continue };
            if !self.is_aside(page, described) {
                shadows.entry((level, record)).or_insert_with(Vec::new).push(page.number());
            } else {
                ensure!(
                    described.level == Level::PAGE && self.records[0][record].shadows == 0,
                    "{page:?} was set aside beside others"
                );
            }
            if level == Level::PAGE && counted.insert(frame) {
                for level in [Level::BLOCK_2M, Level::BLOCK_1G] {
                    if let Some(block) = self.record_index(frame, level) {
                        *tables.entry((level, block)).or_insert(0) += 1;
                    }
                }
            }
        }
        let mut nodes = 0;
        for level in [Level::PAGE, Level::BLOCK_2M, Level::BLOCK_1G] {
            for (place, record) in self.records[level.number()].iter().enumerate() {
                let key = (level, place);
                let aside = PageId::new(record.tables).filter(|_| level == Level::PAGE);
                let right = aside.is_none_or(|page| {
                    matches!(self.pages[page.number() as usize].source, Source::Table(frame)
                        if self.record_index(frame, level) == Some(place))
                });
                ensure!(right, "{key:?} has the page {aside:?} set aside");
                let count = if level == Level::PAGE { 0 } else { record.tables };
                if record.leaves.is_empty() && record.shadows == 0 && count == 0 {
                    ensure!(
                        !leaves.contains_key(&key)
                            && !shadows.contains_key(&key)
                            && !tables.contains_key(&key),
                        "the record {place} of {level:?} is empty: {:?} {:?} {:?}",
                        leaves.get(&key),
                        shadows.get(&key),
                        tables.get(&key)
                    );
                    continue;
                }
                nodes += record.leaves.nodes(&self.nodes);
                self.check_list(&record.leaves, leaves.get(&key), "leaves", key)?;
                let mut listed = Vec::new();
                let mut next = record.shadows;
                while next != 0 && listed.len() < self.pages.len() {
                    listed.push(next);
                    next = self.pages[next as usize].next;
                }
                listed.sort_unstable();
                let actual = shadows.get(&key).map_or(&[][..], Vec::as_slice);
                ensure!(listed == actual, "{key:?} lists pages {listed:?}, which are {actual:?}");
                let actual = tables.get(&key).copied().unwrap_or(0);
                ensure!(level == Level::PAGE || count == actual, "{key:?} counts {count} tables");
                ensure!(
                    count == 0 || !self.idle.has(key),
                    "{key:?} has tables and waits to be joined"
                );
            }
        }
        nodes += self.used().map(|(_, page)| page.parents.nodes(&self.nodes)).sum::<usize>();
        ensure!(
            nodes + self.nodes.available() == NODES,
            "{nodes} nodes are in use and {} of {NODES} are free",
            self.nodes.available()
        );
        Ok(())
    }

    /// The parents of each page are the entries that lead to it, and its use as a root is what the
    /// contexts say.
    fn check_roots<E: Env>(
        &self,
        _world: &World<'_, E>,
        parents: &Listed<u32>,
    ) -> Result<(), String> {
        for (page, described) in self.used() {
            self.check_list(&described.parents, parents.get(&page.number()), "parents", page)?;
            let mut uses = Vec::new();
            for &Context { guest, pages, .. } in self.contexts.live() {
                for half in 0..pages.len() {
                    if pages[half] == Some(page) {
                        uses.push((G::base(&self.regime, half), guest[half].page_offset()));
                    }
                }
            }
            let count = usize::from(described.contexts);
            ensure!(count == uses.len(), "{page:?} has {count} contexts, which are {uses:?}");
            let fits = match described.root {
                RootUse::No => uses.is_empty(),
                RootUse::At(base) => !uses.is_empty() && uses.iter().all(|it| *it == (base, 0)),
                RootUse::Many => !uses.is_empty(),
            };
            ensure!(fits, "{page:?} is a root {:?}, which is {uses:?}", described.root);
            ensure!(
                described.is_orphan() == self.is_aside(page, described),
                "{page:?}, {:?}, is led to or not, and should not be or should",
                described.source
            );
        }
        Ok(())
    }

    fn check_list(
        &self,
        list: &Refs,
        actual: Option<&Vec<u32>>,
        what: &str,
        of: impl core::fmt::Debug,
    ) -> Result<(), String> {
        let mut listed = Vec::new();
        list.each(&self.nodes, |slot| listed.push(slot));
        listed.sort_unstable();
        let mut actual = actual.cloned().unwrap_or_default();
        actual.sort_unstable();
        ensure!(
            listed == actual,
            "the {what} of {of:?} are listed as {listed:x?}, not {actual:x?}"
        );
        Ok(())
    }

    /// Every shadow entry but the absent ones, in order: table, level, index, what it is. Roots outside
    /// RAM are left out, and tables set aside.
    pub fn entries<E: Env>(&self, world: &World<'_, E>) -> Vec<(Table, usize, Shadowed)> {
        let mut all = Vec::new();
        let used = self.used().filter(|(page, described)| {
            described.source != Source::Broken && !self.is_aside(*page, described)
        });
        for (page, described) in used {
            let table = Table {
                frame: match described.source {
                    Source::Table(frame) => Some(frame),
                    Source::Split { .. } | Source::Free | Source::Broken => None,
                },
                at: world.memory.frame_of(page).start(),
                level: described.level,
            };
            for index in Index::all() {
                match S::shadowed(table.level, self.entry(world, Slot::new(page, index))) {
                    Shadowed::Absent => {}
                    what => all.push((table, index.get(), what)),
                }
            }
        }
        all.sort_by_key(|(table, index, _)| (core::cmp::Reverse(table.level), *table, *index));
        all
    }
}

/// A shadow table, as [`Shadow::entries`] names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Table {
    /// The guest's table that it shadows; none for the parts of a block.
    pub frame: Option<Frame<GuestPhys>>,
    /// Where it stands.
    pub at: Hpa,
    /// Its level.
    pub level: Level,
}
