//! The clock, and what it costs to read it.

pub use crate::arch::clock::{frequency, ticks};

/// How often [`cost`] tries.
const TRIES: usize = 16;

/// The ticks between two readings with nothing between them, at best. To be subtracted from every
/// interval.
pub fn cost() -> u64 {
    let mut least = u64::MAX;
    for _ in 0..TRIES {
        let start = ticks();
        let end = ticks();
        least = least.min(end - start);
    }
    least
}

/// The ticks that `work` takes, those of the clock itself excluded.
#[inline(always)]
pub fn time<T>(cost: u64, work: impl FnOnce() -> T) -> (u64, T) {
    let start = ticks();
    let result = work();
    let end = ticks();
    ((end - start).saturating_sub(cost), result)
}
