//! The timer of the local interrupt controller.
//!
//! It counts at a rate of its own, which is measured against the clock when the controller starts.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::apic::{self, Register};

/// Its interrupt.
pub const INTERRUPT: u32 = 16;

/// Timer ticks in `1 << SCALE` ticks of the clock.
static RATE: AtomicU64 = AtomicU64::new(0);
/// See [`RATE`].
const SCALE: u32 = 16;

/// DCR: count every tick.
const DIVIDE_BY_1: u32 = 0b1011;

/// Measures its rate.
pub(crate) fn start() {
    apic::write(Register::TimerVector, apic::MASKED);
    apic::write(Register::TimerDivide, DIVIDE_BY_1);
    apic::write(Register::TimerInitial, u32::MAX);
    let first = apic::read(Register::TimerCurrent);
    let start = super::clock::ticks();
    while super::clock::ticks() - start < 1 << SCALE {
        core::hint::spin_loop();
    }
    let last = apic::read(Register::TimerCurrent);
    let elapsed = super::clock::ticks() - start;
    apic::write(Register::TimerInitial, 0);
    let counted = u64::from(first.wrapping_sub(last));
    RATE.store(((counted << SCALE) / elapsed).max(1), Relaxed);
}

/// Lets it interrupt.
pub(crate) fn enable() {
    apic::write(Register::TimerVector, apic::vector(INTERRUPT));
}

/// Interrupts when the clock reaches `at`, at once if that is past.
#[inline(always)]
pub fn set(at: u64) {
    let ticks = u128::from(at.saturating_sub(super::clock::ticks()));
    let count = (ticks * u128::from(RATE.load(Relaxed))) >> SCALE;
    apic::write(Register::TimerInitial, count.clamp(1, u32::MAX.into()) as u32);
}

/// Interrupts no more.
#[inline(always)]
pub fn stop() {
    apic::write(Register::TimerInitial, 0);
}
