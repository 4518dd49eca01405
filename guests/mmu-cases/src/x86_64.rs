//! The cases that only x86-64 has, and its part of the others.

pub(crate) mod access;
pub(crate) mod bits;
mod control;
mod delivery;
mod invalidation;
mod permissions;
mod regime;
mod reserved;
mod stores;
mod strange;
mod tags;
mod user;

pub(crate) use regime::run_inside;

use crate::Case;

/// The groups of cases.
pub(crate) const GROUPS: [&[Case]; 9] = [
    permissions::CASES,
    reserved::CASES,
    invalidation::CASES,
    tags::CASES,
    regime::CASES,
    delivery::CASES,
    stores::CASES,
    control::CASES,
    strange::CASES,
];

/// The cases in which a timer interrupts.
pub(crate) const TIMED: &[Case] = stores::TIMED;

core::arch::global_asm!(include_str!("x86_64/inside.s"));
core::arch::global_asm!(include_str!("x86_64/attempt.s"));
