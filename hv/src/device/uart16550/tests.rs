//! The UART by itself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

use super::{Console, Uart16550};
use std::vec::Vec;

const DATA: u16 = 0;
const IER: u16 = 1;
const IIR: u16 = 2;
const FCR: u16 = 2;
const LCR: u16 = 3;
const MCR: u16 = 4;
const LSR: u16 = 5;
const MSR: u16 = 6;
const SCR: u16 = 7;

const IDLE: u8 = 0x60;
const READY: u8 = 0x01;
const OVERRUN: u8 = 0x02;
const FIFO: u8 = 0x01;
const DLAB: u8 = 0x80;
const NONE: u8 = 0x01;

/// A console that keeps what it is given.
#[derive(Default)]
struct Text(Vec<u8>);

impl Console for Text {
    fn put(&mut self, byte: u8) {
        self.0.push(byte);
    }
}

/// A UART, and what it printed.
#[derive(Default)]
struct Machine {
    uart: Uart16550,
    text: Text,
}

impl Machine {
    fn write(&mut self, offset: u16, value: u8) {
        self.uart.write(offset, value, &mut self.text);
    }

    fn read(&mut self, offset: u16) -> u8 {
        self.uart.read(offset)
    }

    fn receive(&mut self, bytes: impl IntoIterator<Item = u8>) {
        bytes.into_iter().for_each(|byte| self.uart.receive(byte));
    }
}

#[test]
fn prints_and_is_ready_for_more() {
    let mut machine = Machine::default();
    for byte in 0..=u8::MAX {
        assert_eq!(machine.read(LSR), IDLE);
        machine.write(DATA, byte);
    }
    assert!(machine.text.0.iter().copied().eq(0..=u8::MAX));
}

#[test]
fn receives_in_order_and_says_when_a_byte_was_lost() {
    let mut machine = Machine::default();
    machine.write(FCR, FIFO);
    machine.receive(b'a'..b'a' + 17);
    assert_eq!(machine.read(LSR), IDLE | READY | OVERRUN);
    assert_eq!(machine.read(LSR), IDLE | READY, "told once");
    for byte in b'a'..b'a' + 16 {
        assert_eq!(machine.read(DATA), byte);
    }
    assert_eq!(machine.read(LSR), IDLE);
    assert_eq!(machine.read(DATA), 0);
}

#[test]
fn without_its_fifo_the_last_byte_stays() {
    let mut machine = Machine::default();
    machine.receive(*b"ab");
    assert_eq!(machine.read(LSR), IDLE | READY | OVERRUN);
    assert_eq!(machine.read(DATA), b'b');
    assert_eq!(machine.read(LSR), IDLE);
}

#[test]
fn the_fifo_is_emptied_on_request_and_when_switched() {
    let mut machine = Machine::default();
    machine.receive(*b"a");
    machine.write(FCR, FIFO);
    assert_eq!(machine.read(LSR), IDLE);
    machine.receive(*b"abc");
    machine.write(FCR, FIFO);
    assert_eq!(machine.read(LSR), IDLE | READY);
    machine.write(FCR, FIFO | 0x02);
    assert_eq!(machine.read(LSR), IDLE);
    machine.receive(*b"abc");
    machine.write(FCR, 0);
    assert_eq!(machine.read(LSR), IDLE);
}

#[test]
fn registers_keep_what_they_hold() {
    let mut machine = Machine::default();
    for (register, bits) in [(IER, 0x0f), (LCR, 0x7f), (MCR, 0x1f), (SCR, 0xff)] {
        machine.write(register, !DLAB | bits);
        assert_eq!(machine.read(register), bits);
        machine.write(register, 0);
        assert_eq!(machine.read(register), 0);
    }
    machine.write(LSR, 0);
    machine.write(MSR, 0);
    assert_eq!(machine.read(LSR), IDLE);
    assert_eq!(machine.read(MSR), 0xb0);
    assert_eq!(machine.read(8), 0xff);
}

#[test]
fn the_divisor_stands_behind_its_latch() {
    let mut machine = Machine::default();
    machine.write(IER, 0x01);
    machine.write(LCR, DLAB | 0x03);
    machine.write(DATA, 0x0c);
    machine.write(IER, 0x34);
    assert_eq!((machine.read(DATA), machine.read(IER)), (0x0c, 0x34));
    assert_eq!(machine.read(LCR), DLAB | 0x03);
    machine.write(LCR, 0x03);
    assert_eq!((machine.read(DATA), machine.read(IER)), (0, 0x01));
    assert!(machine.text.0.is_empty());
}

#[test]
fn loops_back_as_drivers_expect() {
    let mut machine = Machine::default();
    machine.write(MCR, 0x1a);
    assert_eq!(machine.read(MSR), 0x90, "RTS is CTS and OUT2 is DCD");
    machine.write(MCR, 0x15);
    assert_eq!(machine.read(MSR), 0x60, "DTR is DSR and OUT1 is RI");
    machine.write(DATA, 0xae);
    assert_eq!(machine.read(DATA), 0xae);
    assert!(machine.text.0.is_empty());
    machine.write(MCR, 0x0b);
    machine.write(DATA, b'!');
    assert_eq!(machine.text.0, b"!");
}

#[test]
fn identifies_the_most_urgent_interrupt() {
    let mut machine = Machine::default();
    machine.write(FCR, FIFO | 0x40);
    assert_eq!(machine.read(IIR), 0xc0 | NONE, "nothing is enabled");
    machine.write(IER, 0x07);
    machine.receive([0; 17]);
    assert_eq!(machine.read(IIR), 0xc6);
    machine.read(LSR);
    assert_eq!(machine.read(IIR), 0xc4);
    for _ in 0..13 {
        machine.read(DATA);
    }
    assert_eq!(machine.read(IIR), 0xcc, "fewer than the trigger level");
    for _ in 0..3 {
        machine.read(DATA);
    }
    assert_eq!(machine.read(IIR), 0xc2);
    assert_eq!(machine.read(IIR), 0xc0 | NONE, "telling it clears it");
    machine.write(DATA, b'x');
    assert_eq!(machine.read(IIR), 0xc2);
    machine.write(FCR, 0);
    machine.write(IER, 0x00);
    machine.write(IER, 0x02);
    assert_eq!(machine.read(IIR), 0x02);
}

#[test]
fn any_access_is_survived() {
    let mut machine = Machine::default();
    let mut random = 1_u64;
    for _ in 0..100_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let offset = (random >> 40 & 0xf) as u16;
        match random >> 60 & 3 {
            0 => machine.receive([(random >> 32) as u8]),
            1 => machine.write(offset, (random >> 32) as u8),
            _ => {
                machine.read(offset);
            }
        }
    }
}
