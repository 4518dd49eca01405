//! The cases that only Arm has, and its part of the others.

pub(crate) mod access;
pub(crate) mod bits;
mod invalidation;
mod permissions;
mod regime;

pub(crate) use regime::run_inside;

use crate::Case;

/// The groups of cases.
pub(crate) const GROUPS: [&[Case]; 3] = [permissions::CASES, invalidation::CASES, regime::CASES];

/// The cases in which a timer interrupts.
pub(crate) const TIMED: &[Case] = &[];
