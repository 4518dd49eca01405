//! Shadow paging: the guest's walk composed with the layout, projected into tables that the hardware
//! uses, and kept coherent with the guest's.
//!
//! ```text
//!             guest tables        layout
//!     gva ───────────────▶ gpa ─────────▶ hpa
//!      └───────────── shadow ──────────────▲
//! ```
//!
//! For each guest table in use there is a *shadow page*, keyed by the guest frame and the level at
//! which it is used: the shadow of one table serves every root that leads to it. What the engine
//! keeps true whenever the guest runs:
//!
//! 1. **In sync.** Each shadow entry is what [`derive`](sync) makes of the guest's entry now, or is
//!    *unknown*, which exits at its first use. Every store to a shadowed table exits, so the engine sees it.
//!    (A table that is stored to again and again is none until its next use: see [`out_of_sync`].)
//! 2. **Protected.** A shadow leaf is store-protected if, and only if, its frame has a shadow page. A
//!    block that holds such a frame is split.
//! 3. **Found.** The [reverse map](reverse) of a frame or block lists exactly the shadow leaves that
//!    map it, or nothing in a build that [searches](mapped) for them; the parents of a shadow page are exactly the entries that lead to it.
//! 4. **Nothing stale.** The TLB holds no translation that the shadow tables do not give. A guest's
//!    own invalidation therefore has nothing left to do.
//! 5. **Bounded.** An operation reserves the frames and nodes that it may need before it changes
//!    anything, giving up shadow pages that the current roots do not need.
//!
//! Where the hardware keeps [accessed and dirty flags](GuestFormat::KEEPS_FLAGS), which it cannot do in tables
//! that it does not walk, the engine sets them: an entry without its accessed flag is unknown, a leaf without
//! its dirty flag is not writable, and the [fault](page_fault) of the first use or write sets the flag in the
//! guest's table and in each of its shadows. So a flag is set no later than by the access, and never without
//! one that succeeds.
//!
//! One CPU uses a `Shadow` at a time; with several, one lock a VM covers it, and
//! [`Tlb`](crate::mem::Tlb) reaches every CPU that runs the VM.

use alloc::vec;
use alloc::vec::Vec;

use probe::{Event, Probe, Span};

use crate::addr::{ENTRIES, Frame, Gpa, GuestPhys, GuestVirt, Gva, Hpa, Level};
use crate::fault::{Fault, Verdict};
use crate::format::{GuestFormat, ShadowFormat};
use crate::layout::Layout;
use crate::mem::{Entries, Env, Memory, Stale, Tag, Tlb, World};
use crate::pool::{OutOfFrames, PageId};
use crate::shadow::around::Distances;
use crate::shadow::contexts::Contexts;
use crate::shadow::flood::Guesses;
use crate::shadow::idle::Idle;
use crate::shadow::lately::{Known, Stores};
use crate::shadow::out_of_sync::Runs;
use crate::shadow::page::{Page, Slot, Source};
use crate::shadow::reverse::{Nodes, Refs};
use crate::switch::{Switch, Switches};

pub use crate::shadow::lately::Changes;

mod around;
mod batch;
#[cfg(any(test, feature = "sim"))]
pub mod check;
mod contexts;
mod device;
mod evict;
mod fill;
mod flood;
mod idle;
mod lately;
mod leaves;
mod mapped;
mod out_of_sync;
mod page;
mod page_fault;
mod reverse;
mod roots;
mod sync;

/// The fewest frames that a pool for a shadow may have: enough for the ways of all addresses that one
/// instruction can touch.
pub const MIN_FRAMES: usize = 48;
pub use crate::shadow::contexts::{FEWEST_CONTEXTS, MOST_CONTEXTS};

/// Frames that one operation may take.
const RESERVE_FRAMES: usize = 8;
/// Reverse-map nodes that one operation may take: one for each entry of the three tables below a
/// root that it may make, and for the links to them.
const RESERVE_NODES: usize = 3 * ENTRIES + 64;
/// Reverse-map nodes that there are: 32 bytes each.
const NODES: usize = 5120;

