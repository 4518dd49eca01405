//! The bus, and the console on it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

use super::{BusError, Console, Virt, Width};
use crate::device::fake::Cpu;
use hv_abi::bundle::{
    DEVICE_GICV3_DISTRIBUTOR, DEVICE_GICV3_REDISTRIBUTOR, DEVICE_PL011, Device, MAX_DEVICES,
};
use paging::addr::Gpa;
use std::vec::Vec;

const UART: u64 = 0x0900_0000;
const DISTRIBUTOR: u64 = 0x0800_0000;
const REDISTRIBUTOR: u64 = 0x080a_0000;

const DR: u64 = UART;
const RSR: u64 = UART + 0x04;
const FR: u64 = UART + 0x18;
const LCR_H: u64 = UART + 0x2c;
const IMSC: u64 = UART + 0x38;
const RIS: u64 = UART + 0x3c;
const MIS: u64 = UART + 0x40;
const ICR: u64 = UART + 0x44;

const RX: u64 = 1 << 4;
const TX: u64 = 1 << 5;

/// A console that keeps what it is given.
#[derive(Default)]
struct Text(Vec<u8>);

impl Console for Text {
    fn put(&mut self, byte: u8) {
        self.0.push(byte);
    }
}

/// The machine that QEMU calls `virt`.
struct Machine {
    bus: Virt,
    cpu: Cpu,
    text: Text,
}

impl Machine {
    fn new() -> Self {
        Self { bus: Virt::new(&virt()).unwrap(), cpu: Cpu::default(), text: Text::default() }
    }

    fn read(&mut self, gpa: u64) -> u64 {
        self.bus.load(Gpa::from_bits(gpa), Width::Word, &self.cpu).unwrap()
    }

    fn write(&mut self, gpa: u64, value: u64) {
        let gpa = Gpa::from_bits(gpa);
        self.bus.store(gpa, Width::Word, value, &mut self.cpu, &mut self.text).unwrap();
    }
}

fn device(kind: u32, interrupt: u32, base: u64, size: u64) -> Device {
    Device { kind, interrupt, base, size }
}

fn virt() -> [Device; 3] {
    [
        device(DEVICE_GICV3_DISTRIBUTOR, 0, DISTRIBUTOR, 0x1_0000),
        device(DEVICE_GICV3_REDISTRIBUTOR, 0, REDISTRIBUTOR, 0x2_0000),
        device(DEVICE_PL011, 33, UART, 0x1000),
    ]
}

#[test]
fn finds_devices_and_nothing_beside_them() {
    let mut machine = Machine::new();
    assert!(machine.bus.contains(Gpa::from_bits(UART + 0xfff)));
    for gpa in [0, DISTRIBUTOR - 1, DISTRIBUTOR + 0x1_0000, UART - 1, UART + 0x1000, u64::MAX] {
        let gpa = Gpa::from_bits(gpa);
        assert!(!machine.bus.contains(gpa));
        assert_eq!(machine.bus.load(gpa, Width::Word, &machine.cpu), None);
        let Machine { bus, cpu, text } = &mut machine;
        assert_eq!(bus.store(gpa, Width::Word, 0, cpu, text), None);
    }
    assert_eq!(machine.read(DISTRIBUTOR + 4) & 0x1f, 2);
    assert_eq!(machine.read(REDISTRIBUTOR + 8), 1 << 4);
}

#[test]
fn refuses_bad_machines() {
    let error = |devices: &[Device]| Virt::new(devices).err();
    let [_, _, uart] = virt();
    assert_eq!(error(&[uart, uart]), Some(BusError::Duplicate(DEVICE_PL011)));
    assert_eq!(error(&[device(77, 0, 0, 1)]), Some(BusError::UnknownKind(77)));
    for interrupt in [1, 31, 96, u32::MAX] {
        let bad = device(DEVICE_PL011, interrupt, 0, 0x1000);
        assert_eq!(error(&[bad]), Some(BusError::BadInterrupt(interrupt)));
    }
    assert_eq!(error(&[device(DEVICE_PL011, 0, 1, u64::MAX)]), Some(BusError::BadWindow(1)));
    assert_eq!(error(&[device(DEVICE_PL011, 0, 8, 0)]), Some(BusError::BadWindow(8)));
    assert!(error(&[uart; MAX_DEVICES + 1]).is_some());
    assert!(error(&[]).is_none());
}

