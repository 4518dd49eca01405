//! Tables that are none any more: giving their shadows up early.
//!
//! A guest that drops an address space says nothing about it. The first that is seen of it are stores of other
//! things to what were its tables, each of which would exit for ever. So a store to a table asks whether the
//! current roots lead there; it is asked once after each load of a root, since what is in use stays so until
//! the next. A table that is out of use has some stores of patience left, and is then given up, with all that
//! it alone leads to.
//!
//! That is a guess: a guest may well change a space that is not the current one. A wrong guess costs a fill, and
//! shows when the table is shadowed again and still holds what it held: an entry that those stores made, best of
//! all one in place of another, and a live one from before. So wrong guesses make for more patience, and all others for less.

use probe::{Event, Probe};

use crate::addr::{Frame, GuestPhys, Index, Level};
use crate::format::{GuestFormat, ShadowFormat};
use crate::mem::{Entries, Env, Memory, World};
use crate::pool::PageId;
use crate::shadow::Shadow;
use crate::shadow::page::{Page, Slot, Source};
use crate::shadow::reverse::Only;
use crate::switch::{Switch, Switches};

/// How many guesses are remembered.
const GUESSES: usize = 8;
/// How far from an entry that was stored a live one is looked for.
const BESIDE: u32 = 16;
/// The patience that a guest begins with.
const PATIENCE: u16 = 4;
/// The most patience that wrong guesses make.
const PATIENCE_MAX: u16 = 64;

/// A table that was given up.
#[derive(Clone, Copy, Debug)]
struct Guess {
    frame: Frame<GuestPhys>,
    level: Level,
    /// Entries that it held then.
    held: [(Index, u64); 2],
}

/// What has been guessed about tables.
#[derive(Debug)]
pub(super) struct Guesses {
    made: [Option<Guess>; GUESSES],
    next: usize,
    /// How many stores a table that is out of use has to see.
    patience: u16,
}

impl Guesses {
    /// None yet.
    pub(super) const NONE: Self = Self { made: [None; GUESSES], next: 0, patience: PATIENCE };

    /// Remembers `guess` in the place of the oldest, which has not turned out wrong.
    fn make(&mut self, guess: Guess) {
        if self.made[self.next].replace(guess).is_some() {
            self.was_right();
        }
        self.next = (self.next + 1) % GUESSES;
    }

    /// The guess about the table in `frame`, which is to be a table of `level` again.
    #[inline]
    fn take(&mut self, frame: Frame<GuestPhys>, level: Level) -> Option<Guess> {
        let about = |guess: &mut Guess| guess.frame == frame && guess.level == level;
        self.made.iter_mut().find_map(|made| made.take_if(about))
    }

    const fn was_right(&mut self) {
        self.patience = if self.patience > 1 { self.patience - 1 } else { 1 };
    }

    const fn was_wrong(&mut self) {
        self.patience =
            if self.patience < PATIENCE_MAX / 2 { 2 * self.patience } else { PATIENCE_MAX };
    }
}

impl<G: GuestFormat, S: ShadowFormat<G>, C: Switches> Shadow<G, S, C> {
    /// The guest stored to the entry `index` of the table that `page` shadows. Returns whether the shadow was
    /// given up for that.
    #[inline(always)]
    pub(super) fn is_abandoned<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        page: PageId,
        index: Index,
    ) -> bool {
        self.switches.has(Switch::WriteFlood)
            && self.pages[page.number() as usize].in_use != self.contexts.loads()
            && self.suspect(world, page, index)
    }

    /// The same for a table of which it is not known whether it is in use.
    #[inline(never)]
    fn suspect<E: Env>(&mut self, world: &mut World<'_, E>, page: PageId, index: Index) -> bool {
        let is_out_of_use = self.is_out_of_use(page);
        let loads = self.contexts.loads();
        let was_live = S::is_live(self.entry(world, Slot::new(page, index)));
        let described = &mut self.pages[page.number() as usize];
        if !is_out_of_use {
            (described.in_use, described.stores) = (loads, 0);
            return false;
        }
        if described.stores == 0 || was_live {
            described.stored = index;
        }
        described.stores += 1;
        let Page { level, used, stored, .. } = *described;
        if described.stores < self.guesses.patience {
            return false;
        }
        if let Source::Table(frame) = described.source
            && let Some(guest) = world.memory.guest(frame)
        {
            let beside =
                (1..=BESIDE).map(|distance| Index::wrapping(stored.get() as u32 + distance));
            let other = core::iter::once(used)
                .chain(beside)
                .find(|&other| other != stored && G::is_live(guest.get(other)));
            if let Some(other) = other {
                let held = [stored, other].map(|index| (index, guest.get(index)));
                self.guesses.make(Guess { frame, level, held });
            } else {
                self.guesses.was_right();
            }
        }
        world.probe.count(Event::Abandon, 1);
        self.evict(world, page);
        true
    }

    /// Whether the one way to `page` begins at a root that is not a current one.
    fn is_out_of_use(&self, page: PageId) -> bool {
        let mut page = page;
        loop {
            let described = &self.pages[page.number() as usize];
            match (described.contexts, described.parents.only()) {
                (0, Only::One(parent)) => page = Slot::from_bits(parent).page(),
                (0, Only::Nobody) => return true,
                (_, Only::Nobody) => return !self.contexts.is_current_root(page),
                _ => return false,
            }
        }
    }

    /// The table in `frame` is about to be shadowed as one of `level`: if it was given up, that was wrong if it
    /// is as it was.
    pub(super) fn judge<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        frame: Frame<GuestPhys>,
        level: Level,
    ) {
        let Some(guess) = self.guesses.take(frame, level) else { return };
        let holds = |(index, raw)| world.memory.guest(frame).is_some_and(|it| it.get(index) == raw);
        if guess.held.into_iter().all(holds) {
            world.probe.count(Event::AbandonWrong, 1);
            self.guesses.was_wrong();
        } else {
            self.guesses.was_right();
        }
    }
}
