//! What the rows are called on Arm. Every one of them is portable.

/// The row of the hypercall.
pub(crate) const CALL: &str = "hvc";
/// The row of the interrupt controller, and its name.
pub(crate) const CONTROLLER: [&str; 2] = ["gicd", "distributor-read"];

/// Exits that no other processor has: none.
pub(crate) fn exits(_cost: u64) {}

/// Operations on tables that no other processor has: none.
pub(crate) fn tables(_cost: u64) {}
