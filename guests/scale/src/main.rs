//! `scale`: whether what page tables cost grows with how much there is of them.
//!
//! - `map`: pages mapped on demand, and touched again, while 16 MiB, 64, 256 and 1,024 are mapped.
//! - `switch`: switches among 16, 64 and 256 address spaces of 16 pages each.
//! - `blocks`: 1 GiB of RAM mapped with 2 MiB pages, each of them touched. How many are such in the
//!   hardware's tables only the hypervisor can tell: its report counts them. `blocks N` touches the
//!   first N alone, so that two runs show what the touched ones came to.
//!
//! A row's figure is the mean of its operations. An argument names the one sort of rows to do.
#![no_std]
#![no_main]

extern crate alloc;

mod blocks;
mod map;
mod switch;

use rt::space::Frame;
use rt::{frames, phase, println};

rt::entry!(main);

/// The sorts of rows.
const ROWS: [(&str, fn()); 3] =
    [("switch", switch::rows), ("map", map::rows), ("blocks", blocks::rows)];

fn main() {
    let asked = rt::args().next();
    let wanted = |name: &str| asked.is_none_or(|asked| asked == name);
    if !ROWS.iter().any(|(name, _)| wanted(name)) {
        println!("scale: the argument is `switch`, `map`, `blocks` or `blocks N`");
        rt::exit(rt::status::UNSUITABLE);
    }
    frames::reuse(false);
    for (_, rows) in ROWS.iter().filter(|(name, _)| wanted(name)) {
        rows();
    }
}

/// What the first word of a frame holds, so that a read shows which frame it reached.
const fn mark(frame: u64) -> u64 {
    0x5ca1_e000_0000_0000 + frame
}

/// The sum of the marks of `count` frames from `first` on.
const fn marks(first: u64, count: u64) -> u64 {
    mark(first).wrapping_mul(count).wrapping_add(count * (count - 1) / 2)
}

/// New frames in a row, marked with their numbers from 0 on.
fn marked(count: u64) -> Frame {
    frames::require(count);
    let first = frames::take_contiguous(count);
    for number in 0..count {
        // SAFETY: a frame of ours.
        unsafe { first.plus(number).words().write_volatile(mark(number)) };
    }
    first
}

/// Measures `operations` operations as a row and a phase, and prints the row's line.
fn row<T>(name: &str, within: &str, size: u64, operations: u64, work: impl FnOnce() -> T) -> T {
    let cost = rt::clock::cost();
    let (ticks, result) = rt::clock::time(cost, || phase(within, operations, work));
    let tenths = (ticks * 10 + operations / 2).checked_div(operations).unwrap_or_default();
    println!(
        "@ scale row={name} size={size} ops={operations} ticks={ticks} per_op={}.{}",
        tenths / 10,
        tenths % 10,
    );
    result
}
