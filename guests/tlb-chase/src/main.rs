//! `tlb-chase`: what translations cost, with more and more pages in use.
//!
//! The pages of a set are linked in one pseudo-random cycle. A chase follows it, each load at an address that the
//! load before it read, and so comes by each page once a round. The sets have 16 pages to 65,536, 256 MiB.
//!
//! - `chase-4k`: the set is mapped with 4 KiB pages.
//! - `chase-2m`: it is mapped with 2 MiB pages; the chase is the same.
//! - `mixed-64`, `mixed-1024`: with 4 KiB pages, and after every 64 or 1,024 accesses one page is mapped to another
//!   frame.
//!
//! An access loads two words of a page: the pointer, and a mark that is added up and tells which page and frame it
//! was. So a stale translation gives a wrong sum. A row's figure is the mean of its accesses, changes included. Where
//! the clock counts instructions it is the same for every size: what differs is for silicon to show, or for an
//! emulator that watches the TLB. An argument names the one sort of rows to do.
#![no_std]
#![no_main]

extern crate alloc;

mod chase;
mod set;

use alloc::format;
use alloc::string::String;

use rt::{check, phase, println};

use self::chase::Chase;
use self::set::{BLOCKS, PAGES, Set};

rt::entry!(main);

/// A sort of rows.
struct Sort {
    /// Its name.
    name: &'static str,
    /// Where the set is mapped in its way.
    base: u64,
    /// Accesses for each change of a mapping, if there are changes.
    every: Option<u64>,
}

/// The sorts of rows.
const SORTS: [Sort; 4] = [
    Sort { name: "chase-4k", base: PAGES, every: None },
    Sort { name: "chase-2m", base: BLOCKS, every: None },
    Sort { name: "mixed-64", base: PAGES, every: Some(64) },
    Sort { name: "mixed-1024", base: PAGES, every: Some(1024) },
];
/// Pages of a set, powers of two.
const SIZES: [u64; 11] = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 16384, set::MOST];
/// Accesses of a row, at least.
const ACCESSES: u64 = 65536;
/// Rounds of a row, at least.
const ROUNDS: u64 = 2;

fn main() {
    let asked = rt::args().next();
    let wanted = |sort: &&Sort| asked.is_none_or(|asked| asked == sort.name);
    if !SORTS.iter().any(|sort| wanted(&sort)) {
        println!("tlb-chase: the argument is `chase-4k`, `chase-2m`, `mixed-64` or `mixed-1024`");
        rt::exit(rt::status::UNSUITABLE);
    }
    let set = Set::new();
    for sort in SORTS.iter().filter(wanted) {
        for size in SIZES {
            row(&set, sort, size);
        }
    }
    set.destroy();
}

/// Measures a row, which is a phase as well, and prints its line.
fn row(set: &Set, sort: &Sort, size: u64) {
    let name = format!("{}-{size}", sort.name);
    let rounds = ROUNDS.max(ACCESSES / size);
    let accesses = rounds * size;
    let start = set.link(sort.base, size);
    // SAFETY: the set is mapped, and linked in a cycle.
    let chase = unsafe { Chase::new(start) };
    let round = chase.follow(size);
    check!(round.is_at(start), "{name}: a round is not one of {size} pages");
    check!(round.sum() == set::marks(size), "{name}: a round's sum is {:#x}", round.sum());

    let cost = rt::clock::cost();
    let (ticks, chase) = phase(&name, accesses, || {
        rt::clock::time(cost, || match sort.every {
            None => chase.follow(accesses),
            Some(every) => with_changes(set, chase, size, accesses, every),
        })
    });

    let mut expected = set::marks(size).wrapping_mul(rounds);
    let mut changes = String::new();
    if let Some(every) = sort.every {
        expected = expected.wrapping_add(set.added(size, rounds, every));
        changes = format!(" changes={}", accesses / every);
        set.restore(size);
    }
    check!(chase.is_at(start), "{name}: {rounds} rounds do not end where they began");
    check!(chase.sum() == expected, "{name}: sum {:#x}, not {expected:#x}", chase.sum());
    let tenths = (ticks * 10 + accesses / 2) / accesses;
    println!(
        "@ chase row={} size={size} ops={accesses} ticks={ticks} per_op={}.{}{changes} sum={:#x}",
        sort.name,
        tenths / 10,
        tenths % 10,
        chase.sum(),
    );
}

/// Follows the chase, and changes a mapping after every `every` accesses.
#[inline(always)]
fn with_changes(set: &Set, mut chase: Chase, size: u64, accesses: u64, every: u64) -> Chase {
    for number in 0..accesses / every {
        chase = chase.follow(every);
        set.change(set::changed(number, size));
    }
    chase
}