/// How much a shadow may keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capacity {
    /// Frames of the pool, at least [`MIN_FRAMES`].
    pub frames: usize,
    /// Sets of roots: as many as the hardware has tags for, and between [`FEWEST_CONTEXTS`] and
    /// [`MOST_CONTEXTS`].
    pub contexts: u16,
}

/// What is known of a frame of RAM (level 0) or of the block of a higher level. 16 bytes, which is
/// 0.4 % of a frame.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
struct Record {
    /// Shadow pages: of the table in this frame, or those that split this block. 0 or a page's
    /// number; the others hang on [`Page::next`].
    shadows: u32,
    /// The shadow leaves of this level that map it. The first stands beside `shadows`, so that one look
    /// tells whether there is anything.
    leaves: Refs,
    /// How many frames of this block have shadow pages. At level 0: the page that was [set aside](out_of_sync),
    /// or 0.
    tables: u32,
}

impl Record {
    const EMPTY: Self = Self { shadows: 0, leaves: Refs::EMPTY, tables: 0 };

    /// Notes that the leaf in `slot` maps it, if that takes no node and it has no shadow page; returns whether
    /// that is so.
    #[inline(always)]
    const fn add_in_place(&mut self, slot: Slot) -> bool {
        if self.shadows as u64 | (self.leaves.first() as u64) << u32::BITS == 0 {
            self.leaves.add_first(slot.bits());
            return true;
        }
        self.shadows == 0 && self.leaves.add_second(slot.bits())
    }
}

const _: () = assert!(size_of::<Record>() == 16);

/// Which guest-virtual addresses a shadow entry translates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reached {
    /// None: no root leads to it, and when the way was cut the TLB was told.
    Nowhere,
    /// Those from this one on.
    At(Gva),
    /// Several ranges.
    Manifold,
}

/// What the hardware is to use for the guest's current roots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HardwareRoots {
    /// The root tables: two on Arm, one on x86.
    pub tables: [Hpa; 2],
    /// The tag of their translations.
    pub tag: Tag,
}

/// Ends the span of a fault that came to `verdict`.
#[inline(always)]
fn decided<E: Env>(
    world: &mut World<'_, E>,
    span: Span<<E::Probe as Probe>::Stamp>,
    verdict: Verdict,
) -> Verdict {
    let outcome = match verdict {
        Verdict::Resume => Event::FaultFixed,
        Verdict::Device(_) => Event::FaultMmio,
        Verdict::Store(_) => Event::FaultEmulate,
        Verdict::Reflect(_) => Event::FaultNotShadow,
    };
    world.probe.stop_as(Event::ShPageFault, outcome, span);
    verdict
}

