//! What software tells hardware to forget, as one form for all architectures.

use paging::addr::PAGE_SHIFT;

use crate::cache::{Kind, Known};
use crate::owner::{Owner, Owners};

pub mod tlbi;
pub mod x64;

/// Bits of an address that translations are told apart by: Arm's tags stand above, and an x86 address repeats
/// its bit 47 there.
const ADDRESS_BITS: u32 = 56;

/// The address as entries are known by it.
#[inline(always)]
pub(crate) const fn untagged(at: u64) -> u64 {
    at & ((1 << ADDRESS_BITS) - 1)
}

/// Addresses from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u64,
    last: u64,
}

/// Which entries about tables go along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tables {
    /// None.
    Kept,
    /// Those on the way to the addresses.
    OnTheWay,
    /// Those of all addresses.
    All,
}

/// What is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalidation {
    /// Whose entries.
    owners: Owners,
    /// Whether those that are everybody's go along.
    global: bool,
    /// Of which addresses; without, of all.
    span: Option<Span>,
    /// What stage 1 had a part in: translations, and stage 1's tables so far.
    stage1: Option<Tables>,
    /// What is stage 2's alone: its translations, and its tables so far.
    stage2: Option<Tables>,
}

impl Invalidation {
    /// Everything of everybody.
    pub const EVERYTHING: Self = Self {
        owners: Owners::ALL,
        global: true,
        span: None,
        stage1: Some(Tables::All),
        stage2: Some(Tables::All),
    };

    /// Everything that stage 1 had a part in, of these owners.
    const fn stage1_of(owners: Owners) -> Self {
        Self { owners, global: true, span: None, stage1: Some(Tables::All), stage2: None }
    }

    /// All addresses of one address space, but not what all spaces of its machine share.
    const fn space(owner: Owner) -> Self {
        Self { global: false, ..Self::stage1_of(Owners::one(owner)) }
    }

    /// The page, if it is about one and no more.
    pub(crate) const fn one_page(&self) -> Option<u64> {
        match (self.span, self.stage1, self.stage2) {
            (_, Some(Tables::All), _) | (_, _, Some(Tables::All)) => None,
            (Some(span), ..) if span.first >> PAGE_SHIFT == span.last >> PAGE_SHIFT => {
                Some(span.first)
            }
            _ => None,
        }
    }

    /// Whether it takes this entry away.
    pub(crate) fn concerns(&self, known: &Known) -> bool {
        let (stage, is_table) = match known.kind {
            Kind::Translation => (self.stage1, false),
            Kind::Stage1Table => (self.stage1, true),
            Kind::Ipa => (self.stage2, false),
            Kind::Stage2Table => (self.stage2, true),
        };
        let Some(tables) = stage else { return false };
        let is_stage1 = matches!(known.kind, Kind::Translation | Kind::Stage1Table);
        let spared = is_stage1 && !self.global && !known.owners.is_one();
        self.owners.meet(known.owners)
            && !spared
            && match (is_table, tables) {
                (true, Tables::Kept) => false,
                (true, Tables::All) => true,
                _ => self.meets(known),
            }
    }

    fn meets(&self, known: &Known) -> bool {
        self.span.is_none_or(|span| {
            let block = known.at >> known.leaf_shift;
            (span.first >> known.leaf_shift..=span.last >> known.leaf_shift).contains(&block)
        })
    }
}
