//! `mmu-cases`: what the architecture allows with page tables, and few kernels do.
//!
//! Each case arranges tables or registers, accesses memory, and compares what happened with what the
//! Arm Architecture Reference Manual says. The bare machine is the judge: what passes there must
//! pass under a hypervisor, in either paging mode.
#![no_std]
#![no_main]

mod access;
mod arena;
mod bits;
mod invalidation;
mod permissions;
mod regime;
mod tables;

use rt::println;

rt::entry!(main);

/// A case: its name, and what does it.
type Case = (&'static str, fn());

/// The groups of cases.
const GROUPS: [&[Case]; 4] =
    [tables::CASES, permissions::CASES, invalidation::CASES, regime::CASES];

fn main() {
    access::start();
    let mut done = 0;
    for (name, case) in GROUPS.into_iter().flatten() {
        case();
        done += 1;
        println!("@ mmu-cases case={name}");
    }
    println!("@ mmu-cases passed={done}");
}
