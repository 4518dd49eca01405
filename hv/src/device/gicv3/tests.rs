//! The controller against list registers that a test plays the guest on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

use super::{Frame, Gic, Width};
use crate::device::fake::Cpu;
use arch::irq::{Entry, Group, Origin, State};

const CTLR: u64 = 0x0000;
const IGROUPR: u64 = 0x0080;
const ISENABLER: u64 = 0x0100;
const ICENABLER: u64 = 0x0180;
const ISPENDR: u64 = 0x0200;
const ICPENDR: u64 = 0x0280;
const ISACTIVER: u64 = 0x0300;
const ICACTIVER: u64 = 0x0380;
const IPRIORITYR: u64 = 0x0400;
const ICFGR: u64 = 0x0c00;
const SGI_BASE: u64 = 0x1_0000;

const TIMER: u32 = 27;

/// A controller and the CPU it serves.
struct Machine {
    gic: Gic,
    cpu: Cpu,
}

impl Machine {
    /// Group 1 and every interrupt enabled, all in group 1, with equal priorities.
    fn running() -> Self {
        let mut machine = Self { gic: Gic::new(), cpu: Cpu::default() };
        machine.distributor(CTLR, 0b10);
        for word in 0..3 {
            machine.word(IGROUPR, word, u32::MAX);
            machine.word(ISENABLER, word, u32::MAX);
        }
        for intid in 0..96 {
            machine.priority(intid, 0xa0);
        }
        machine
    }

    fn distributor(&mut self, offset: u64, value: u64) {
        self.gic.write(Frame::Distributor, offset, Width::Word, value, &mut self.cpu);
    }

    /// Writes word `word` of an array of bits, in the frame where it stands.
    fn word(&mut self, array: u64, word: u64, value: u32) {
        let (frame, base) = place(word == 0);
        let offset = base + array + word * 4;
        self.gic.write(frame, offset, Width::Word, value.into(), &mut self.cpu);
    }

    /// Writes the bit of `intid` in an array of bits.
    fn bit(&mut self, array: u64, intid: u32) {
        self.word(array, u64::from(intid / 32), 1 << (intid % 32));
    }

    /// Reads the bit of `intid` in an array of bits.
    fn is_set(&self, array: u64, intid: u32) -> bool {
        let (frame, base) = place(intid < 32);
        let offset = base + array + u64::from(intid / 32) * 4;
        self.gic.read(frame, offset, Width::Word, &self.cpu) >> (intid % 32) & 1 != 0
    }

    fn priority(&mut self, intid: u32, priority: u8) {
        let (frame, base) = place(intid < 32);
        let offset = base + IPRIORITYR + u64::from(intid);
        self.gic.write(frame, offset, Width::Byte, priority.into(), &mut self.cpu);
    }

    fn edge(&mut self, intid: u32) {
        let offset = ICFGR + u64::from(intid / 16) * 4;
        let old = self.gic.read(Frame::Distributor, offset, Width::Word, &self.cpu);
        self.distributor(offset, old | 0b10 << (intid % 16 * 2));
    }

    /// Enters the guest, which takes the most urgent interrupt.
    fn take(&mut self) -> Option<u32> {
        self.gic.flush(&mut self.cpu);
        self.cpu.acknowledge()
    }

    /// The guest ends `intid`; a maintenance interrupt, if one is due, is handled.
    fn end(&mut self, intid: u32) {
        self.cpu.end(intid);
        if self.cpu.maintenance() {
            self.gic.sync();
            self.gic.flush(&mut self.cpu);
            assert!(!self.cpu.maintenance(), "the cause of a maintenance interrupt stayed");
        }
    }

    /// The timer fires and is acknowledged by the hypervisor.
    fn fire(&mut self) {
        assert!(self.cpu.physical_enabled & 1 << TIMER != 0, "it cannot fire");
        assert!(self.gic.physical(TIMER, &mut self.cpu));
        self.gic.flush(&mut self.cpu);
    }
}

fn place(private: bool) -> (Frame, u64) {
    if private { (Frame::Redistributor, SGI_BASE) } else { (Frame::Distributor, 0) }
}

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
fn delivers_what_is_enabled() {
    let mut machine = Machine::running();
    machine.word(ICENABLER, 1, u32::MAX);
    machine.gic.set_line(33, true);
    assert_eq!(machine.take(), None);
    assert!(machine.is_set(ISPENDR, 33));
    machine.bit(ISENABLER, 33);
    assert!(machine.is_set(ISENABLER, 33));
    assert!(!machine.is_set(ISENABLER, 34));
    assert_eq!(machine.take(), Some(33));
    assert!(machine.is_set(ISACTIVER, 33));
    assert!(!machine.is_set(ISENABLER, 34));
}

#[test]
fn withdraws_what_is_disabled_while_in_a_list_register() {
    let mut machine = Machine::running();
    machine.gic.set_line(33, true);
    machine.gic.flush(&mut machine.cpu);
    machine.bit(ICENABLER, 33);
    assert_eq!(machine.cpu.acknowledge(), None);
    assert!(machine.is_set(ISPENDR, 33));
}

