//! The virtual timer.

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{CNTV_CTL_EL0, CNTV_CVAL_EL0, Writeable};

/// Its interrupt: PPI 11.
pub const INTERRUPT: u32 = 27;

/// Interrupts when the clock reaches `at`, at once if that is past.
#[inline(always)]
pub fn set(at: u64) {
    CNTV_CVAL_EL0.set(at);
    CNTV_CTL_EL0.write(CNTV_CTL_EL0::ENABLE::SET);
    barrier::isb(barrier::SY);
}

/// Interrupts no more.
#[inline(always)]
pub fn stop() {
    CNTV_CTL_EL0.set(0);
    barrier::isb(barrier::SY);
}
