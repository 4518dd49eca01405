//! Quick fault handlers, for guests that measure faults: each is a handful of instructions.

pub use crate::arch::quick::{install, remove};

/// What a quick handler does with a fault in its region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// Stores the page's entry: not-present to present.
    Demand,
    /// Allows writes in the page's entry, and invalidates the page.
    Protect,
    /// Stores the page's entry without its accessed flag; at the fault that follows, the flag.
    Access,
    /// Goes on behind the instruction.
    Skip,
}

/// Pages in a row, their leaf tables in a row, and frames in a row that the pages are mapped to.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// The first page's address.
    pub start: u64,
    /// Its entry; those of the other pages follow.
    pub entries: *mut u64,
    /// What its entry is when it is mapped; that of the next page says the next frame.
    pub first: u64,
    /// The tag of the address space.
    pub asid: u16,
}
