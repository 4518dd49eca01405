//! The rows that touch no table: arithmetic and calls.

use core::hint::black_box;

use crate::row;

/// Operations of a row.
const OPERATIONS: u64 = 1 << 20;

/// `add-int`: additions of 32 bits, each of which waits for the one before.
pub(crate) fn add(cost: u64) {
    let step = black_box(0x0101_0101_u32);
    let expected = step.wrapping_mul(OPERATIONS as u32);
    row("add-int", OPERATIONS, cost, expected.into(), || {
        (0..OPERATIONS).fold(0_u32, |sum, _| black_box(sum.wrapping_add(step))).into()
    });
}

/// `mul-long`: multiplications of 64 bits, each of which waits for the one before.
pub(crate) fn multiply(cost: u64) {
    let factor = black_box(0x5851_f42d_4c95_7f2d_u64);
    let expected = (0..OPERATIONS.ilog2()).fold(factor, |power, _| power.wrapping_mul(power));
    row("mul-long", OPERATIONS, cost, expected, || {
        (0..OPERATIONS).fold(1, |product: u64, _| black_box(product.wrapping_mul(factor)))
    });
}

/// `fun-cal`: calls of a function with one argument.
pub(crate) fn call(cost: u64) {
    row("fun-cal", OPERATIONS, cost, OPERATIONS, || {
        (0..OPERATIONS).fold(0, |count, _| next(count))
    });
}

/// `fun-cal2`: calls of a function with several arguments.
pub(crate) fn call_with_arguments(cost: u64) {
    row("fun-cal2", OPERATIONS, cost, OPERATIONS * 3, || {
        (0..OPERATIONS).fold(0, |count, _| later(count, 1, 2, 3, 3))
    });
}

/// Calls nothing, and is called.
#[inline(never)]
fn next(count: u64) -> u64 {
    black_box(count) + 1
}

/// See [`next`].
#[inline(never)]
fn later(count: u64, one: u64, two: u64, three: u64, four: u64) -> u64 {
    black_box(count) + black_box(one) + black_box(two) + black_box(three) - black_box(four)
}
