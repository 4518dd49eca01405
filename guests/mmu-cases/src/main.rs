//! `mmu-cases`: what the architecture allows with page tables, and few kernels do.
//!
//! Each case arranges tables or registers, accesses memory, and compares what happened with what the
//! processor's manual says. The bare machine is the judge: what passes there must
//! pass under a hypervisor, in either paging mode.
//!
//! With the argument `timed` it does the cases in which a timer interrupts while they run: what they meet
//! depends on how long everything takes.
#![no_std]
#![no_main]

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

mod access;
mod arena;
mod pages;
mod tables;

use rt::println;

rt::entry!(main);

/// A case: its name, and what does it.
type Case = (&'static str, fn());

fn main() {
    access::start();
    let mut done = 0;
    let timed = rt::args().any(|word| word == "timed");
    let (first, others) =
        if timed { (arch::TIMED, [].as_slice()) } else { (tables::CASES, arch::GROUPS.as_slice()) };
    for (name, case) in first.iter().chain(others.iter().copied().flatten()) {
        case();
        done += 1;
        println!("@ mmu-cases case={name}");
    }
    println!("@ mmu-cases passed={done}");
}
