//! One structure of a processor: a set-associative array that forgets the least recently used.
//!
//! All kinds of entries have one form, since processors keep several kinds in one array. An address is looked
//! for by each size that the array holds, as hardware that holds several sizes does. A table of hints says
//! where a page was found last, so that what hits again costs one comparison. Where several entries match, which
//! software must not let happen, any of them may be taken, as by hardware.

use paging::addr::PAGE_SHIFT;

use crate::geometry::{Held, Structure};
use crate::invalidation::Invalidation;
use crate::owner::{Owner, Owners};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A translation, of as many stages as there are.
    Translation,
    /// Where a table of stage 1 is.
    Stage1Table,
    /// Where a table of stage 2 is.
    Stage2Table,
    /// A translation of stage 2 alone.
    Ipa,
}

/// What is known of a block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// What it is.
    pub(crate) kind: Kind,
    /// Whose it is.
    pub(crate) owners: Owners,
    /// An address of the block.
    pub(crate) at: u64,
    /// The size of the block, log2.
    pub(crate) shift: u32,
    /// The size of the block or table in whose entry it stood, log2: whoever invalidates any of that means all
    /// its pieces.
    pub(crate) leaf_shift: u32,
    /// The physical address that the block, or the table, begins at.
    pub(crate) physical: u64,
    /// What a walk knows at this point beside that: the guest-physical address of a table.
    pub(crate) guest_physical: u64,
    /// What tables above take away.
    pub(crate) limits: u64,
    /// Whether a store may go through it without another look at the tables.
    pub(crate) writable: bool,
}

impl Known {
    /// The part of it that is of this size, log2, and holds `at`.
    fn piece(self, at: u64, shift: u32) -> Self {
        let inside = at & ((1 << self.shift) - 1) & !((1 << shift) - 1);
        Self { at, shift, physical: self.physical + inside, ..self }
    }

    /// Where it takes `at`, an address of its block.
    pub(crate) const fn translate(&self, at: u64) -> u64 {
        self.physical | at & ((1 << self.shift) - 1)
    }

    /// Whether it is of the same address as `new`, which takes its place.
    fn is_replaced_by(&self, new: &Self) -> bool {
        self.shift == new.shift
            && (self.at ^ new.at) >> new.shift == 0
            && self.kind == new.kind
            && self.owners.meet(new.owners)
    }

    #[inline(always)]
    fn is(&self, kind: Kind, owner: Owner, at: u64) -> bool {
        (self.at ^ at) >> self.shift == 0 && self.kind == kind && self.owners.contain(owner)
    }
}

/// An entry, and when it was used last. One that was never used is free.
#[derive(Clone, Copy, Debug)]
struct Entry {
    known: Known,
    used: u64,
}

const FREE: Entry = Entry {
    known: Known {
        kind: Kind::Translation,
        owners: Owners::ALL,
        at: 0,
        shift: 0,
        leaf_shift: 0,
        physical: 0,
        guest_physical: 0,
        limits: 0,
        writable: false,
    },
    used: 0,
};

/// Hints, log2.
const HINTS: u32 = 10;

/// An array of entries.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    entries: Box<[Entry]>,
    ways: usize,
    sets: u64,
    /// The sizes of translations that it holds, log2, largest first.
    sizes: Vec<u32>,
    /// The sizes of stage 2's translations likewise.
    ipas: Vec<u32>,
    stage1_tables: bool,
    stage1_leaf_tables: bool,
    stage2_tables: bool,
    /// Whether what is too large is held in pieces.
    pieces: bool,
    /// Whether an entry may be a piece of something larger.
    has_pieces: bool,
    /// The sizes in which something ever stood here: a bit for each, log2.
    present: u64,
    /// Counts uses.
    now: u64,
    hints: Box<[u16]>,
}

impl Cache {
    /// An empty one.
    pub(crate) fn new(structure: &Structure) -> Self {
        let sizes = |of: fn(&Held) -> Option<u32>| {
            let mut sizes: Vec<_> = structure.holds.iter().filter_map(of).collect();
            sizes.sort_unstable_by(|a, b| b.cmp(a));
            sizes
        };
        let holds = |held| structure.holds.contains(&held);
        Self {
            entries: vec![FREE; structure.entries as usize].into(),
            ways: structure.ways as usize,
            sets: u64::from(structure.entries / structure.ways),
            sizes: sizes(
                |held| if let Held::Translations(size) = held { Some(*size) } else { None },
            ),
            ipas: sizes(|held| if let Held::Ipas(size) = held { Some(*size) } else { None }),
            stage1_tables: holds(Held::Stage1Tables),
            stage1_leaf_tables: holds(Held::Stage1LeafTables),
            stage2_tables: holds(Held::Stage2Tables),
            pieces: structure.pieces,
            has_pieces: false,
            present: 0,
            now: 0,
            hints: vec![0; 1 << HINTS].into(),
        }
    }

    /// In which sizes entries of a kind stand here. For tables it is the size that an entry of theirs
    /// covers: `wanted`, or none.
    fn sizes_of(&self, kind: Kind, wanted: u32) -> ([u32; 1], Option<&[u32]>) {
        let tables = |held: bool| if held { ([wanted], None) } else { ([wanted], Some(&[][..])) };
        match kind {
            Kind::Translation => ([0], Some(&self.sizes)),
            Kind::Ipa => ([0], Some(&self.ipas)),
            Kind::Stage1Table => {
                let of_pages = wanted == PAGE_SHIFT + paging::addr::INDEX_BITS;
                tables(self.stage1_tables || self.stage1_leaf_tables && of_pages)
            }
            Kind::Stage2Table => tables(self.stage2_tables),
        }
    }

