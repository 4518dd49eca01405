//! Invalidation, with the barriers that a kernel puts around it.

pub use crate::arch::tlb::{all, page, pages, publish, space};
