//! `memory-motion`: 64 short-lived address spaces, one after another, in a cold and a warm round.
//!
//! Each space has fresh tables. It touches its 1,024 pages on demand, writes every word of every page
//! once, sums all of them up, and is torn down. In the cold round no frame was ever touched before;
//! the warm round takes those that the cold one gave back. What is counted is all of that: faults,
//! tables, stores, sum and teardown. The expected sum is worked out apart, outside the figures.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use rt::space::{self, Access, FRAME, Frame, Space, USER};
use rt::{Exception, check, fault, frames, phase, println};

rt::entry!(main);

/// Address spaces of a round.
const SPACES: u64 = 64;
/// Pages of a space.
const PAGES: u64 = 1024;
/// Eight-byte words of a page.
const WORDS: u64 = FRAME / 8;
/// Tables of a space: two leaf tables and one for each level above.
const TABLES: u64 = 5;

/// The space that faults are for.
static CURRENT: AtomicPtr<Space> = AtomicPtr::new(core::ptr::null_mut());

fn main() {
    frames::require(SPACES * (PAGES + TABLES));
    fault::set_handler(demand);
    frames::reuse(false);
    round("cold");
    frames::reuse(true);
    round("warm");
}

/// One round, and its line.
fn round(name: &str) {
    let cost = rt::clock::cost();
    let pages = SPACES * PAGES;
    let (ticks, sum) = rt::clock::time(cost, || {
        phase(name, pages, || (0..SPACES).fold(0, |sum, index| fold(sum, live(index))))
    });
    let expected = (0..SPACES).fold(0, |sum, index| fold(sum, expected(index)));
    check!(sum == expected, "round {name} sums to {sum:#x}, not {expected:#x}");
    println!(
        "@ memory-motion round={name} spaces={SPACES} pages={pages} sum={sum:#x} ticks={ticks} per_page={}",
        ticks / pages,
    );
}

/// The life of one space; returns the sum over its words.
fn live(index: u64) -> u64 {
    let mut space = Space::new(1 + index as u16);
    CURRENT.store(&raw mut space, Relaxed);
    space.activate();
    for page in 0..PAGES {
        write(page, pair(index, page));
    }
    let sum = sum();
    space::activate_kernel();
    for page in 0..PAGES {
        if let Some(frame) = space.frame(USER + page * FRAME) {
            frames::give_back(frame);
        }
    }
    space.destroy();
    sum
}

/// Maps the page that was touched to a frame, whatever is in it: every word is written before it
/// is read.
fn demand(exception: &mut Exception) -> bool {
    let Some(fault) = exception.fault() else { return false };
    if !(USER..USER + PAGES * FRAME).contains(&fault.address) {
        return false;
    }
    // SAFETY: `live` put its space there; it is not using it while it writes pages.
    let Some(space) = (unsafe { CURRENT.load(Relaxed).as_mut() }) else { return false };
    let frame: Frame = frames::take();
    // SAFETY: the frame was nobody's.
    unsafe { space.map(fault.address, frame, Access::ReadWrite) };
    true
}

/// The two values that the words of a page hold in turn.
fn pair(space: u64, page: u64) -> (u64, u64) {
    let even = (space * PAGES + page + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (even, even.rotate_left(17))
}

/// Words that one turn of a loop writes or reads.
const TURN: usize = 16;

/// Writes every word of a page once, with eight-byte stores.
fn write(page: u64, (even, odd): (u64, u64)) {
    let words = (USER + page * FRAME) as *mut u64;
    for turn in (0..WORDS as usize).step_by(TURN) {
        for word in turn..turn + TURN {
            let value = if word % 2 == 0 { even } else { odd };
            // SAFETY: inside the page, which is mapped when it is touched; volatile, so that each
            // is one store.
            unsafe { words.wrapping_add(word).write_volatile(value) };
        }
    }
}

/// Sums up every word of the current space.
fn sum() -> u64 {
    // SAFETY: all pages are mapped and written, and nothing writes them now.
    let words =
        unsafe { core::slice::from_raw_parts(USER as *const u64, (PAGES * WORDS) as usize) };
    let (turns, _) = words.as_chunks::<TURN>();
    turns.iter().flatten().fold(0, |sum: u64, word| sum.wrapping_add(*word))
}

/// What [`live`] must return.
fn expected(space: u64) -> u64 {
    (0..PAGES).fold(0, |sum, page| {
        let (even, odd) = pair(space, page);
        sum.wrapping_add(even.wrapping_add(odd).wrapping_mul(WORDS / 2))
    })
}

/// Adds a space's sum to those before it, so that their order counts.
fn fold(sum: u64, space: u64) -> u64 {
    sum.rotate_left(1) ^ space
}
