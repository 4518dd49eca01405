//! What the registers hold and show.

use super::{CTLR, ICACTIVER, ICFGR, ICPENDR, IPRIORITYR, ISACTIVER, ISPENDR, Machine, SGI_BASE};
use crate::device::gicv3::{Frame, Width};
use arch::irq::Group;

#[test]
fn identifies_itself() {
    let machine = Machine::running();
    let read = |frame, offset, width| machine.gic.read(frame, offset, width, &machine.cpu);
    assert_eq!(read(Frame::Distributor, 0x0004, Width::Word), 2 | 9 << 19 | 1 << 25);
    assert_eq!(read(Frame::Distributor, CTLR, Width::Word), 1 << 6 | 1 << 4 | 1 << 1);
    assert_eq!(read(Frame::Distributor, 0xffe8, Width::Word) >> 4 & 0xf, 3);
    assert_eq!(read(Frame::Redistributor, 0xffe8, Width::Word) >> 4 & 0xf, 3);
    assert_eq!(read(Frame::Redistributor, 0x0008, Width::Double), 1 << 4);
    assert_eq!(read(Frame::Redistributor, 0x0008, Width::Word), 1 << 4);
    assert_eq!(read(Frame::Redistributor, 0x000c, Width::Word), 0);
}

#[test]
fn wakes_up() {
    let mut machine = Machine::running();
    let waker =
        |machine: &Machine| machine.gic.read(Frame::Redistributor, 0x14, Width::Word, &machine.cpu);
    assert_eq!(waker(&machine), 0b110);
    machine.gic.write(Frame::Redistributor, 0x14, Width::Word, 0, &mut machine.cpu);
    assert_eq!(waker(&machine), 0);
}

#[test]
fn pending_bits_set_and_clear() {
    let mut machine = Machine::running();
    machine.bit(ISPENDR, 40);
    assert!(machine.is_set(ICPENDR, 40), "it shows though it stands in a list register");
    machine.bit(ICPENDR, 40);
    assert!(!machine.is_set(ISPENDR, 40));
    assert_eq!(machine.take(), None);
    machine.bit(ISPENDR, 40);
    assert_eq!(machine.take(), Some(40));
    machine.end(40);
    assert_eq!(machine.take(), None);
}

#[test]
fn active_bits_set_and_clear() {
    let mut machine = Machine::running();
    machine.gic.set_line(33, true);
    assert_eq!(machine.take(), Some(33));
    machine.gic.set_line(33, false);
    machine.bit(ICACTIVER, 33);
    assert!(!machine.is_set(ISACTIVER, 33));
    machine.bit(ISACTIVER, 35);
    machine.gic.set_line(35, true);
    assert_eq!(machine.take(), None);
    machine.bit(ICACTIVER, 35);
    assert_eq!(machine.take(), Some(35));
}

#[test]
fn priorities_by_byte_and_word() {
    let mut machine = Machine::running();
    machine.distributor(IPRIORITYR + 32, 0xff_80_40_27);
    let read = |offset, width| machine.gic.read(Frame::Distributor, offset, width, &machine.cpu);
    assert_eq!(read(IPRIORITYR + 32, Width::Word), 0xf8_80_40_20);
    assert_eq!(read(IPRIORITYR + 34, Width::Byte), 0x80);
    assert_eq!(read(IPRIORITYR + 34, Width::Half), 0);
    assert_eq!(read(IPRIORITYR + 33, Width::Word), 0);
    assert_eq!(read(IPRIORITYR + 4, Width::Word), 0, "private ones are in the redistributor");
}

#[test]
fn triggers_of_private_interrupts_are_fixed() {
    let mut machine = Machine::running();
    for (offset, expected) in [(ICFGR, 0xaaaa_aaaa), (ICFGR + 4, 0)] {
        let offset = SGI_BASE + offset;
        machine.gic.write(Frame::Redistributor, offset, Width::Word, 0x5555_aaaa, &mut machine.cpu);
        let read = machine.gic.read(Frame::Redistributor, offset, Width::Word, &machine.cpu);
        assert_eq!(read, expected);
    }
    machine.distributor(ICFGR + 8, 0xffff_0000);
    let read = machine.gic.read(Frame::Distributor, ICFGR + 8, Width::Word, &machine.cpu);
    assert_eq!(read, 0xaaaa_0000);
}

#[test]
fn routes_are_stored_whole_and_in_halves() {
    const ROUTE: u64 = 0x6108;
    let mut machine = Machine::running();
    machine.gic.write(Frame::Distributor, ROUTE, Width::Double, u64::MAX, &mut machine.cpu);
    let read = |machine: &Machine, offset, width| {
        machine.gic.read(Frame::Distributor, offset, width, &machine.cpu)
    };
    assert_eq!(read(&machine, ROUTE, Width::Double), 0xff_80ff_ffff);
    assert_eq!(read(&machine, ROUTE + 4, Width::Word), 0xff);
    machine.gic.write(Frame::Distributor, ROUTE + 4, Width::Word, 0x12, &mut machine.cpu);
    assert_eq!(read(&machine, ROUTE, Width::Double), 0x12_80ff_ffff);
    machine.gic.write(Frame::Distributor, ROUTE, Width::Word, 0x34, &mut machine.cpu);
    assert_eq!(read(&machine, ROUTE, Width::Double), 0x12_0000_0034);
}

#[test]
fn any_access_is_survived_and_keeps_list_registers_apart() {
    let mut machine = Machine::running();
    for (frame, size) in [(Frame::Distributor, 0x1_0000), (Frame::Redistributor, 0x2_0000)] {
        for offset in 0..size {
            for width in Width::ALL {
                machine.gic.read(frame, offset, width, &machine.cpu);
                for value in [u64::MAX, 0, offset.wrapping_mul(0x9e37_79b9_7f4a_7c15)] {
                    machine.gic.write(frame, offset, width, value, &mut machine.cpu);
                }
            }
            if offset % 7 == 0 {
                machine.gic.set_line((offset % 120) as u32, offset % 3 != 0);
                machine.gic.generate(offset.wrapping_mul(0x1234_5678_9abc_def1), Group::One);
                machine.gic.flush(&mut machine.cpu);
                machine.cpu.check();
                if let Some(intid) = machine.cpu.acknowledge() {
                    machine.end(intid);
                }
            }
        }
    }
    for offset in [u64::MAX, u64::MAX - 7, 1 << 63] {
        for frame in [Frame::Distributor, Frame::Redistributor] {
            machine.gic.write(frame, offset, Width::Double, u64::MAX, &mut machine.cpu);
            machine.gic.read(frame, offset, Width::Double, &machine.cpu);
        }
    }
}
