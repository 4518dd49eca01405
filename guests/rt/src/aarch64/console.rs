//! The console: a PL011 that the loader left usable.

/// Its registers.
const BASE: usize = 0x0900_0000;
/// UARTDR, the data register.
const DATA: *mut u32 = BASE as *mut u32;
/// UARTFR, the flag register.
const FLAGS: *const u32 = (BASE + 0x18) as *const u32;
/// UARTFR.TXFF: the transmit FIFO is full.
const TRANSMIT_FULL: u32 = 1 << 5;

/// Sends one byte, waiting while the FIFO is full.
pub(crate) fn put(byte: u8) {
    // SAFETY: the machine has a PL011 there, and reading its flags changes nothing.
    while unsafe { FLAGS.read_volatile() } & TRANSMIT_FULL != 0 {
        core::hint::spin_loop();
    }
    // SAFETY: as above; the register takes a byte.
    unsafe { DATA.write_volatile(u32::from(byte)) }
}
