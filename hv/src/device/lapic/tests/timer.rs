//! The timer, which the machine's own stands for.

use super::*;
use arch::apic::{Divide, Mode};

const BY_16: u32 = 0b0011;
const BY_1: u32 = 0b1011;

#[test]
fn counts_once() {
    let mut machine = Machine::running();
    machine.write(LVT_TIMER, 0x40);
    machine.write(DIVIDE, BY_16);
    machine.write(INITIAL_COUNT, 1000);
    assert_eq!(machine.host.timer, Some((1000, Divide::By16, Mode::OneShot)));
    machine.host.left = 600;
    assert_eq!(machine.read(CURRENT_COUNT), 600);
    assert_eq!(machine.read(INITIAL_COUNT), 1000);
    machine.fire();
    assert_eq!(machine.read(CURRENT_COUNT), 0);
    assert_eq!(machine.take(), Some(0x40));
    machine.write(EOI, 0);
    assert_eq!(machine.take(), None);
    assert_eq!(machine.host.changes, 1, "the machine's timer was started and nothing else");
}

#[test]
fn counts_periodically() {
    let mut machine = Machine::running();
    machine.write(LVT_TIMER, PERIODIC | 0x40);
    machine.write(DIVIDE, BY_1);
    machine.write(INITIAL_COUNT, 100_000);
    assert_eq!(machine.host.timer, Some((100_000, Divide::By1, Mode::Periodic)));
    for _ in 0..3 {
        machine.fire();
        assert_eq!(machine.take(), Some(0x40));
        machine.write(EOI, 0);
    }
    assert_eq!(machine.host.changes, 1);
    machine.write(INITIAL_COUNT, 0);
    assert_eq!(machine.host.timer, None);
    assert_eq!(machine.read(CURRENT_COUNT), 0);
}

#[test]
fn counts_while_masked() {
    let mut machine = Machine::running();
    machine.write(LVT_TIMER, MASKED | 0x40);
    machine.write(INITIAL_COUNT, 5000);
    machine.host.left = 1234;
    assert_eq!(machine.read(CURRENT_COUNT), 1234);
    machine.fire();
    assert_eq!(machine.take(), None);
    machine.write(LVT_TIMER, 0x40);
    assert_eq!(machine.take(), None, "it fired while masked");
}

#[test]
fn a_period_leaves_the_guest_time() {
    let mut machine = Machine::running();
    machine.write(LVT_TIMER, PERIODIC | 0x40);
    machine.write(DIVIDE, BY_16);
    machine.write(INITIAL_COUNT, 1);
    assert_eq!(machine.host.timer, Some((256, Divide::By16, Mode::Periodic)));
    assert_eq!(machine.read(CURRENT_COUNT), 1);
    machine.write(LVT_TIMER, 0x40);
    machine.write(INITIAL_COUNT, 1);
    assert_eq!(machine.host.timer, Some((1, Divide::By16, Mode::OneShot)));
}

#[test]
fn another_mode_holds_from_the_next_time_on() {
    let mut machine = Machine::running();
    machine.write(LVT_TIMER, 0x40);
    machine.write(INITIAL_COUNT, 10_000);
    machine.write(LVT_TIMER, PERIODIC | 0x41);
    assert_eq!(machine.host.changes, 1);
    machine.fire();
    assert_eq!(machine.host.timer, Some((10_000, Divide::By2, Mode::Periodic)));
    assert_eq!(machine.take(), Some(0x41));
    machine.write(LVT_TIMER, 0x42);
    machine.fire();
    assert_eq!(machine.host.timer, None);
}

#[test]
fn another_divisor_counts_what_is_left() {
    let mut machine = Machine::running();
    machine.write(LVT_TIMER, 0x40);
    machine.write(INITIAL_COUNT, 10_000);
    machine.host.left = 4000;
    machine.write(DIVIDE, BY_16);
    assert_eq!(machine.host.timer, Some((4000, Divide::By16, Mode::OneShot)));
    machine.host.left = 3000;
    machine.write(DIVIDE, BY_16);
    assert_eq!(machine.host.changes, 2, "the same divisor changes nothing");
    assert_eq!(machine.read(CURRENT_COUNT), 3000);
}

#[test]
fn every_divisor_reads_back() {
    let mut machine = Machine::running();
    for (value, log2) in [
        (0b0000, 1),
        (0b0001, 2),
        (0b0010, 3),
        (0b0011, 4),
        (0b1000, 5),
        (0b1001, 6),
        (0b1010, 7),
        (0b1011, 0),
    ] {
        machine.write(DIVIDE, value | !0b1011);
        assert_eq!(machine.read(DIVIDE), value);
        assert_eq!(Divide::from_register(value).log2(), log2);
    }
}

#[test]
fn stopping_what_stands_touches_nothing() {
    let mut machine = Machine::running();
    machine.write(INITIAL_COUNT, 0);
    machine.write(DIVIDE, BY_1);
    assert_eq!(machine.host.changes, 0);
    assert_eq!(machine.read(CURRENT_COUNT), 0);
}
