//! The set: its frames, the two ways in which it is mapped, and the cycle through it.

use alloc::vec::Vec;

use rt::space::{self, Access, FRAME, Frame, Space, USER};
use rt::{check, entry, frames, tlb};

use crate::chase::Node;

/// The most pages of a set.
pub(crate) const MOST: u64 = 65536;
/// Where the set is mapped with pages of 4 KiB.
pub(crate) const PAGES: u64 = USER;
/// Where it is mapped with blocks of 2 MiB.
pub(crate) const BLOCKS: u64 = USER + (1 << 30);
/// Pages of a block, and entries of a table.
const BLOCK: u64 = 512;
/// More than the space has tables.
const TABLES: u64 = MOST / BLOCK + 16;
/// A step that comes by each of a power of two of pages, near and far in turn.
const STRIDE: u64 = 0x9e37_79b1;

/// All pages, each with two frames.
pub(crate) struct Set {
    space: Space,
    /// Where the pages' first frames begin, and where their other frames do: in the order of the pages.
    copies: [Frame; 2],
    /// The leaf entries from [`PAGES`] on.
    entries: *mut u64,
}

impl Set {
    /// The largest set, mapped in both ways to its first frames.
    pub(crate) fn new() -> Self {
        frames::require(2 * MOST + BLOCK + TABLES);
        let taken = frames::take_contiguous(2 * MOST + BLOCK).address();
        let first = Frame::at(taken.next_multiple_of(BLOCK * FRAME));
        let mut space = Space::new(1);
        let entries = space.entry(PAGES);
        for page in 0..MOST {
            let slot = space.entry_inline(PAGES + page * FRAME);
            check!(slot == entries.wrapping_add(page as usize), "leaf tables are not in a row");
            // SAFETY: an entry for the page; the frame is ours.
            unsafe { space::store(slot, entry::page(first.plus(page), Access::ReadWrite)) };
        }
        for page in (0..MOST).step_by(BLOCK as usize) {
            let slot = space.block_entry(BLOCKS + page * FRAME);
            // SAFETY: an entry for the block; the frames are ours.
            unsafe { space::store(slot, entry::block(first.plus(page), Access::ReadWrite)) };
        }
        tlb::publish();
        space.activate();
        Self { space, copies: [first, first.plus(MOST)], entries }
    }

    /// Links the first `size` pages in one cycle, by their addresses from `base` on, and returns the node of its
    /// first page, which is page 0: Sattolo's algorithm, with the same random numbers each time.
    pub(crate) fn link(&self, base: u64, size: u64) -> *const Node {
        let mut next: Vec<u64> = (0..size).collect();
        let mut random = Random(size);
        for page in (1..size).rev() {
            next.swap(page as usize, random.below(page) as usize);
        }
        let at = |page: u64| (base + page * FRAME) as *const Node;
        let mut page = 0;
        for turn in 0..size {
            let following = next[page as usize];
            for copy in [0, 1] {
                let node = Node { next: at(following), mark: mark(page, copy), turn };
                // SAFETY: a frame of ours.
                unsafe { self.node(page, copy).write_volatile(node) };
            }
            page = following;
        }
        at(0)
    }

    /// Maps a page to its other frame.
    #[inline(always)]
    pub(crate) fn change(&self, page: u64) {
        let slot = self.entries.wrapping_add(page as usize);
        // SAFETY: the page's entry.
        let from = entry::target(unsafe { space::load(slot) });
        let [first, second] = self.copies.map(|copy| copy.plus(page));
        let to = if from == first { second } else { first };
        // SAFETY: as above.
        unsafe { space::store(slot, 0) };
        tlb::page(self.space.asid(), PAGES + page * FRAME);
        // SAFETY: as above; the frame is ours.
        unsafe { space::store(slot, entry::page(to, Access::ReadWrite)) };
        tlb::publish();
    }

    /// Maps the first `size` pages to their first frames.
    pub(crate) fn restore(&self, size: u64) {
        for page in 0..size {
            // SAFETY: the page's entry.
            let now =
                entry::target(unsafe { space::load(self.entries.wrapping_add(page as usize)) });
            if now != self.copies[0].plus(page) {
                self.change(page);
            }
        }
    }

    /// What changes add to the marks of `rounds` rounds, with one after every `every` accesses.
    pub(crate) fn added(&self, size: u64, rounds: u64, every: u64) -> u64 {
        (0..rounds * size / every).fold(0, |sum, number| {
            let page = changed(number, size);
            let from = number / size % 2;
            // SAFETY: a frame of ours, which `link` wrote.
            let turn = unsafe { self.node(page, 0).read_volatile() }.turn;
            let seen = ((number + 1) * every).saturating_sub(turn).div_ceil(size);
            let each = mark(page, 1 - from).wrapping_sub(mark(page, from));
            sum.wrapping_add(each.wrapping_mul(rounds - seen))
        })
    }

    /// Ends it.
    pub(crate) fn destroy(self) {
        self.space.destroy();
    }

    /// The node in a frame of a page, by the identity map.
    fn node(&self, page: u64, copy: u64) -> *mut Node {
        self.copies[copy as usize].plus(page).words().cast()
    }
}

/// The page that the change of that number is made to. Each has its turn before one has its second.
pub(crate) const fn changed(number: u64, size: u64) -> u64 {
    number.wrapping_mul(STRIDE) % size
}

/// The marks of a round without changes.
pub(crate) fn marks(size: u64) -> u64 {
    (0..size).fold(0, |sum, page| sum.wrapping_add(mark(page, 0)))
}

/// The mark of a page in one of its frames.
const fn mark(page: u64, copy: u64) -> u64 {
    let spread = (2 * page + copy + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    spread ^ (spread >> 32)
}

/// Random numbers: a linear congruential generator (Knuth's MMIX), of which the upper half is used.
struct Random(u64);

impl Random {
    /// The next one, less than `bound`, which has 32 bits.
    const fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 32) * bound) >> 32
    }
}
