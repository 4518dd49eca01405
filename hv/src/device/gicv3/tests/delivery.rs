//! Which interrupts arrive, when and in which order.

use super::{CTLR, ICENABLER, ICPENDR, IGROUPR, ISACTIVER, ISENABLER, ISPENDR, Machine};
use arch::irq::Group;

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
fn clearing_pending_does_not_lower_a_line() {
    let mut machine = Machine::running();
    machine.gic.set_line(33, true);
    machine.gic.flush(&mut machine.cpu);
    machine.bit(ICPENDR, 33);
    assert_eq!(machine.take(), Some(33));
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
fn nothing_changed_touches_nothing() {
    let mut machine = Machine::running();
    machine.gic.set_line(33, true);
    machine.gic.flush(&mut machine.cpu);
    let before = machine.cpu.writes;
    machine.gic.set_line(33, true);
    machine.gic.flush(&mut machine.cpu);
    assert_eq!(machine.cpu.writes, before);
}
