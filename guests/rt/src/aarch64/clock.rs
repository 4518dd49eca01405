//! The clock: the virtual counter, which on an emulator may count instructions.

use core::arch::asm;

use aarch64_cpu::registers::{CNTFRQ_EL0, Readable};

/// Reads the virtual counter, not before what precedes it in program order is done.
#[inline(always)]
pub fn ticks() -> u64 {
    let ticks;
    // SAFETY: reading the counter changes nothing. No `nomem`: memory accesses must stay on their
    // side of it.
    unsafe {
        asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nostack, preserves_flags));
    }
    ticks
}

/// Ticks per second.
pub fn frequency() -> u64 {
    CNTFRQ_EL0.get()
}
