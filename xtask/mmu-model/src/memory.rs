//! The machine's memory, as a walker sees it.

use paging::addr::Hpa;

/// Memory that holds tables.
pub trait Physical {
    /// The 8 bytes at `at`, a multiple of 8, if RAM is there.
    fn read(&self, at: Hpa) -> Option<u64>;
}