#[test]
fn prints() {
    let mut machine = Machine::new();
    for byte in *b"Umbra\n" {
        assert_eq!(machine.read(FR) & 1 << 5, 0, "never full");
        let Machine { bus, cpu, text } = &mut machine;
        bus.store(Gpa::from_bits(DR), Width::Byte, 0xab00 | u64::from(byte), cpu, text).unwrap();
    }
    assert_eq!(machine.text.0, b"Umbra\n");
    assert_eq!(machine.read(FR), 1 << 7 | 1 << 4, "nothing to send, nothing received");
    assert_eq!(machine.read(RIS), TX);
}

#[test]
fn receives_in_order_and_says_when_a_byte_was_lost() {
    let mut machine = Machine::new();
    machine.write(LCR_H, 1 << 4);
    for byte in 0..16 {
        assert!(machine.bus.arrive(0x40 + byte));
    }
    assert_eq!(machine.read(FR) & (1 << 6 | 1 << 4), 1 << 6);
    assert!(!machine.bus.arrive(0xff));
    assert_eq!(machine.read(RSR), 1 << 3);
    machine.write(RSR, 0);
    assert_eq!(machine.read(RSR), 0);
    for byte in 0..16 {
        assert_eq!(machine.read(RIS) & RX, RX);
        assert_eq!(machine.read(DR), 0x40 + byte);
    }
    assert_eq!(machine.read(RIS) & RX, 0);
    assert_eq!(machine.read(DR), 0);
}

#[test]
fn holds_one_byte_without_its_fifo() {
    let mut machine = Machine::new();
    assert!(machine.bus.arrive(1));
    assert!(!machine.bus.arrive(2));
    assert_eq!(machine.read(DR), 1);
    assert!(machine.bus.arrive(3));
}

#[test]
fn interrupts_reach_the_controller_as_levels() {
    let mut machine = Machine::new();
    machine.write(DISTRIBUTOR, 0b10);
    for array in [0x80, 0x100] {
        machine.write(DISTRIBUTOR + array + 4, 1 << 1);
    }
    machine.write(DR, b'x'.into());
    machine.bus.gic.flush(&mut machine.cpu);
    assert_eq!(machine.cpu.acknowledge(), None, "masked");
    machine.write(IMSC, RX | TX);
    assert_eq!(machine.read(MIS), TX);
    machine.bus.gic.flush(&mut machine.cpu);
    assert_eq!(machine.cpu.acknowledge(), Some(33));
    machine.write(ICR, TX);
    machine.bus.gic.flush(&mut machine.cpu);
    machine.cpu.end(33);
    assert!(!machine.cpu.maintenance());
    machine.bus.arrive(b'y');
    machine.bus.gic.flush(&mut machine.cpu);
    assert_eq!(machine.cpu.acknowledge(), Some(33));
    assert_eq!(machine.read(DR), b'y'.into());
    assert_eq!(machine.read(MIS), 0);
}

#[test]
fn sorts_physical_interrupts() {
    const MAINTENANCE: u32 = 25;
    const TIMER: u32 = 27;
    let mut machine = Machine::new();
    let interrupt = |machine: &mut Machine, intid| {
        machine.cpu.arrived = Some(intid);
        machine.bus.take(&mut machine.cpu)
    };
    assert_eq!(machine.bus.take(&mut machine.cpu), None, "it went away");
    assert_eq!(interrupt(&mut machine, 33), Some(33));
    assert_eq!(interrupt(&mut machine, TIMER), None);
    assert_eq!(interrupt(&mut machine, MAINTENANCE), None);
    assert_eq!(machine.cpu.deactivated, 1 << TIMER | 1 << MAINTENANCE);
}

#[test]
fn registers_keep_what_they_hold() {
    let mut machine = Machine::new();
    for (offset, mask) in
        [(0x24, 0xffff), (0x28, 0x3f), (0x2c, 0xff), (0x30, 0xffff), (0x34, 0x3f), (0x38, 0x7ff)]
    {
        machine.write(UART + offset, u64::MAX);
        assert_eq!(machine.read(UART + offset), mask);
    }
    let identity: Vec<_> = (0..8).map(|n| machine.read(UART + 0xfe0 + n * 4)).collect();
    assert_eq!(identity, [0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
}

#[test]
fn any_access_is_survived() {
    let mut machine = Machine::new();
    for offset in 0..0x1000 {
        let gpa = Gpa::from_bits(UART + offset);
        for width in Width::ALL {
            let value = machine.bus.load(gpa, width, &machine.cpu).unwrap();
            assert_eq!(value & !width.mask(), 0);
            for value in [u64::MAX, 0, offset.wrapping_mul(0x9e37_79b9_7f4a_7c15)] {
                let Machine { bus, cpu, text } = &mut machine;
                bus.store(gpa, width, value, cpu, text).unwrap();
            }
            machine.bus.arrive(offset as u8);
        }
    }
}
