//! The console: a 16550 at the first serial port.

use super::port;

/// Its first port: data, or with [`DIVISOR`] the divisor's low byte.
const BASE: u16 = 0x3f8;
/// Which events interrupt, or with [`DIVISOR`] the divisor's high byte.
const INTERRUPTS: u16 = BASE + 1;
/// FIFO control.
const FIFO: u16 = BASE + 2;
/// Line control.
const LINE: u16 = BASE + 3;
/// Modem control.
const MODEM: u16 = BASE + 4;
/// Line status.
const STATUS: u16 = BASE + 5;

/// Line control: eight bits, no parity, one stop bit.
const EIGHT_BITS: u8 = 3;
/// Line control: the first two ports are the divisor's.
const DIVISOR: u8 = 1 << 7;
/// The divisor for 115,200 baud.
const FASTEST: u8 = 1;
/// FIFO control: used, and emptied.
const FIFO_ON: u8 = 0b111;
/// Modem control: data terminal ready, request to send.
const READY: u8 = 0b11;
/// Line status: another byte may be sent.
const MAY_SEND: u8 = 1 << 5;
/// Line status: every byte is on its way.
const ALL_SENT: u8 = 1 << 6;

/// Sets the line up.
pub(crate) fn start() {
    port::write(INTERRUPTS, 0);
    port::write(LINE, DIVISOR | EIGHT_BITS);
    port::write(BASE, FASTEST);
    port::write(INTERRUPTS, 0);
    port::write(LINE, EIGHT_BITS);
    port::write(FIFO, FIFO_ON);
    port::write(MODEM, READY);
}

/// Sends one byte, waiting until it may.
pub(crate) fn put(byte: u8) {
    wait_for(MAY_SEND);
    port::write(BASE, byte);
}

/// Waits until every byte was sent.
pub(crate) fn drain() {
    wait_for(ALL_SENT);
}

/// Waits for a bit of the line's status.
fn wait_for(bit: u8) {
    while port::read(STATUS) & bit == 0 {
        core::hint::spin_loop();
    }
}
