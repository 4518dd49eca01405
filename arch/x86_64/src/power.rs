//! Turning the machine off, as emulators let themselves be turned off.

use x86_64::instructions::port::Port;
use x86_64::instructions::{hlt, interrupts};

/// Where Bochs listens for [`BOCHS_WORD`], byte by byte ("Shutdown port").
const BOCHS: u16 = 0x8900;
/// What turns Bochs off.
const BOCHS_WORD: &[u8; 8] = b"Shutdown";
/// QEMU's `isa-debug-exit`.
const QEMU: u16 = 0xf4;

/// Turns the machine off, or waits for ever where there is no such switch.
pub fn off() -> ! {
    interrupts::disable();
    let mut bochs = Port::new(BOCHS);
    for &byte in BOCHS_WORD {
        // SAFETY: nothing but the switch of an emulator is at this port.
        unsafe { bochs.write(byte) };
    }
    let mut qemu = Port::new(QEMU);
    // SAFETY: the same.
    unsafe { qemu.write(0_u8) };
    loop {
        hlt();
    }
}
