//! The sets of roots that are kept, each with a hardware tag of its own.
//!
//! A guest switches among its address spaces far more often than it makes them, so a set is found by its
//! roots through a table of short chains, and nothing that a switch does grows with the number of sets.
//! A place for a new one is free, or is that of a set that was not loaded since the hand of a clock came by.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::addr::{Gpa, Hpa};
use crate::mem::Tag;
use crate::pool::PageId;

/// How many sets of roots are kept, where the hardware has tags for them.
pub const MOST_CONTEXTS: u16 = 512;
/// How many have to be: the current one, and one that is made meanwhile.
pub const FEWEST_CONTEXTS: u16 = 2;

/// Chains, log2.
const CHAINS_SHIFT: u32 = 9;

/// Where a set stands, which is also its tag. 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u16);

impl Place {
    /// Nowhere.
    const NONE: Self = Self(0);

    /// The tag of the set that stands here.
    pub(super) const fn tag(self) -> Tag {
        Tag(self.0)
    }
}

/// A set of roots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// The guest's roots; what the regime does not use is 0.
    pub(super) guest: [Gpa; 2],
    /// Their shadows.
    pub(super) pages: [Option<PageId>; 2],
    /// What the hardware is to load for them.
    pub(super) tables: [Hpa; 2],
}

/// A place for a set.
#[derive(Clone, Copy, Debug)]
struct Kept {
    context: Context,
    /// The next place of the same chain, or the next that is free.
    next: Place,
    /// Loaded since the hand of the clock came by.
    young: bool,
    /// Whether a set stands here.
    live: bool,
}

impl Kept {
    /// A free place, with the next one.
    const fn free(next: Place) -> Self {
        let (guest, tables) = ([Gpa::from_bits(0); 2], [Hpa::from_bits(0); 2]);
        let context = Context { guest, pages: [None; 2], tables };
        Self { context, next, young: false, live: false }
    }
}

/// The sets of roots that are kept.
#[derive(Debug)]
pub(super) struct Contexts {
    /// All places; the first stands for none.
    all: Vec<Kept>,
    /// Where the sets are whose roots come to the same number.
    chains: Box<[Place; 1 << CHAINS_SHIFT]>,
    free: Place,
    current: Place,
    /// The shadows of its roots.
    roots: [Option<PageId>; 2],
    /// How often another set became the current one.
    loads: u32,
    hand: u16,
}

impl Contexts {
    /// Places for `count` sets, none of which is there yet.
    pub(super) fn new(count: u16) -> Self {
        let mut all = vec![Kept::free(Place::NONE); usize::from(count) + 1];
        for (number, kept) in all.iter_mut().enumerate().take(usize::from(count)).skip(1) {
            kept.next = Place(number as u16 + 1);
        }
        let chains = Box::new([Place::NONE; 1 << CHAINS_SHIFT]);
        Self {
            all,
            chains,
            free: Place(1),
            current: Place::NONE,
            roots: [None; 2],
            loads: 1,
            hand: 0,
        }
    }

    /// The set at `place`.
    #[inline(always)]
    pub(super) fn at(&self, place: Place) -> &Context {
        &self.all[usize::from(place.0)].context
    }

    /// Which chain the set of `guest` is in.
    #[inline(always)]
    const fn chain(guest: [Gpa; 2]) -> usize {
        /// 2^64 over the golden ratio: roots in a row, or a stride apart, come to chains far apart.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let both = guest[0].bits() ^ guest[1].bits().rotate_left(u64::BITS / 2);
        (both.wrapping_mul(SPREAD) >> (u64::BITS - CHAINS_SHIFT)) as usize
    }

    /// The set of the roots `guest`.
    #[inline(always)]
    pub(super) fn find(&self, guest: [Gpa; 2]) -> Option<Place> {
        let mut place = self.chains[Self::chain(guest)];
        while place != Place::NONE {
            let kept = &self.all[usize::from(place.0)];
            if kept.context.guest == guest {
                return Some(place);
            }
            place = kept.next;
        }
        None
    }

    /// The set that is current, if it is that of the roots `guest`.
    pub(super) fn find_current(&self, guest: [Gpa; 2]) -> Option<Place> {
        (self.current != Place::NONE && self.at(self.current).guest == guest)
            .then_some(self.current)
    }

    /// The set at `place` is loaded.
    #[inline(always)]
    pub(super) fn load(&mut self, place: Place) -> &Context {
        if place != self.current {
            self.current = place;
            self.loads = self.loads.wrapping_add(1);
        }
        let kept = &mut self.all[usize::from(place.0)];
        kept.young = true;
        self.roots = kept.context.pages;
        &kept.context
    }

    /// No set is current.
    pub(super) const fn unload(&mut self) {
        self.current = Place::NONE;
        self.roots = [None; 2];
    }

    /// How often another set became the current one, modulo 2^32.
    #[inline(always)]
    pub(super) const fn loads(&self) -> u32 {
        self.loads
    }

    /// The shadow of the current root `half`.
    #[inline(always)]
    pub(super) fn root(&self, half: usize) -> Option<PageId> {
        *self.roots.get(half)?
    }

    /// Whether `page` is a current root.
    pub(super) fn is_current_root(&self, page: PageId) -> bool {
        self.roots.contains(&Some(page))
    }

    /// Where a new set can stand only if another goes: one that was not loaded since the hand last came by.
    /// `None` while a place is free. The current set never goes.
    pub(super) fn victim(&mut self) -> Option<Place> {
        if self.free != Place::NONE {
            return None;
        }
        let last = self.all.len() as u16 - 1;
        loop {
            self.hand = if self.hand >= last { 1 } else { self.hand + 1 };
            let place = Place(self.hand);
            let kept = &mut self.all[usize::from(self.hand)];
            if !core::mem::take(&mut kept.young) && place != self.current {
                return Some(place);
            }
        }
    }

    /// Keeps the set `context` from now on. A place is free.
    pub(super) fn keep(&mut self, context: Context) -> Place {
        let place = self.free;
        let kept = &mut self.all[usize::from(place.0)];
        debug_assert!(!kept.live && place != Place::NONE, "there is no place for a set of roots");
        self.free = kept.next;
        let chain = &mut self.chains[Self::chain(context.guest)];
        *kept = Kept { context, next: *chain, young: true, live: true };
        *chain = place;
        place
    }

    /// Keeps the set at `place` no longer. Returns its shadows.
    pub(super) fn forget(&mut self, place: Place) -> [Option<PageId>; 2] {
        let Kept { context, next, .. } = self.all[usize::from(place.0)];
        let first = &mut self.chains[Self::chain(context.guest)];
        if *first == place {
            *first = next;
        } else {
            let mut before = *first;
            while before != Place::NONE {
                let link = &mut self.all[usize::from(before.0)].next;
                if *link == place {
                    *link = next;
                    break;
                }
                before = *link;
            }
        }
        self.all[usize::from(place.0)] = Kept::free(self.free);
        self.free = place;
        context.pages
    }

    /// Any set that has `page` as a root.
    pub(super) fn any_of(&self, page: PageId) -> Option<Place> {
        self.places()
            .find(|&place| self.is_live(place) && self.at(place).pages.contains(&Some(page)))
    }

    /// Every place.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> + use<> {
        (1..self.all.len() as u16).map(Place)
    }

    /// Whether a set stands at `place`.
    pub(super) fn is_live(&self, place: Place) -> bool {
        self.all[usize::from(place.0)].live
    }

    /// Each set of roots that is kept.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn live(&self) -> impl Iterator<Item = &Context> {
        self.places().filter(|&place| self.is_live(place)).map(|place| self.at(place))
    }
}
