//! The tables as hardware sees them, and what it remembers of them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use crate::addr::{Addr, Space};
use crate::addr::{ENTRIES, GuestPhys, GuestVirt, Hpa, Index, Level, PAGE_SHIFT};
use crate::mem::{self, Stale};
use crate::pool::PageId;
use crate::shadow::HardwareRoots;
use crate::sim::mmu::Hardware;

mod audit;
mod stage;
mod ways;

pub use stage::Stage;

/// The number of the frame before the pool's first, far from any RAM.
pub(super) const POOL: u64 = 0x1_0000;
/// The bit that chooses the half; those above it may be a tag.
const HALF_SELECT: u32 = 55;

/// A root that the hardware may walk from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RootTable {
    /// Where the table is.
    pub address: Hpa,
    /// The lowest address that it translates.
    pub base: u64,
    /// Its level.
    pub level: Level,
    /// How many entries it has.
    pub entries: u32,
    /// Whether what table entries take away is ignored.
    pub flat: bool,
}

/// Something that the architecture forbids, or that the engine says never happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Violation {
    /// A live entry became another while the old one was, or could be, remembered.
    Exchanged {
        /// The table.
        page: PageId,
        /// The entry's place.
        index: usize,
        /// What is remembered.
        old: u64,
        /// What was written.
        new: u64,
    },
    /// A frame was handed out while an entry, a root or the TLB referred to it.
    HandedOut(PageId),
    /// A frame was handed out that is not zero.
    NotZero(PageId),
    /// The hardware walked although descriptors had been written and no walk was told of.
    Unpublished,
    /// Something is remembered that the tables do not say.
    Remembered {
        /// The address that it is for.
        at: u64,
        /// At which level.
        level: Level,
        /// The descriptor.
        raw: u64,
    },
    /// A free frame is referred to, or has live entries.
    FreeInUse(PageId),
    /// A descriptor led the hardware where no descriptor of ours may: outside RAM, the pool and the windows.
    Astray(u64),
    /// A table entry leads to a table that is no frame of the pool.
    NoTable(u64),
}

/// An entry's place: its page's number and its index.
type Place = (u32, u16);

/// An entry that the hardware may use without looking.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Remembered {
    /// The tag that it is for; global leaves have none.
    pub(super) tag: Option<u16>,
    /// The root from which it was reached.
    pub(super) root: RootTable,
    /// The first address that it is for.
    pub(super) at: u64,
    /// At which level it stood.
    pub(super) level: Level,
    /// The descriptor.
    pub(super) raw: u64,
    /// What the tables above take away.
    pub(super) limits: u64,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    words: Vec<Cell<u64>>,
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    remembered: BTreeMap<Place, BTreeSet<Remembered>>,
    parents: BTreeMap<u32, BTreeSet<Place>>,
    roots: BTreeMap<u16, [Option<RootTable>; 2]>,
    unpublished: bool,
    violations: Vec<Violation>,
}

/// The tables, and a TLB with walk caches that watches them.
#[derive(Clone, Debug)]
pub struct Tlb(Rc<State>);

impl Tlb {
    pub(super) fn new(frames: u32, stage: Stage) -> Self {
        let words = vec![Cell::new(0); frames as usize * ENTRIES];
        Self(Rc::new(State { stage, words, inner: RefCell::default() }))
    }

    fn cell(&self, (page, index): Place) -> &Cell<u64> {
        &self.0.words[(page as usize - 1) * ENTRIES + usize::from(index)]
    }

    pub(super) fn word(&self, page: PageId, at: Index) -> u64 {
        self.cell((page.number(), at.get() as u16)).get()
    }

    /// A descriptor is written, where the hardware sees it.
    pub(super) fn write(&self, page: PageId, at: Index, new: u64) {
        let place = (page.number(), at.get() as u16);
        let old = self.cell(place).get();
        let mut inner = self.0.inner.borrow_mut();
        let stage = self.0.stage;
        // An entry that no walk reaches may fade away unseen.
        inner.unpublished |= !stage.walks_see_writes()
            && (stage.is_live(new) || !self.ways(&inner, place).is_empty());
        if stage.is_live(old) && old != new {
            self.show(&mut inner, place, old);
        }
        if stage.is_live(new)
            && let Some(remembered) = inner.remembered.get(&place)
            && let Some(stale) = remembered.iter().find(|it| !stage.may_replace(it.raw, new))
        {
            let (index, old) = (at.get(), stale.raw);
            inner.violations.push(Violation::Exchanged { page, index, old, new });
        }
        if let Some(table) = self.link(old)
            && let Some(parents) = inner.parents.get_mut(&table)
        {
            parents.remove(&place);
        }
        if let Some(table) = self.link(new) {
            inner.parents.entry(table).or_default().insert(place);
        }
        self.cell(place).set(new);
    }

    /// The pool hands `page` out.
    pub(super) fn hand_out(&self, page: PageId) {
        if self.referred_to().contains(&page.number()) {
            self.0.inner.borrow_mut().violations.push(Violation::HandedOut(page));
        }
        if Index::all().any(|at| self.word(page, at) != 0) {
            self.0.inner.borrow_mut().violations.push(Violation::NotZero(page));
        }
    }

    /// The hardware may walk from these roots from now on, under this tag.
    pub fn load(&self, tag: u16, roots: [Option<RootTable>; 2]) {
        self.0.inner.borrow_mut().roots.insert(tag, roots);
    }

    /// The hardware walks no more from what was loaded under `tag`.
    pub fn unload(&self, tag: u16) {
        self.0.inner.borrow_mut().roots.remove(&tag);
    }

