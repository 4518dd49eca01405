//! Fault-around: how much of a leaf table one fault fills.
//!
//! What a table costs to fill it costs about again when it is given up. A guest that goes through its pages
//! has that back many times, since each entry that is not filled costs an exit; one that touches a page
//! here and there has not. Where a leaf can be [unknown](ShadowFormat::UNKNOWN_LEAVES) the engine need not
//! choose once and for all: a fault fills the entries around the one that it is about, and those
//! farther away become unknown. Entries that the guest has not present stay absent all the same, for its own
//! faults at them to take no exit.
//!
//! How far to go is a guess, a power of two of [groups](Group). A table that is asked again was guessed too
//! small: the next fill goes twice as far, and so does the first one of the next table. A table that
//! goes without having been asked again, although less could have been filled, speaks for less; several
//! of them in a row are believed. Tables and the parts of blocks are guessed apart, because a
//! block is mostly split for a table that lies in it, and the rest of it is touched here and there.

use probe::{Event, Probe};

use crate::addr::{ENTRIES, Index, Level};
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Entries, Env, GROUP, Group, Memory, Tlb, World};
use crate::pool::PageId;
use crate::shadow::Shadow;
use crate::shadow::page::{Page, Slot, Source};
use crate::switch::{Switch, Switches};

/// Groups of a table, log2.
const WHOLE: u8 = (ENTRIES / GROUP).trailing_zeros() as u8;
/// The least that is filled: what less would save is less than the exit that it may cost.
const LEAST: u8 = 2;
/// How many tables in a row have to speak for less, at first and at most.
const PATIENCE: [u8; 2] = [8, 128];

/// Groups of a leaf table in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Window {
    first: u32,
    count: u32,
}

impl Window {
    /// No group.
    const NONE: Self = Self { first: 0, count: 0 };
    /// Every group.
    const ALL: Self = Self { first: 0, count: 1 << WHOLE };

    /// The aligned `1 << distance` groups that the entry `at` is among.
    const fn around(at: Index, distance: u8) -> Self {
        let count = 1 << distance;
        Self { first: Group::of(at).number() & !(count - 1), count }
    }

    /// The groups.
    #[inline(always)]
    pub(super) fn groups(self) -> impl Iterator<Item = Group> {
        (self.first..self.first + self.count).map(Group::wrapping)
    }

    /// All others.
    pub(super) fn others(self) -> impl Iterator<Item = Group> {
        let after = self.first + self.count;
        (0..self.first).chain(after..1 << WHOLE).map(Group::wrapping)
    }
}

/// How far around a fault a table was filled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Filled {
    /// The groups of the last fill, log2.
    distance: u8,
    /// A smaller guess could have left something out, and nothing was asked for since.
    sufficed: bool,
}

impl Filled {
    /// Not yet.
    pub(super) const NOTHING: Self = Self { distance: 0, sufficed: false };
}

/// How far to fill the next table of a kind.
#[derive(Clone, Copy, Debug)]
struct Guess {
    distance: u8,
    /// How many tables have spoken for less since one spoke for more.
    sufficed: u8,
    /// How many have to.
    patience: u8,
}

impl Guess {
    /// Begins with `distance`.
    const fn new(distance: u8) -> Self {
        Self { distance, sufficed: 0, patience: PATIENCE[0] }
    }

    /// It was too small. To go below it again takes longer from now on.
    const fn farther(&mut self) {
        if self.distance < WHOLE {
            self.distance += 1;
        }
        self.sufficed = 0;
        if self.patience < PATIENCE[1] {
            self.patience *= 2;
        }
    }

    /// `distance` was enough for one more table.
    const fn suffice(&mut self, distance: u8) {
        if distance < WHOLE {
            // Not only could it have been enough: it was.
            self.patience = PATIENCE[0];
        }
        self.sufficed += 1;
        if self.sufficed >= self.patience {
            self.sufficed = 0;
            if self.distance > LEAST {
                self.distance -= 1;
            }
        }
    }
}

/// The guesses of a VM.
#[derive(Debug)]
pub(super) struct Distances {
    tables: Guess,
    parts: Guess,
}

impl Distances {
    /// Before anything is known.
    pub(super) const FIRST: Self = Self { tables: Guess::new(WHOLE), parts: Guess::new(LEAST) };

    /// The guess for tables that are derived from `source`.
    const fn of(&mut self, source: Source) -> &mut Guess {
        match source {
            Source::Split { .. } => &mut self.parts,
            Source::Table(_) | Source::Free | Source::Broken => &mut self.tables,
        }
    }