/// The shadow of one VM's page tables of the format `G`, in the format `S`.
#[derive(Debug)]
pub struct Shadow<G: GuestFormat, S, C> {
    /// The whole layout.
    layout: Layout,
    /// What the output addresses of the regime reach of it.
    reach: Layout,
    largest: Level,
    regime: G::Regime,
    roots: [Gpa; 2],
    pages: Vec<Page>,
    records: [Vec<Record>; 3],
    nodes: Nodes,
    contexts: Contexts,
    stores: Stores,
    guesses: Guesses,
    distances: Distances,
    idle: Idle,
    runs: Runs,
    opened: [Option<sync::Opened>; sync::OPEN],
    hand: u32,
    switches: C,
    format: core::marker::PhantomData<S>,
}

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// An empty shadow of a guest whose registers say `regime`, with leaves no larger than
    /// `largest`, which keeps no more than `capacity`, by the steps of `switches`.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] when there are fewer frames than [`MIN_FRAMES`].
    pub fn new(
        layout: Layout,
        largest: Level,
        regime: G::Regime,
        capacity: Capacity,
        switches: C,
    ) -> Result<Self, OutOfFrames> {
        let Capacity { frames, contexts } = capacity;
        if frames < MIN_FRAMES {
            return Err(OutOfFrames);
        }
        let first = layout.ram().number();
        let last = first + layout.frames() - 1;
        let records = [Level::PAGE, Level::BLOCK_2M, Level::BLOCK_1G].map(|level| {
            let shift = level.shift() - Level::PAGE.shift();
            vec![Record::EMPTY; ((last >> shift) - (first >> shift) + 1) as usize]
        });
        Ok(Self {
            layout,
            reach: layout.within(G::output_bits(&regime)),
            largest: if switches.has(Switch::LargeLeaves) { largest } else { Level::PAGE },
            regime,
            roots: [Gpa::from_bits(0); 2],
            pages: vec![Page::FREE; frames + 1],
            records,
            nodes: Nodes::new(NODES),
            contexts: Contexts::new(if switches.has(Switch::ManyRoots) {
                contexts.clamp(FEWEST_CONTEXTS, MOST_CONTEXTS)
            } else {
                FEWEST_CONTEXTS
            }),
            stores: Stores::NONE,
            guesses: Guesses::NONE,
            distances: Distances::FIRST,
            idle: Idle::NONE,
            runs: Runs::NEW,
            opened: [None; sync::OPEN],
            hand: 1,
            switches,
            format: core::marker::PhantomData,
        })
    }

    /// Bytes of the records of guest frames and blocks.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        self.records.iter().map(|records| records.len() * size_of::<Record>()).sum()
    }

    /// The layout that the guest's addresses are resolved in.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The steps that it takes.
    #[must_use]
    pub const fn switches(&self) -> C {
        self.switches
    }

    /// What the guest's registers say.
    #[must_use]
    pub const fn regime(&self) -> &G::Regime {
        &self.regime
    }

    /// The guest's roots.
    #[must_use]
    pub const fn roots(&self) -> [Gpa; 2] {
        self.roots
    }

    /// How often the ways through the shadow have changed. While that stands, the guest's tables above the
    /// leaf tables hold what they held on every way that the hardware can go.
    #[inline(always)]
    #[must_use]
    pub const fn changes(&self) -> Changes {
        self.stores.changes
    }

    /// Handles a fault that the shadow tables raised. `is_device` tells where a device is.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] when even giving up other tables left too few frames.
    pub fn fault<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        fault: Fault,
        is_device: impl FnOnce(Gpa) -> bool,
    ) -> Result<Verdict, OutOfFrames> {
        let span = world.probe.start();
        if G::KEEPS_FLAGS
            && let Fault::Page { at, access, present } = fault
        {
            return self.page_fault(world, at, access, present, span);
        }
        let verdict = match fault {
            Fault::Missing { at } => self.missing(world, at)?,
            Fault::Protected { at, gpa } => self.protected(world, at, gpa),
            Fault::Device { at } if is_device(at) => Verdict::Device(at),
            Fault::Device { .. } | Fault::Page { .. } => {
                Verdict::Reflect(crate::fault::GuestFault::Abort)
            }
        };
        Ok(decided(world, span, verdict))
    }

    /// The shadow page of the table `frame` as used at `level`.
    #[inline]
    fn find(&self, frame: Frame<GuestPhys>, level: Level) -> Option<PageId> {
        let index = self.reach.ram_index(frame)?;
        let mut next = self.records[0].get(index)?.shadows;
        while let Some(page) = PageId::new(next) {
            let described = &self.pages[page.number() as usize];
            if described.level == level {
                return Some(page);
            }
            next = described.next;
        }
        None
    }

    /// Where in `records[level]` the block of `level` that holds `frame` is described.
    #[inline]
    fn record_index(&self, frame: Frame<GuestPhys>, level: Level) -> Option<usize> {
        self.reach.ram_index(frame)?;
        let shift = level.shift() - Level::PAGE.shift();
        Some(((frame.number() >> shift) - (self.reach.ram().number() >> shift)) as usize)
    }

    /// Whether the table in `frame` is shadowed.
    fn is_table(&self, frame: Frame<GuestPhys>) -> bool {
        self.reach
            .ram_index(frame)
            .and_then(|index| self.records[0].get(index))
            .is_some_and(|record| record.shadows != 0)
    }

    /// The shadow entry in `slot`.
    #[inline]
    fn entry<E: Env>(&self, world: &World<'_, E>, slot: Slot) -> u64 {
        world.memory.table(slot.page()).get(slot.index())
    }

    /// What `slot` translates.
    #[inline(always)]
    fn reached(&mut self, slot: Slot) -> Reached {
        let number = slot.page().number() as usize;
        let changes = self.stores.changes;
        let reached = match self.pages[number].known.at(changes) {
            Some(reached) => reached,
            None => {
                let reached = self.reached_from(slot.page());
                self.pages[number].known = Known::new(changes, reached);
                reached
            }
        };
        match reached {
            Reached::At(base) => {
                let within = (slot.index().get() as u64) << self.pages[number].shift;
                Reached::At(G::canonical(base.bits() | within))
            }
            other => other,
        }
    }

    /// What the first entry of `page` translates.
    #[inline(never)]
    fn reached_from(&self, page: PageId) -> Reached {
        let (mut number, mut at) = (page.number(), 0);
        loop {
            let page = &self.pages[number as usize];
            match (page.root, page.parents.only()) {
                (page::RootUse::At(base), reverse::Only::Nobody) => {
                    return Reached::At(Gva::from_bits(base.bits() | at));
                }
                (page::RootUse::No, reverse::Only::One(parent)) => {
                    let slot = Slot::from_bits(parent);
                    number = slot.page().number();
                    let shift = self.pages[number as usize].shift;
                    at |= (slot.index().get() as u64) << shift;
                }
                (page::RootUse::No, reverse::Only::Nobody) => return Reached::Nowhere,
                _ => return Reached::Manifold,
            }
        }
    }

    /// Replaces the shadow entry in `slot` as the format and the TLB demand.
    ///
    /// What the TLB may hold of a leaf is one address; of a table, all below it; of a page that
    /// nothing leads to yet, nothing.
    fn write<E: Env>(&mut self, world: &mut World<'_, E>, slot: Slot, new: u64) {
        let level = self.pages[slot.page().number() as usize].level;
        self.write_at(world, slot, level, new);
    }

    /// The same for a `slot` of a page of `level`.
    #[inline(always)]
    fn write_at<E: Env>(&mut self, world: &mut World<'_, E>, slot: Slot, level: Level, new: u64) {
        let old = self.entry(world, slot);
        let table = world.memory.table(slot.page());
        world.probe.count(Event::ShadowEntries, 1);
        if level != Level::PAGE {
            self.stores.changes.count();
        }
        if !S::is_cached(old) || !S::is_stale(old, new) {
            table.set(slot.index(), new);
            world.tlb.publish();
            return;
        }
        let at_once = !S::is_live(new) || !S::BREAK_BEFORE_MAKE || S::may_replace_live(old, new);
        table.set(slot.index(), if at_once { new } else { S::ABSENT });
        let below = matches!(S::shadowed(level, old), crate::entry::Shadowed::Table(_));
        match self.reached(slot) {
            Reached::Nowhere => {}
            Reached::At(at) if !below => self.flush(world, Some(at)),
            Reached::At(_) | Reached::Manifold => self.flush(world, None),
        }
        if !at_once {
            table.set(slot.index(), new);
            world.tlb.publish();
        }
    }

    /// Tells the TLB that one address, or everything, is stale.
    #[inline]
    fn flush<E: Env>(&self, world: &mut World<'_, E>, at: Option<Gva>) {
        let (stale, event) = match at {
            Some(at) => (Stale::<GuestVirt>::Address(at), Event::FlushAddress),
            None => (Stale::All, Event::FlushAll),
        };
        world.tlb.flush(stale);
        world.probe.count(event, 1);
    }

    /// The guest entry that the shadow entry `slot` stands for.
    fn guest_entry<E: Env>(&self, world: &World<'_, E>, slot: Slot) -> Option<u64> {
        match self.pages[slot.page().number() as usize].source {
            Source::Table(frame) => Some(world.memory.guest(frame)?.get(slot.index())),
            Source::Split { block, level } => Some(S::part(level, block, slot.index())),
            Source::Free | Source::Broken => None,
        }
    }
}
