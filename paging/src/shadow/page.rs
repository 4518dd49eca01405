//! Shadow pages: what one frame of the pool is a shadow of.

use crate::addr::{Frame, GuestPhys, Gva, INDEX_BITS, Index, Level};
use crate::pool::PageId;
use crate::shadow::around::Filled;
use crate::shadow::lately::Known;
use crate::shadow::out_of_sync::Run;
use crate::shadow::reverse::Refs;

/// A place in a shadow page: the page's number and the entry's, in one word below 2^31 that is not 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot(u32);

impl Slot {
    /// The entry `index` of `page`.
    #[inline]
    pub(super) const fn new(page: PageId, index: Index) -> Self {
        Self(page.number() << INDEX_BITS | index.get() as u32)
    }

    /// The slot that [`bits`](Self::bits) spelled.
    #[inline]
    pub(super) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The slot as the reverse map keeps it.
    #[inline]
    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    /// Its page.
    #[inline]
    pub(super) const fn page(self) -> PageId {
        PageId::from_number(self.0 >> INDEX_BITS)
    }

    /// Its entry.
    #[inline]
    pub(super) const fn index(self) -> Index {
        Index::wrapping(self.0)
    }
}

/// What a shadow page's entries are derived from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// Nothing: the page is in the pool.
    Free,
    /// The guest's table in this frame.
    Table(Frame<GuestPhys>),
    /// The guest's block of `level`, which cannot be mapped whole.
    Split {
        /// The block's descriptor.
        block: u64,
        /// The block's level, one above the page's.
        level: Level,
    },
    /// A root that is not in RAM: every entry is unknown.
    Broken,
}

/// Whether a page is a root, and of which addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RootUse {
    /// It is not.
    No,
    /// Its first entry translates this address.
    At(Gva),
    /// It is the root of several ranges, or not from its first entry on.
    Many,
}

/// One frame of the pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// What it shadows.
    pub(super) source: Source,
    /// At which level.
    pub(super) level: Level,
    /// Bytes that one entry of that level spans, log2.
    pub(super) shift: u8,
    /// Used since the hand of the clock passed.
    pub(super) young: bool,
    /// How much of it was filled, if it is a leaf table.
    pub(super) filled: Filled,
    /// How many contexts have it as a root.
    pub(super) contexts: u16,
    /// Stores to its guest table since it was found to be [out of use](super::flood).
    pub(super) stores: u16,
    /// The load of a root since which it was found to be in use.
    pub(super) in_use: u32,
    /// An entry that one of these stores made.
    pub(super) stored: Index,
    /// The entry that a fill went through last.
    pub(super) used: Index,
    /// How many of them came in a row.
    pub(super) run: Run,
    /// The next page in the list of the same record; 0 ends it.
    pub(super) next: u32,
    /// The entries that lead to it.
    pub(super) parents: Refs,
    /// Whether contexts have it as a root.
    pub(super) root: RootUse,
    /// Which addresses it translates, as far as that was asked.
    pub(super) known: Known,
}

impl Page {
    /// A page that shadows nothing.
    pub(super) const FREE: Self = Self::new(Source::Free, Level::PAGE);

    /// A page that nothing leads to yet.
    pub(super) const fn new(source: Source, level: Level) -> Self {
        Self {
            source,
            level,
            shift: level.shift() as u8,
            young: true,
            filled: Filled::NOTHING,
            contexts: 0,
            stores: 0,
            in_use: 0,
            stored: Index::wrapping(0),
            used: Index::wrapping(0),
            run: Run::NONE,
            next: 0,
            parents: Refs::EMPTY,
            root: RootUse::No,
            known: Known::NOTHING,
        }
    }

    /// Whether nothing leads to it.
    pub(super) const fn is_orphan(&self) -> bool {
        self.contexts == 0 && self.parents.is_empty()
    }
}
