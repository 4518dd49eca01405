//! Arithmetic with its flags.
//!
//! Intel SDM vol. 1, "Status Flags"; AMD64 APM vol. 3, appendix E, "Instruction Effects on RFLAGS".

use crate::flags::Flags;
use crate::operand::Size;

/// Bit 3, whose carry AF is.
const NIBBLE: u64 = 1 << 3;

/// The flags that `result` itself decides.
fn of_result(result: u64, size: Size) -> Flags {
    let result = result & size.mask();
    let even = (result & Size::Byte.mask()).count_ones() & 1 == 0;
    let mut flags = Flags::empty();
    flags.set(Flags::PARITY, even);
    flags.set(Flags::ZERO, result == 0);
    flags.set(Flags::SIGN, result & sign(size) != 0);
    flags
}

/// The most significant bit.
const fn sign(size: Size) -> u64 {
    size.mask() & !(size.mask() >> 1)
}

/// The flags of an addition or subtraction: `carries` has a one where a bit was carried out or
/// borrowed, `overflow` has the sign's bit set when the result's sign is wrong.
fn of_carries(result: u64, carries: u64, overflow: u64, size: Size) -> Flags {
    let mut flags = of_result(result, size);
    flags.set(Flags::CARRY, carries & sign(size) != 0);
    flags.set(Flags::AUXILIARY, carries & NIBBLE != 0);
    flags.set(Flags::OVERFLOW, overflow & sign(size) != 0);
    flags
}

/// `left + right + carry`.
pub(crate) fn add(left: u64, right: u64, carry: bool, size: Size) -> (u64, Flags) {
    let result = left.wrapping_add(right).wrapping_add(u64::from(carry));
    let carries = left & right | (left | right) & !result;
    let overflow = (left ^ result) & (right ^ result);
    (result, of_carries(result, carries, overflow, size))
}

/// `left - right - borrow`.
pub(crate) fn subtract(left: u64, right: u64, borrow: bool, size: Size) -> (u64, Flags) {
    let result = left.wrapping_sub(right).wrapping_sub(u64::from(borrow));
    let borrows = !left & right | (!left | right) & result;
    let overflow = (left ^ right) & (left ^ result);
    (result, of_carries(result, borrows, overflow, size))
}

/// The flags of a bitwise operation. AF is undefined; processors clear it.
pub(crate) fn bitwise(result: u64, size: Size) -> (u64, Flags) {
    (result, of_result(result, size))
}
