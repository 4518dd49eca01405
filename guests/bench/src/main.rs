//! `bench`: the operations that the hypervisor has a budget for, one row each.
//!
//! A row's figures are ticks from the operation's first instruction to the one behind it, the
//! clock's own excluded. What else a row needs is outside of them.
#![no_std]
#![no_main]

#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
mod arch;
mod tables;

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rt::samples::Samples;
use rt::{check, exact, interrupt, phase, println};

rt::entry!(main);

/// The guest's name in result lines.
const GUEST: &str = "bench";
/// Operations of a row.
const OPERATIONS: u64 = 256;
/// A function that no hypervisor knows, and its result (Arm DEN0028).
const UNKNOWN: u64 = 0xc600_ffff;
/// See [`UNKNOWN`].
const NOT_SUPPORTED: u64 = u64::MAX;

fn main() {
    let cost = rt::clock::cost();
    println!("@ bench clock_cost={cost} frequency={}", rt::clock::frequency());
    hypercall(cost);
    arch::exits(cost);
    interrupt::start();
    controller(cost);
    timer(cost);
    tables::fault(cost);
    tables::stores(cost);
    tables::fill("fill-512", 512, cost);
    tables::fill("fill-16", 16, cost);
    arch::tables(cost);
}

/// A null hypercall, there and back.
fn hypercall(cost: u64) {
    let mut samples = Samples::with_capacity(OPERATIONS as usize);
    if rt::hypervisor::has_hypercalls() {
        phase(arch::CALL, OPERATIONS, || {
            for _ in 0..OPERATIONS {
                // SAFETY: an unknown function does nothing.
                let (ticks, result) = unsafe { exact::hypercall(UNKNOWN) };
                check!(result == NOT_SUPPORTED, "an unknown hypercall returns {result:#x}");
                samples.add(ticks - cost - exact::MOVES);
            }
        });
    }
    samples.print(GUEST, arch::CALL, "null-hypercall");
}

/// A read of a register of the interrupt controller.
fn controller(cost: u64) {
    let mut samples = Samples::with_capacity(OPERATIONS as usize);
    let [row, name] = arch::CONTROLLER;
    phase(row, OPERATIONS, || {
        // SAFETY: a register that can be read.
        let (_, kind) = unsafe { exact::load_register(interrupt::VERSION) };
        for _ in 0..OPERATIONS {
            // SAFETY: as above.
            let (ticks, read) = unsafe { exact::load_register(interrupt::VERSION) };
            check!(read == kind, "the controller was {kind:#x} and is {read:#x}");
            samples.add(ticks - cost);
        }
    });
    samples.print(GUEST, row, name);
}

/// Whether the timer has interrupted.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A timer interrupt: from programming a time that is past, so that nothing is waited for, to the
/// code that was interrupted, its handler done.
fn timer(cost: u64) {
    let mut samples = Samples::with_capacity(OPERATIONS as usize);
    interrupt::set_handler(|id| {
        if id == interrupt::TIMER {
            interrupt::stop_timer();
            INTERRUPTED.store(true, Relaxed);
        }
    });
    interrupt::enable(interrupt::TIMER);
    interrupt::unmask();
    phase("timer", OPERATIONS, || {
        for _ in 0..OPERATIONS {
            INTERRUPTED.store(false, Relaxed);
            let (ticks, ()) = rt::clock::time(cost, || {
                interrupt::set_timer(0);
                while !INTERRUPTED.load(Relaxed) {
                    core::hint::spin_loop();
                }
            });
            samples.add(ticks);
        }
    });
    interrupt::mask();
    samples.print(GUEST, "timer", "timer-interrupt");
}
