//! `mmu-cases`: what the architecture allows with page tables, and few kernels do.
//!
//! Each case arranges tables or registers, accesses memory, and compares what happened with what the
//! processor's manual says. The bare machine is the judge: what passes there must
//! pass under a hypervisor, in either paging mode.
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
    for (name, case) in tables::CASES.iter().chain(arch::GROUPS.into_iter().flatten()) {
        case();
        done += 1;
        println!("@ mmu-cases case={name}");
    }
    println!("@ mmu-cases passed={done}");
}
