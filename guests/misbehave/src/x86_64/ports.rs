//! Ports.

use core::arch::asm;

use rt::{check, println};

/// Ports at which no machine of ours has anything.
const NOTHING: [u16; 4] = [0x1234, 0x5678, 0x9abc, 0xfff0];
/// The serial line's data.
const SERIAL: u16 = 0x3f8;

/// Reads ports at which there is nothing, which gives ones, and writes them.
pub(crate) fn unknown() {
    for port in NOTHING {
        let (byte, word, long): (u8, u16, u32);
        // SAFETY: nothing is there.
        unsafe { asm!("in al, dx", in("dx") port, out("al") byte, options(nomem, nostack)) };
        // SAFETY: as above.
        unsafe { asm!("in ax, dx", in("dx") port, out("ax") word, options(nomem, nostack)) };
        // SAFETY: as above.
        unsafe { asm!("in eax, dx", in("dx") port, out("eax") long, options(nomem, nostack)) };
        let read = (byte, word, long);
        check!(read == (u8::MAX, u16::MAX, u32::MAX), "port {port:#x} reads {read:x?}");
        // SAFETY: as above.
        unsafe {
            asm!("out dx, al", "out dx, ax", "out dx, eax", in("dx") port, in("eax") 0_u32,
                options(nomem, nostack));
        }
    }
    println!("@ misbehave ports={}", NOTHING.len());
}

/// Prints with one instruction.
pub(crate) fn string_output() {
    let text = b"@ misbehave printed by one instruction\n";
    // SAFETY: the line sends what it gets.
    unsafe {
        asm!("rep outsb", in("dx") SERIAL, inout("rsi") text.as_ptr() => _,
            inout("rcx") text.len() => _, options(nostack));
    }
}
