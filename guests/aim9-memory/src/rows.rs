//! The rows that live by page tables.

use rt::space::{FRAME, Frame, USER};
use rt::{check, frames};

use crate::process::{HEAP, IMAGE, MAPPINGS, Process};
use crate::{owners, row};

/// Pages by which `page` and `brk` grow and shrink, and how often they do.
const STEP: u64 = 64;
/// See [`STEP`].
const PAGE_TURNS: u64 = 256;
/// See [`STEP`].
const BRK_TURNS: u64 = 4096;
/// Pages of a program's image, and of its heap; 64 together. And how many programs run.
const EXEC_IMAGE: u64 = 16;
/// See [`EXEC_IMAGE`].
const EXEC_HEAP: u64 = 48;
/// See [`EXEC_IMAGE`].
const EXECS: u64 = 128;
/// Pages of the process that forks, pages that either side writes, and forks.
const FORK_PAGES: u64 = 256;
/// See [`FORK_PAGES`].
const FORK_WRITES: u64 = 32;
/// See [`FORK_PAGES`].
const FORKS: u64 = 64;
/// Pages of a mapping, and mappings.
const MAP_PAGES: u64 = 16;
/// See [`MAP_PAGES`].
const MAPS: u64 = 512;

/// A process without an image.
const NO_IMAGE: (Frame, u64) = (Frame::at(0), 0);

/// Reads the first word of a page.
fn read(start: u64, page: u64) -> u64 {
    let at = (start + page * FRAME) as *const u64;
    check!(at.addr() as u64 >= USER, "no page of a process");
    // SAFETY: the callers' processes may read the page, which is mapped when it is touched.
    unsafe { at.read_volatile() }
}

/// Writes the first word of a page.
fn write(start: u64, page: u64, value: u64) {
    let at = (start + page * FRAME) as *mut u64;
    check!(at.addr() as u64 >= USER, "no page of a process");
    // SAFETY: the callers' processes may write the page, which is mapped when it is touched.
    unsafe { at.write_volatile(value) }
}

/// The sum of the numbers below `count`.
const fn sum_below(count: u64) -> u64 {
    count * (count - 1) / 2
}

/// `page`: grow, touch each new page, shrink. An operation is a page.
pub(crate) fn page(cost: u64) {
    owners::start();
    let mut process = Process::new(1, NO_IMAGE, 0);
    row("page", PAGE_TURNS * STEP, cost, PAGE_TURNS * sum_below(STEP), || {
        let mut sum = 0;
        for _ in 0..PAGE_TURNS {
            process.grow(STEP);
            sum += process.run(|| {
                (0..STEP).fold(0, |sum, page| {
                    let fresh = read(HEAP, page);
                    write(HEAP, page, page + fresh);
                    sum + read(HEAP, page)
                })
            });
            process.shrink(STEP);
        }
        sum
    });
    process.exit();
}

/// `brk`: grow and shrink, touch nothing.
pub(crate) fn brk(cost: u64) {
    let mut process = Process::new(1, NO_IMAGE, 0);
    process.run(|| {});
    row("brk", BRK_TURNS, cost, BRK_TURNS, || {
        (0..BRK_TURNS).fold(0, |sum, _| {
            process.grow(STEP);
            process.shrink(STEP);
            sum + 1
        })
    });
    process.exit();
}

/// `exec`: tear the space down, build a new one of 64 pages, run in it.
pub(crate) fn exec(cost: u64) {
    let image = frames::take_contiguous(EXEC_IMAGE);
    for page in 0..EXEC_IMAGE {
        // SAFETY: a frame of ours.
        unsafe { image.plus(page).words().write_volatile(page) };
    }
    let expected = EXECS * (sum_below(EXEC_IMAGE) + sum_below(EXEC_HEAP));
    let mut process = Process::new(1, (image, EXEC_IMAGE), EXEC_HEAP);
    row("exec", EXECS, cost, expected, || {
        let mut sum = 0;
        for turn in 0..EXECS {
            let next = Process::new(1 + (turn + 1) as u16 % 2, (image, EXEC_IMAGE), EXEC_HEAP);
            core::mem::replace(&mut process, next).exit();
            sum += process.run(program);
        }
        sum
    });
    process.exit();
}

/// What runs after `exec`: reads its image, writes its heap, sums both up.
fn program() -> u64 {
    let image = (0..EXEC_IMAGE).fold(0, |sum, page| sum + read(IMAGE, page));
    (0..EXEC_HEAP).for_each(|page| write(HEAP, page, page));
    (0..EXEC_HEAP).fold(image, |sum, page| sum + read(HEAP, page))
}

/// `fork`: a copy-on-write copy of 256 pages; the child writes 32 pages and ends, the parent writes
/// 32 of its own, half of them the same.
pub(crate) fn fork(cost: u64) {
    let mut parent = Process::new(1, NO_IMAGE, FORK_PAGES);
    parent.run(|| (0..FORK_PAGES).for_each(|page| write(HEAP, page, page)));
    let turn = |sum: u64, fork: u64| {
        let mut child = parent.fork(2 + (fork % 2) as u16);
        let seen = child.run(|| {
            (0..FORK_WRITES).fold(0, |sum, write_| {
                let page = (fork + write_) % FORK_PAGES;
                let seen = read(HEAP, page);
                write(HEAP, page, !seen);
                sum + seen
            })
        });
        parent.run(|| {
            for write_ in 0..FORK_WRITES {
                let page = (fork + FORK_WRITES / 2 + write_) % FORK_PAGES;
                write(HEAP, page, read(HEAP, page) + 1);
            }
        });
        child.exit();
        parent.run(|| {});
        sum.wrapping_mul(31).wrapping_add(seen)
    };
    row("fork", FORKS, cost, expected_of_forks(), || (0..FORKS).fold(0, turn));
    parent.exit();
}

/// What the row `fork` must sum to: the same, without memory that is shared.
fn expected_of_forks() -> u64 {
    let mut pages: [u64; FORK_PAGES as usize] = core::array::from_fn(|page| page as u64);
    let mut sum = 0_u64;
    for fork in 0..FORKS {
        let at = |index: u64| ((fork + index) % FORK_PAGES) as usize;
        let seen: u64 = (0..FORK_WRITES).map(|index| pages[at(index)]).sum();
        (0..FORK_WRITES).for_each(|index| pages[at(FORK_WRITES / 2 + index)] += 1);
        sum = sum.wrapping_mul(31).wrapping_add(seen);
    }
    sum
}

/// `mmap`: map 16 pages at once, write and read each, unmap them.
pub(crate) fn mmap(cost: u64) {
    let mut process = Process::new(1, NO_IMAGE, 0);
    row("mmap", MAPS, cost, MAPS * sum_below(MAP_PAGES), || {
        (0..MAPS).fold(0, |sum, _| {
            process.map(MAP_PAGES);
            let seen = process.run(|| {
                (0..MAP_PAGES).fold(0, |sum, page| {
                    write(MAPPINGS, page, page + read(MAPPINGS, page));
                    sum + read(MAPPINGS, page)
                })
            });
            process.unmap(MAPPINGS, MAP_PAGES);
            sum + seen
        })
    });
    process.exit();
}
