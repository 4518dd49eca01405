//! `aim9-memory`: what a small kernel does with memory, after the tests of that benchmark.
//!
//! The rows `page`, `brk`, `exec`, `fork` and `mmap` are a kernel's work: they live by page tables.
//! The rows behind them compute and call, and touch no table: they must cost the same with and
//! without a hypervisor. Every row checks what it did, and prints a sum that is the same everywhere.
#![no_std]
#![no_main]

extern crate alloc;

mod compute;
mod owners;
mod process;
mod rows;

use rt::{check, frames, phase, println};

rt::entry!(main);

/// Frames that the rows have in use at once, and some.
const FRAMES: u64 = 2048;

fn main() {
    frames::require(FRAMES);
    rt::fault::set_handler(process::fault);
    rt::batch::ask();
    let cost = rt::clock::cost();
    rows::page(cost);
    rows::brk(cost);
    rows::exec(cost);
    rows::fork(cost);
    rows::mmap(cost);
    compute::add(cost);
    compute::multiply(cost);
    compute::call(cost);
    compute::call_with_arguments(cost);
}

/// Measures a row, checks its sum, prints its line.
#[inline(always)]
fn row(name: &str, operations: u64, cost: u64, expected: u64, work: impl FnOnce() -> u64) {
    let (ticks, sum) = rt::clock::time(cost, || phase(name, operations, work));
    check!(sum == expected, "row {name} sums to {sum:#x}, not {expected:#x}");
    let tenths = (ticks * 10 + operations / 2) / operations;
    println!(
        "@ aim9 row={name} ops={operations} ticks={ticks} per_op={}.{} check={sum:#x}",
        tenths / 10,
        tenths % 10,
    );
}
