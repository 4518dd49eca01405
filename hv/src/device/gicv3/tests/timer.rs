//! The guest's own physical timer.

use super::{CTLR, ICACTIVER, ICENABLER, ISENABLER, ISPENDR, Machine, TIMER};
use crate::device::gicv3::LINKED;
use arch::irq::{Entry, Group, Origin, State};

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
    assert_eq!(enabled(&machine), LINKED);
    machine.bit(ICENABLER, TIMER);
    assert_eq!(enabled(&machine), LINKED & !(1 << TIMER));
    machine.bit(ISENABLER, TIMER);
    machine.distributor(CTLR, 0);
    assert_eq!(enabled(&machine), 0);
    machine.distributor(CTLR, 0b10);
    assert_eq!(enabled(&machine), LINKED);
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