#[test]
fn withdraws_what_the_group_enable_turns_off() {
    let mut machine = Machine::running();
    machine.gic.set_line(33, true);
    machine.gic.flush(&mut machine.cpu);
    machine.distributor(CTLR, 0b01);
    assert_eq!(machine.cpu.acknowledge(), None);
    machine.distributor(CTLR, 0b10);
    assert_eq!(machine.cpu.acknowledge(), Some(33));
}

#[test]
fn marks_the_group() {
    let mut machine = Machine::running();
    machine.distributor(CTLR, 0b11);
    machine.word(IGROUPR, 1, !(1 << 1));
    machine.gic.set_line(33, true);
    machine.gic.flush(&mut machine.cpu);
    assert_eq!(machine.cpu.entries[0].unwrap().group, Group::Zero);
}

#[test]
fn orders_by_priority_then_number() {
    let mut machine = Machine::running();
    machine.priority(50, 0x20);
    machine.priority(33, 0x80);
    for intid in [33, 60, 40, 50] {
        machine.gic.set_line(intid, true);
    }
    let mut order = [0; 4];
    for place in &mut order {
        let intid = machine.take().unwrap();
        machine.gic.set_line(intid, false);
        machine.gic.flush(&mut machine.cpu);
        machine.end(intid);
        *place = intid;
    }
    assert_eq!(order, [50, 33, 40, 60]);
    assert_eq!(machine.take(), None);
}

#[test]
fn the_urgent_displace_the_waiting() {
    let mut machine = Machine::running();
    for intid in 40..44 {
        machine.gic.set_line(intid, true);
    }
    machine.gic.flush(&mut machine.cpu);
    machine.priority(90, 0x10);
    machine.gic.set_line(90, true);
    assert_eq!(machine.take(), Some(90));
}

#[test]
fn more_than_list_registers_all_arrive_once() {
    let mut machine = Machine::running();
    for intid in 32..64 {
        machine.edge(intid);
        machine.gic.set_line(intid, true);
    }
    machine.gic.flush(&mut machine.cpu);
    assert!(machine.cpu.underflow, "interrupts wait, and nothing brings them");
    let mut seen = 0_u32;
    while let Some(intid) = machine.cpu.acknowledge() {
        assert_eq!(seen & 1 << (intid - 32), 0, "{intid} arrived twice");
        seen |= 1 << (intid - 32);
        machine.end(intid);
    }
    assert_eq!(seen, u32::MAX);
    assert!(!machine.cpu.underflow);
}

#[test]
fn a_level_that_stays_high_arrives_again() {
    let mut machine = Machine::running();
    machine.gic.set_line(33, true);
    for _ in 0..3 {
        assert_eq!(machine.take(), Some(33));
        assert_eq!(machine.take(), None, "it is active");
        machine.end(33);
    }
    assert_eq!(machine.take(), Some(33));
    machine.gic.set_line(33, false);
    machine.gic.flush(&mut machine.cpu);
    machine.cpu.end(33);
    assert!(!machine.cpu.maintenance(), "a silenced device costs no exit");
    assert_eq!(machine.take(), None);
}

#[test]
fn a_level_that_falls_and_rises_during_its_handler_arrives_again() {
    let mut machine = Machine::running();
    machine.gic.set_line(33, true);
    assert_eq!(machine.take(), Some(33));
    machine.gic.set_line(33, false);
    machine.gic.flush(&mut machine.cpu);
    machine.gic.set_line(33, true);
    machine.gic.flush(&mut machine.cpu);
    machine.end(33);
    assert_eq!(machine.take(), Some(33));
}

#[test]
fn a_level_that_falls_before_it_is_taken_does_not_arrive() {
    let mut machine = Machine::running();
    machine.gic.set_line(33, true);
    machine.gic.flush(&mut machine.cpu);
    machine.gic.set_line(33, false);
    assert_eq!(machine.take(), None);
}

