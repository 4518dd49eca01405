//! Ports: bytes to and from devices.

use core::arch::asm;

/// Reads a byte.
#[inline(always)]
pub(crate) fn read(port: u16) -> u8 {
    let value;
    // SAFETY: no device of a guest's machine writes memory on its own.
    unsafe { asm!("in al, dx", out("al") value, in("dx") port, options(nostack, preserves_flags)) };
    value
}

/// Writes a byte.
#[inline(always)]
pub(crate) fn write(port: u16, value: u8) {
    // SAFETY: as above.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nostack, preserves_flags)) };
}