    /// The entries among which `at` stands if it stands here in this size.
    fn set(&self, at: u64, shift: u32) -> std::ops::Range<usize> {
        let set = ((at >> shift) % self.sets) as usize;
        set * self.ways..(set + 1) * self.ways
    }

    const fn hint(at: u64) -> usize {
        ((at >> PAGE_SHIFT) & ((1 << HINTS) - 1)) as usize
    }

    /// Whether the translation of `at` stands where its last use left word of, and serves a load, or a store. It
    /// is used then; what comes back is whether a store may go through it.
    #[inline(always)]
    pub(crate) fn hinted(&mut self, owner: Owner, at: u64, store: bool) -> Option<bool> {
        if !self.is_hinted(owner, at) {
            return None;
        }
        let entry = &mut self.entries[usize::from(self.hints[Self::hint(at)])];
        if store && !entry.known.writable {
            return None;
        }
        self.now += 1;
        entry.used = self.now;
        Some(entry.known.writable)
    }

    fn is_hinted(&self, owner: Owner, at: u64) -> bool {
        let entry = &self.entries[usize::from(self.hints[Self::hint(at)])];
        entry.used != 0 && entry.known.is(Kind::Translation, owner, at)
    }

    /// What is known of `at`, which is used by asking. Of tables, those whose entries cover `size`, log2.
    pub(crate) fn find(&mut self, kind: Kind, owner: Owner, at: u64, size: u32) -> Option<Known> {
        let found = if kind == Kind::Translation && self.is_hinted(owner, at) {
            Some(usize::from(self.hints[Self::hint(at)]))
        } else if kind == Kind::Translation && self.sets == 1 {
            self.entries.iter().position(|entry| entry.used != 0 && entry.known.is(kind, owner, at))
        } else {
            let (one, many) = self.sizes_of(kind, size);
            let sizes = many.unwrap_or(&one).iter();
            sizes.filter(|&&shift| self.present >> shift & 1 != 0).find_map(|&shift| {
                self.set(at, shift).find(|&place| {
                    let entry = &self.entries[place];
                    entry.used != 0 && entry.known.shift == shift && entry.known.is(kind, owner, at)
                })
            })
        }?;
        self.now += 1;
        self.entries[found].used = self.now;
        if kind == Kind::Translation {
            self.hints[Self::hint(at)] = found as u16;
        }
        Some(self.entries[found].known)
    }

    /// The size in which it would keep `known`, log2; nothing, if it would not.
    pub(crate) fn fitting(&self, known: &Known) -> Option<u32> {
        let (one, many) = self.sizes_of(known.kind, known.shift);
        let shift = *many.unwrap_or(&one).iter().find(|&&shift| shift <= known.shift)?;
        (shift == known.shift || self.pieces).then_some(shift)
    }

    /// Takes `known` up for the use at `at`, or the piece of it that the array can hold, in the place of what
    /// was used least recently. One of the same address goes first.
    pub(crate) fn keep(&mut self, known: Known, at: u64) {
        let Some(shift) = self.fitting(&known) else { return };
        let known = known.piece(at, shift);
        self.has_pieces |= known.shift != known.leaf_shift;
        self.present |= 1 << shift;
        let set = self.set(at, shift);
        let (mut place, mut oldest) = (set.start, u64::MAX);
        for (index, entry) in set.clone().zip(&self.entries[set]) {
            if entry.used != 0 && entry.known.is_replaced_by(&known) {
                place = index;
                break;
            }
            if entry.used < oldest {
                (place, oldest) = (index, entry.used);
            }
        }
        self.now += 1;
        self.entries[place] = Entry { known, used: self.now };
        if known.kind == Kind::Translation {
            self.hints[Self::hint(at)] = place as u16;
        }
    }

    /// Forgets one translation, which an access has shown to be out of date.
    pub(crate) fn drop_translation(&mut self, owner: Owner, at: u64) {
        for entry in &mut self.entries {
            if entry.known.is(Kind::Translation, owner, at) {
                entry.used = 0;
            }
        }
    }

    /// Forgets what is invalid, and says how many entries that were.
    pub(crate) fn forget(&mut self, what: &Invalidation) -> u64 {
        let Some(at) = what.one_page().filter(|_| !self.has_pieces) else {
            return Self::forget_among(&mut self.entries, what);
        };
        // Nothing here is a piece, so what holds the page stands where the page would, in some size.
        let (mut sizes, mut dropped) = (self.present, 0);
        while sizes != 0 {
            let set = self.set(at, sizes.trailing_zeros());
            dropped += Self::forget_among(&mut self.entries[set], what);
            sizes &= sizes - 1;
        }
        dropped
    }

    fn forget_among(entries: &mut [Entry], what: &Invalidation) -> u64 {
        let mut dropped = 0;
        for entry in entries {
            if entry.used != 0 && what.concerns(&entry.known) {
                entry.used = 0;
                dropped += 1;
            }
        }
        dropped
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An entry of 4 KiB, a piece of something of the size `leaf_shift`.
    pub(crate) fn known(kind: Kind, owners: Owners, at: u64, leaf_shift: u32) -> Known {
        let (shift, physical, guest_physical) = (PAGE_SHIFT, 0, 0);
        Known {
            kind,
            owners,
            at,
            shift,
            leaf_shift,
            physical,
            guest_physical,
            limits: 0,
            writable: true,
        }
    }
}
