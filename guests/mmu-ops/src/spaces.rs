//! The rows about whole address spaces.

use rt::samples::Samples;
use rt::space::{self, Access, FRAME, Frame, Space, USER, load_root};
use rt::{check, entry, frames, phase, tlb};

use crate::region::{Region, mark};
use crate::rows::GUEST;

/// Spaces of row e, and the pages that each reads.
const SPACES: u64 = 16;
/// See [`SPACES`].
const READS: u64 = 16;
/// Rounds of row e that are measured, after a cold one and one more.
const WARM_ROUNDS: u64 = 64;
/// Pages of the child of row f, and its rounds.
const CHILD_PAGES: u64 = 1024;
/// See [`CHILD_PAGES`].
const CHILD_ROUNDS: u64 = 16;
/// The child's tag.
const CHILD_ASID: u16 = 100;

/// Rows e and e2: switches among sixteen spaces, and between two.
pub(crate) fn switch(region: &Region, cost: u64) {
    let spaces: [Space; SPACES as usize] = core::array::from_fn(|index| {
        let mut space = Space::new(2 + index as u16);
        for page in 0..READS {
            let frame = region.frame.plus(index as u64 * READS + page);
            // SAFETY: a frame of the region's, which nothing writes now.
            unsafe { space.map(USER + page * FRAME, frame, Access::ReadWrite) };
        }
        space
    });
    let mut cold = Samples::with_capacity(SPACES as usize);
    phase("e-cold", SPACES, || spaces.iter().for_each(|space| cold.add(visit(space, cost))));
    spaces.iter().for_each(|space| _ = visit(space, cost));
    let mut warm = Samples::with_capacity((SPACES * WARM_ROUNDS) as usize);
    phase("e-warm", SPACES * WARM_ROUNDS, || {
        for _ in 0..WARM_ROUNDS {
            spaces.iter().for_each(|space| warm.add(visit(space, cost)));
        }
    });
    let [ping, pong, ..] = &spaces;
    let mut two = Samples::with_capacity((SPACES * WARM_ROUNDS) as usize);
    phase("e2-ping-pong", SPACES * WARM_ROUNDS, || {
        for _ in 0..SPACES * WARM_ROUNDS / 2 {
            two.add(visit(ping, cost));
            two.add(visit(pong, cost));
        }
    });
    region.space.activate();
    cold.print(GUEST, "e-cold", "switch");
    warm.print(GUEST, "e", "switch");
    two.print(GUEST, "e2", "ping-pong");
}

/// Loads a root, reads the space's pages, and checks what it read; returns the ticks.
#[inline(never)]
fn visit(space: &Space, cost: u64) -> u64 {
    let (ticks, sum) = rt::clock::time(cost, || {
        space.activate();
        read::<READS>()
    });
    let first = u64::from(space.asid() - 2) * READS;
    check!(sum == expected(first, READS), "row e: space {} reads {sum:#x}", space.asid());
    ticks
}

/// Reads the first `COUNT` pages of the current space; returns the sum.
#[inline(always)]
fn read<const COUNT: u64>() -> u64 {
    (0..COUNT).fold(0, |sum, page| {
        // SAFETY: the pages are mapped.
        let word = unsafe { ((USER + page * FRAME) as *const u64).read_volatile() };
        sum.wrapping_add(word)
    })
}

/// What [`read`] must return when page 0 is the region's page `first`.
fn expected(first: u64, count: u64) -> u64 {
    (first..first + count).fold(0, |sum, page| sum.wrapping_add(mark(page)))
}

/// Row f: a child of the region is made in five table frames, runs, and ends; again and again in
/// the same frames.
pub(crate) fn fork_and_exit(region: &Region, cost: u64) {
    let frame = frames::take_contiguous(5);
    let tables: [Frame; 5] = core::array::from_fn(|index| frame.plus(index as u64));
    for table in tables {
        // SAFETY: a frame of ours.
        unsafe { table.clear() };
    }
    let mut first = Samples::with_capacity(1);
    let mut later = Samples::with_capacity(CHILD_ROUNDS as usize);
    phase("f-first", 1, || first.add(generation(region, tables, cost)));
    phase("f-later", CHILD_ROUNDS - 1, || {
        for _ in 1..CHILD_ROUNDS {
            later.add(generation(region, tables, cost));
        }
    });
    region.touch_all();
    first.print(GUEST, "f-first", "fork-exit");
    later.print(GUEST, "f", "fork-exit");
}

/// The life of one child; returns the ticks.
fn generation(region: &Region, tables: [Frame; 5], cost: u64) -> u64 {
    let (ticks, sum) = rt::clock::time(cost, || {
        fill(region, tables);
        // SAFETY: `fill` copied the kernel's entry.
        unsafe { load_root(tables[0], CHILD_ASID) };
        let sum = read::<CHILD_PAGES>();
        region.space.activate();
        tlb::space(CHILD_ASID);
        for table in tables {
            // SAFETY: no root leads to it any more, and nothing of it is cached.
            unsafe { table.clear() };
        }
        sum
    });
    check!(sum == expected(0, CHILD_PAGES), "row f: the child reads {sum:#x}");
    ticks
}

/// Makes the child's tables: the kernel's entry, two upper levels, two leaf tables.
fn fill(region: &Region, [root, upper, lower, leaf, last]: [Frame; 5]) {
    let kernel = region.space.root().words();
    // SAFETY: a root's first entry.
    let kernel = unsafe { space::load(kernel) };
    let slot = |table: Frame, index: usize| table.words().wrapping_add(index);
    let links = [
        (slot(root, 0), kernel),
        (slot(root, 1), entry::table(upper)),
        (slot(upper, 0), entry::table(lower)),
        (slot(lower, 0), entry::table(leaf)),
        (slot(lower, 1), entry::table(last)),
    ];
    for (slot, value) in links {
        // SAFETY: entries of the child's tables.
        unsafe { space::store(slot, value) };
    }
    for page in 0..CHILD_PAGES {
        // The two leaf tables are in a row.
        let slot = slot(leaf, page as usize);
        let value = entry::page(region.frame.plus(page), Access::ReadOnly);
        // SAFETY: an entry of the child's tables; a frame of the region's, for reading.
        unsafe { space::store(slot, value) };
    }
    tlb::publish();
}
