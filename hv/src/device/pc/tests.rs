//! The devices of a PC, by their ports and addresses.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

use super::{Console, End, Pc, Width};
use crate::device::lapic::fake::{Guest, Host};
use hv_abi::pc::{DEBUG_EXIT, LOCAL_APIC, SERIAL};
use paging::addr::Gpa;
use std::vec::Vec;

const TPR: u64 = LOCAL_APIC + 0x080;
const EOI: u64 = LOCAL_APIC + 0x0b0;
const SVR: u64 = LOCAL_APIC + 0x0f0;
const ICR: u64 = LOCAL_APIC + 0x300;
const LVT_TIMER: u64 = LOCAL_APIC + 0x320;
const INITIAL_COUNT: u64 = LOCAL_APIC + 0x380;

const LINE_STATUS: u16 = SERIAL + 5;
const SCRATCH: u16 = SERIAL + 7;

/// A console that keeps what it is given.
#[derive(Default)]
struct Text(Vec<u8>);

impl Console for Text {
    fn put(&mut self, byte: u8) {
        self.0.push(byte);
    }
}

/// A PC whose APIC is on, and the machine under it.
struct Machine {
    pc: Pc,
    host: Host,
    guest: Guest,
    text: Text,
}

impl Machine {
    fn new() -> Self {
        let mut machine = Self {
            pc: Pc::new(),
            host: Host::default(),
            guest: Guest::willing(),
            text: Text::default(),
        };
        machine.store(SVR, 0x1ff);
        machine
    }

    fn load(&mut self, at: u64) -> u64 {
        self.pc.load(Gpa::from_bits(at), Width::Word, &self.host)
    }

    fn store(&mut self, at: u64, value: u64) {
        self.pc.store(Gpa::from_bits(at), Width::Word, value, &mut self.host);
    }

    fn output(&mut self, port: u16, width: Width, value: u64) -> Option<End> {
        self.pc.output(port, width, value, &mut self.text)
    }

    fn take(&mut self) -> Option<u8> {
        self.pc.deliver(&mut self.guest);
        self.guest.injected.take()
    }
}

#[test]
fn nothing_answers_beside_the_devices() {
    let mut machine = Machine::new();
    for at in [LOCAL_APIC - 4, LOCAL_APIC + 0x1000, 0xfec0_0000, u64::MAX - 3] {
        assert!(Pc::find(Gpa::from_bits(at)).is_none());
        machine.store(at, 0);
        assert_eq!(machine.load(at), 0xffff_ffff);
    }
    for port in [0, 0x20, SERIAL - 1, SERIAL + 8, 0xcf8, 0x8900, u16::MAX] {
        assert_eq!(machine.output(port, Width::Byte, 0), None);
        for width in [Width::Byte, Width::Half, Width::Word] {
            let touches_serial = port < SERIAL && port + width.bytes() as u16 > SERIAL;
            assert_eq!(machine.pc.input(port, width) == width.mask(), !touches_serial);
        }
    }
}

#[test]
fn a_debug_exit_ends_the_guest() {
    let mut machine = Machine::new();
    let ends = [(0, 1), (1, 3), (0x11, 0x23), (0x7f, 0xff), (0x80, 1)];
    for (value, status) in ends {
        for width in [Width::Byte, Width::Half, Width::Word] {
            assert_eq!(machine.output(DEBUG_EXIT, width, value), Some(End::Exit(status)));
        }
    }
    assert_eq!(machine.pc.input(DEBUG_EXIT, Width::Byte), 0xff);
}

#[test]
fn prints_and_receives() {
    let mut machine = Machine::new();
    for byte in *b"hello" {
        assert_eq!(machine.output(SERIAL, Width::Byte, byte.into()), None);
    }
    assert_eq!(machine.text.0, b"hello");
    machine.pc.serial.receive(b'x');
    assert_eq!(machine.pc.input(LINE_STATUS, Width::Byte) & 1, 1);
    assert_eq!(machine.pc.input(SERIAL, Width::Byte), u64::from(b'x'));
    assert_eq!(machine.pc.input(LINE_STATUS, Width::Byte) & 1, 0);
}

#[test]
fn wide_accesses_are_several_narrow_ones() {
    let mut machine = Machine::new();
    assert_eq!(machine.output(SCRATCH, Width::Half, 0x1234), None);
    assert_eq!(machine.pc.input(SCRATCH, Width::Byte), 0x34);
    assert_eq!(machine.pc.input(SCRATCH, Width::Half), 0xff34);
    assert_eq!(machine.pc.input(SCRATCH - 2, Width::Word), 0xff34_b060);
    assert_eq!(machine.pc.input(u16::MAX, Width::Word), 0xffff_ffff);
    assert_eq!(machine.output(u16::MAX, Width::Word, 0), None);
}

#[test]
fn sorts_physical_interrupts() {
    let mut machine = Machine::new();
    machine.store(LVT_TIMER, 0x40);
    machine.store(INITIAL_COUNT, 1000);
    assert_eq!(machine.pc.take(&mut machine.host), None);
    machine.host.arrived.extend([0x24, Host::TIMER_VECTOR]);
    assert_eq!(machine.pc.take(&mut machine.host), Some(0x24));
    assert_eq!(machine.host.ended, [], "the caller ends it");
    assert_eq!(machine.pc.take(&mut machine.host), None);
    assert_eq!(machine.host.ended, [Host::TIMER_VECTOR]);
    assert_eq!(machine.take(), Some(0x40));
}

#[test]
fn a_halted_guest_waits_for_what_it_would_take() {
    let mut machine = Machine::new();
    assert!(machine.pc.halt(&mut machine.host, &machine.guest));
    assert_eq!(machine.host.waits, 1);
    machine.store(ICR, 0b01 << 18 | 0x55);
    assert!(!machine.pc.halt(&mut machine.host, &machine.guest));
    machine.guest.enabled = false;
    assert!(machine.pc.halt(&mut machine.host, &machine.guest), "it never wakes by itself");
    machine.guest.enabled = true;
    machine.store(TPR, 0x50);
    assert!(machine.pc.halt(&mut machine.host, &machine.guest));
    machine.store(TPR, 0);
    assert_eq!(machine.take(), Some(0x55));
    assert!(machine.pc.halt(&mut machine.host, &machine.guest), "it is in service");
    machine.guest.event = true;
    assert!(!machine.pc.halt(&mut machine.host, &machine.guest), "a trap ends it");
    machine.guest.event = false;
    machine.store(EOI, 0);
    assert!(machine.pc.halt(&mut machine.host, &machine.guest));
}

#[test]
fn cr8_is_the_class_of_the_task_priority() {
    let mut machine = Machine::new();
    machine.store(TPR, 0x6b);
    assert_eq!(machine.pc.cr8(), 6);
    machine.pc.set_cr8(0xb);
    assert_eq!(machine.load(TPR), 0xb0);
    machine.pc.deliver(&mut machine.guest);
    assert_eq!(machine.guest.priority, 0xb);
}