#[test]
fn an_edge_is_remembered_and_may_repeat_while_active() {
    let mut machine = Machine::running();
    machine.edge(34);
    for level in [true, false] {
        machine.gic.set_line(34, level);
    }
    assert_eq!(machine.take(), Some(34));
    for level in [true, false] {
        machine.gic.set_line(34, level);
    }
    assert_eq!(machine.take(), None, "it is active");
    assert!(machine.is_set(ISPENDR, 34) && machine.is_set(ISACTIVER, 34));
    machine.end(34);
    assert_eq!(machine.take(), Some(34));
    machine.end(34);
    assert_eq!(machine.take(), None);
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
fn clearing_pending_does_not_lower_a_line() {
    let mut machine = Machine::running();
    machine.gic.set_line(33, true);
    machine.gic.flush(&mut machine.cpu);
    machine.bit(ICPENDR, 33);
    assert_eq!(machine.take(), Some(33));
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
fn generates_interrupts_in_software() {
    const TO_SELF: u64 = 1;
    const TO_OTHERS: u64 = 1 << 40;
    let mut machine = Machine::running();
    machine.gic.generate(5 << 24 | TO_SELF, Group::One);
    assert_eq!(machine.take(), Some(5));
    machine.end(5);
    machine.gic.generate(5 << 24 | TO_OTHERS | TO_SELF, Group::One);
    machine.gic.generate(5 << 24 | 0b10, Group::One);
    machine.gic.generate(5 << 24 | 1 << 16 | TO_SELF, Group::One);
    machine.gic.generate(5 << 24 | TO_SELF, Group::Zero);
    assert_eq!(machine.take(), None);
}

#[test]
fn the_timer_is_linked_and_ends_without_us() {
    let mut machine = Machine::running();
    machine.fire();
    let entry = machine.cpu.entries[0].unwrap();
    assert_eq!(
        entry,
        Entry {
            intid: TIMER,
            priority: 0xa0,
            group: Group::One,
            state: State::Pending,
            origin: Origin::Physical(TIMER)
        }
    );
    assert!(machine.is_set(ISPENDR, TIMER));
    assert_eq!(machine.cpu.acknowledge(), Some(TIMER));
    assert_eq!(machine.cpu.deactivated, 0);
    machine.cpu.end(TIMER);
    assert_eq!(machine.cpu.deactivated, 1 << TIMER);
    assert!(!machine.cpu.maintenance());
    machine.fire();
    assert_eq!(machine.cpu.acknowledge(), Some(TIMER));
}

#[test]
fn the_physical_enable_follows_the_guest() {
    let mut machine = Machine::running();
    let enabled = |machine: &Machine| machine.cpu.physical_enabled;
    assert_eq!(enabled(&machine), super::LINKED);
    machine.bit(ICENABLER, TIMER);
    assert_eq!(enabled(&machine), super::LINKED & !(1 << TIMER));
    machine.bit(ISENABLER, TIMER);
    machine.distributor(CTLR, 0);
    assert_eq!(enabled(&machine), 0);
    machine.distributor(CTLR, 0b10);
    assert_eq!(enabled(&machine), super::LINKED);
}

#[test]
fn a_timer_disabled_before_it_is_taken_goes_back() {
    let mut machine = Machine::running();
    machine.fire();
    machine.bit(ICENABLER, TIMER);
    assert_eq!(machine.cpu.deactivated, 1 << TIMER);
    assert_eq!(machine.take(), None);
    machine.bit(ISENABLER, TIMER);
    assert_eq!(machine.take(), None, "it has to fire again");
    machine.fire();
    assert_eq!(machine.cpu.acknowledge(), Some(TIMER));
}

#[test]
fn a_timer_that_fires_although_disabled_is_deactivated() {
    let mut machine = Machine::running();
    machine.bit(ICENABLER, TIMER);
    assert!(machine.gic.physical(TIMER, &mut machine.cpu));
    assert_eq!(machine.cpu.deactivated, 1 << TIMER);
    assert_eq!(machine.take(), None);
    assert!(!machine.gic.physical(33, &mut machine.cpu), "not the guest's");
}

#[test]
fn a_timer_disabled_in_its_handler_is_still_ended_by_the_guest() {
    let mut machine = Machine::running();
    machine.fire();
    assert_eq!(machine.cpu.acknowledge(), Some(TIMER));
    machine.bit(ICENABLER, TIMER);
    assert_eq!(machine.cpu.deactivated, 0);
    machine.cpu.end(TIMER);
    assert_eq!(machine.cpu.deactivated, 1 << TIMER);
}

#[test]
fn clearing_the_active_bit_of_the_timer_deactivates_it() {
    let mut machine = Machine::running();
    machine.fire();
    assert_eq!(machine.cpu.acknowledge(), Some(TIMER));
    machine.bit(ICACTIVER, TIMER);
    assert_eq!(machine.cpu.deactivated, 1 << TIMER);
    assert!(machine.cpu.entries.iter().all(Option::is_none));
}

#[test]
fn the_timer_waits_its_turn_when_list_registers_are_full() {
    let mut machine = Machine::running();
    for intid in 40..44 {
        machine.priority(intid, 0x10);
        machine.edge(intid);
        machine.gic.set_line(intid, true);
    }
    machine.gic.flush(&mut machine.cpu);
    machine.fire();
    assert!(machine.cpu.underflow);
    for intid in 40..44 {
        assert_eq!(machine.cpu.acknowledge(), Some(intid));
        machine.end(intid);
    }
    assert_eq!(machine.cpu.acknowledge(), Some(TIMER));
    assert_eq!(machine.cpu.deactivated, 0);
}

#[test]
fn a_timer_made_pending_by_software_while_active_arrives_after_it() {
    let mut machine = Machine::running();
    machine.fire();
    assert_eq!(machine.cpu.acknowledge(), Some(TIMER));
    machine.bit(ISPENDR, TIMER);
    machine.end(TIMER);
    assert_eq!(machine.take(), Some(TIMER));
}

#[test]
fn nothing_changed_touches_nothing() {
    let mut machine = Machine::running();
    machine.gic.set_line(33, true);
    machine.gic.flush(&mut machine.cpu);
    let before = machine.cpu.writes;
    machine.gic.set_line(33, true);
    machine.gic.flush(&mut machine.cpu);
    assert_eq!(machine.cpu.writes, before);
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
