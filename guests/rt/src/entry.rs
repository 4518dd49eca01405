//! Entries of page tables, for guests that write their own: what a processor's format says, in
//! words that all formats share.

pub use crate::arch::table::{
    block, is_present, is_read_only, is_used, page, table, target, with_write,
};
