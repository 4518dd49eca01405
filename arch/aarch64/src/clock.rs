//! The clock of the instruments: the cycle counter.
//!
//! `PMCCNTR_EL0` counts processor cycles, also at EL2 (`PMCCFILTR_EL0.NSH`). An emulator that counts
//! instructions makes it tick once for each, and then "cycles" would be a lie. The clock finds out:
//! a chain of dependent divisions takes many cycles each on any silicon, so if the
//! counter advances by exactly the number of instructions executed, the unit is instructions.

use core::arch::asm;

use aarch64_cpu::registers::{CNTFRQ_EL0, Readable};
use arch::clock::Unit;
use probe::Clock;

use crate::regs;

/// The counter's name.
pub const NAME: &str = "pmccntr_el0";

/// The cycle counter.
#[derive(Clone, Copy, Debug)]
pub enum Cycles {}

impl Clock for Cycles {
    #[inline(always)]
    fn now() -> u64 {
        let now;
        // SAFETY: reading the counter changes nothing.
        unsafe { asm!("isb", "mrs {}, pmccntr_el0", out(reg) now, options(nomem, nostack)) };
        now
    }
}

/// Starts the cycle counter, at EL2 too, and finds out what it counts. Never inlined, so that a search
/// of the image can tell these readings from those of a probe.
#[inline(never)]
#[must_use]
pub fn start() -> Unit {
    regs::start_cycle_counter();
    /// Divisions in the chain.
    const CHAIN: u64 = 64;
    let before: u64;
    let after: u64;
    // SAFETY: the block computes in its own registers and reads the counter.
    unsafe {
        asm!(
            "isb",
            "mrs {before}, pmccntr_el0",
            ".rept {chain}",
            "udiv {value}, {value}, {one}",
            ".endr",
            "mrs {after}, pmccntr_el0",
            before = out(reg) before,
            after = out(reg) after,
            value = inout(reg) u64::MAX => _,
            one = in(reg) 1_u64,
            chain = const CHAIN,
            options(nomem, nostack),
        );
    }
    if after - before == CHAIN + 1 { Unit::Instructions } else { Unit::Cycles }
}

/// Ticks of the system counter in a second. The emulator's cycle counter runs at the same rate.
#[must_use]
pub fn frequency() -> u64 {
    CNTFRQ_EL0.get()
}