    /// `page` goes.
    #[inline(always)]
    pub(super) const fn learn(&mut self, page: &Page) {
        if page.filled.sufficed {
            self.of(page.source).suffice(page.filled.distance);
        }
    }
}

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// What to fill at once of the new leaf table in which `asked` was asked for.
    #[inline(always)]
    pub(super) fn first_window(&mut self, asked: Slot) -> Window {
        if !S::UNKNOWN_LEAVES {
            return Window::ALL;
        }
        if !self.switches.has(Switch::FaultAround) {
            return Window::NONE;
        }
        let page = &mut self.pages[asked.page().number() as usize];
        page.filled.distance = self.distances.of(page.source).distance;
        Window::around(asked.index(), page.filled.distance)
    }

    /// Makes the entries of the new leaf table `page` outside of `window` unknown, where the guest's are not
    /// absent. Returns how many groups have any.
    #[inline(never)]
    pub(super) fn leave_others<E: Env>(
        &self,
        world: &mut World<'_, E>,
        page: PageId,
        window: Window,
        guest: &impl Entries,
    ) -> u32 {
        let table = world.memory.table(page);
        let mut left = 0;
        for group in window.others() {
            if guest.any(group) != 0 {
                left += 1;
                leave::<G, S>(group, guest, table);
                world.probe.count(Event::ShadowEntries, GROUP as u64);
            }
        }
        left
    }

    /// Of the new leaf table in which `asked` was asked for, so many groups that have entries were filled, and
    /// so many were left.
    #[inline(always)]
    pub(super) fn filled_first<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        asked: Slot,
        [filled, left]: [u32; 2],
    ) {
        if !S::UNKNOWN_LEAVES {
        } else if self.switches.has(Switch::FaultAround) {
            let page = &mut self.pages[asked.page().number() as usize];
            page.filled.sufficed = left != 0 || filled > 1 << LEAST;
            world.probe.count(Event::AroundFaults, 1);
        } else if let Some(raw) = self.guest_entry(world, asked) {
            self.propagate_again(world, asked, raw);
        }
    }

    /// Fills the unknown leaf `asked`, whose guest entry `raw` can be used, and what is unknown around it.
    /// Nodes for a whole table were reserved.
    #[cold]
    #[inline(never)]
    pub(super) fn fill_around<E: Env>(&mut self, world: &mut World<'_, E>, asked: Slot, raw: u64) {
        if !self.switches.has(Switch::FaultAround) {
            return self.propagate_again(world, asked, raw);
        }
        let page = &mut self.pages[asked.page().number() as usize];
        let distance = WHOLE.min(page.filled.distance + 1);
        page.filled = Filled { distance, sufficed: false };
        let source = page.source;
        self.distances.of(source).farther();
        let memory = world.memory;
        for group in Window::around(asked.index(), distance).groups() {
            self.fill_unknown(world, asked.page(), group, |at| match source {
                Source::Table(frame) => memory.guest(frame).map_or(0, |guest| guest.get(at)),
                Source::Split { block, level } => S::part(level, block, at),
                Source::Free | Source::Broken => 0,
            });
        }
        world.tlb.publish();
        world.probe.count(Event::AroundFaults, 1);
        world.probe.count(Event::AroundAgain, 1);
    }

    /// Has the next leaf tables filled `1 << distance` groups at a time, for tests.
    #[cfg(any(test, feature = "sim"))]
    pub fn guess(&mut self, distance: u8) {
        let guess = Guess::new(distance.min(WHOLE));
        self.distances = Distances { tables: guess, parts: guess };
    }
}

/// Makes the entries of `group` unknown, but for those that the `guest` has not present.
#[inline(always)]
pub(super) fn leave<G: GuestFormat, S: ShadowFormat<G>>(
    group: Group,
    guest: &impl Entries,
    table: &impl Entries,
) {
    let unknown = |raw| S::unknown(Level::PAGE, raw);
    if G::is_plain_page(guest.all(group)) {
        guest.map_group(group, table, |_, raw| unknown(raw));
    } else {
        let left = |raw| if G::is_live(raw) { unknown(raw) } else { S::ABSENT };
        guest.map_group(group, table, |_, raw| left(raw));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_in_a_row_halve_a_guess_and_one_doubles_it() {
        let mut guess = Guess::new(WHOLE);
        (1..PATIENCE[0]).for_each(|_| guess.suffice(WHOLE));
        assert_eq!(guess.distance, WHOLE);
        guess.suffice(WHOLE);
        assert_eq!(guess.distance, WHOLE - 1);
        guess.farther();
        assert_eq!(guess.distance, WHOLE);
        (0..PATIENCE[0]).for_each(|_| guess.suffice(WHOLE));
        assert_eq!(guess.distance, WHOLE, "it was wrong once, so it takes longer");
        (0..PATIENCE[0]).for_each(|_| guess.suffice(WHOLE));
        assert_eq!(guess.distance, WHOLE - 1);
        guess.suffice(WHOLE - 1);
        assert_eq!(guess.patience, PATIENCE[0]);
    }

    #[test]
    fn a_guess_has_bounds() {
        let mut guess = Guess::new(LEAST);
        (0..=u16::MAX).for_each(|_| guess.suffice(LEAST));
        assert_eq!(guess.distance, LEAST);
        (0..=u16::MAX).for_each(|_| guess.farther());
        assert_eq!((guess.distance, guess.patience), (WHOLE, PATIENCE[1]));
    }
}