    /// Loads what a shadow says is to be loaded under `regime`.
    pub fn load_shadow<H: Hardware>(&self, regime: &H::Regime, roots: &HardwareRoots) {
        let root = |half: usize| {
            let start = H::root(regime, half)?;
            Some(RootTable {
                address: roots.tables[half],
                base: H::base(regime, half).bits(),
                level: start.level,
                entries: start.entries,
                flat: H::is_flat(regime, half),
            })
        };
        self.load(roots.tag.0, [root(0), root(1)]);
    }

    /// The roots that were loaded under `tag`.
    pub(super) fn roots(&self, tag: u16) -> [Option<RootTable>; 2] {
        self.0.inner.borrow().roots.get(&tag).copied().unwrap_or_default()
    }

    /// Remembers one entry, as a walk that used it may.
    pub(super) fn remember(&self, page: PageId, at: Index, entry: Remembered) {
        let mut inner = self.0.inner.borrow_mut();
        self.remember_in(&mut inner, (page.number(), at.get() as u16), entry);
    }

    fn remember_in(&self, inner: &mut Inner, place: Place, mut entry: Remembered) {
        match self.0.stage.kept(entry.level, entry.raw) {
            stage::Kept::Not => return,
            stage::Kept::Global => entry.tag = None,
            stage::Kept::Tagged => {}
        }
        inner.remembered.entry(place).or_default().insert(entry);
    }

    /// All that matches `at` under `tag`, with global leaves that one of its roots gave.
    pub(super) fn matching(&self, tag: u16, at: u64) -> Vec<Remembered> {
        let roots = self.roots(tag);
        let inner = self.0.inner.borrow();
        let visible = |it: &&Remembered| match it.tag {
            Some(own) => own == tag,
            None => roots.contains(&Some(it.root)),
        };
        inner
            .remembered
            .values()
            .flatten()
            .filter(|it| it.covers(at))
            .filter(visible)
            .copied()
            .collect()
    }

    /// An access to `at` under `tag` faulted, where that makes the hardware forget the address.
    pub fn fault(&self, tag: u16, at: Addr<GuestVirt>) {
        if self.0.stage.forgets_at_faults() {
            let at = canonical(at);
            for set in self.0.inner.borrow_mut().remembered.values_mut() {
                set.retain(|it| !(it.covers(at) && it.tag.is_none_or(|own| own == tag)));
            }
        }
    }

    /// Whether walks know of all descriptors; notes it if not.
    pub fn begin_walk(&self) {
        let mut inner = self.0.inner.borrow_mut();
        if core::mem::take(&mut inner.unpublished) {
            inner.violations.push(Violation::Unpublished);
        }
    }

    pub(super) fn note(&self, violation: Violation) {
        self.0.inner.borrow_mut().violations.push(violation);
    }

    /// The frame of the pool that `raw` leads to, if it has the form of a table entry.
    fn link(&self, raw: u64) -> Option<u32> {
        let address = self.0.stage.table_address(raw)?;
        let number = (address >> PAGE_SHIFT).checked_sub(POOL)? as u32;
        let frames = (self.0.words.len() / ENTRIES) as u32;
        (1..=frames).contains(&number).then_some(number)
    }

    /// What `entry`, a table's, and those above it take away.
    pub(super) fn limits_below(&self, entry: &Remembered) -> u64 {
        if entry.root.flat { 0 } else { entry.limits | self.0.stage.limits(entry.raw) }
    }

    fn forget(&self, stale: Stale<GuestVirt>) {
        let mut inner = self.0.inner.borrow_mut();
        inner.unpublished = false;
        match stale {
            Stale::All => inner.remembered.clear(),
            Stale::Address(at) => {
                let at = canonical(at);
                for set in inner.remembered.values_mut() {
                    set.retain(|it| !it.covers(at));
                }
            }
            Stale::Root(tag) => {
                inner.roots.remove(&tag.0);
                for set in inner.remembered.values_mut() {
                    set.retain(|it| it.tag != Some(tag.0));
                }
            }
        }
        inner.remembered.retain(|_, set| !set.is_empty());
    }
}

impl mem::Tlb<GuestVirt> for Tlb {
    fn flush(&mut self, stale: Stale<GuestVirt>) {
        self.forget(stale);
    }

    fn publish(&mut self) {
        self.0.inner.borrow_mut().unpublished = false;
    }
}

impl mem::Tlb<GuestPhys> for Tlb {
    fn flush(&mut self, stale: Stale<GuestPhys>) {
        self.forget(match stale {
            Stale::Address(at) => Stale::Address(Addr::from_bits(at.bits())),
            Stale::Root(tag) => Stale::Root(tag),
            Stale::All => Stale::All,
        });
    }

    fn publish(&mut self) {
        self.0.inner.borrow_mut().unpublished = false;
    }
}

impl Remembered {
    /// Whether an access to `at` may use it.
    fn covers(&self, at: u64) -> bool {
        (at ^ self.at) >> self.level.shift() == 0
    }
}

/// The address as the TLB compares it: without a tag in its top byte.
pub(super) fn canonical<S: Space>(at: Addr<S>) -> u64 {
    let unused = u64::BITS - 1 - HALF_SELECT;
    ((at.bits() << unused) as i64 >> unused) as u64
}

/// The number of the frame of the pool that `root` stands in.
fn of_root(root: &RootTable) -> Option<u32> {
    root.address.frame().number().checked_sub(POOL).map(|number| number as u32)
}
