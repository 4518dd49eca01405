//! How addresses are translated: page-table formats, one tree, one walk, and the two ways to
//! virtualize an MMU.
//!
//! The crate knows no instruction and no register. It reads and writes tables through
//! [`mem::Memory`], tells the TLB what has become stale through [`mem::Tlb`], and so runs the same on
//! an ordinary computer against a simulated machine as it does in a hypervisor.
//!
//! - A *format* ([`format`]) is a page of facts about bits.
//! - A *tree* ([`tree::Tree`]) is tables that we own, in any format, for any pair of address spaces.
//! - A *walk* ([`walk`]) reads the tables that a guest owns, as the architecture would.
//! - A *layout* ([`layout::Layout`]) says what stands behind each guest-physical address.
//! - [`nested::Nested`] is the layout projected into a tree.
//! - [`shadow::Shadow`] is the guest's walk composed with the layout, projected into tables and kept
//!   coherent.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod addr;
pub mod attrs;
pub mod entry;
pub mod fault;
pub mod format;
pub mod layout;
pub mod mem;
pub mod nested;
pub mod pool;
pub mod shadow;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod switch;
pub mod tree;
pub mod walk;
