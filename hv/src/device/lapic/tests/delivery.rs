//! What is delivered, in which order.

use super::*;

const LOGICAL: u32 = 1 << 11;
const NMI: u32 = 0b100 << 8;
const LOWEST: u32 = 0b001 << 8;
const TO_ALL: u32 = 0b10 << 18;
const TO_OTHERS: u32 = 0b11 << 18;

#[test]
fn an_interrupt_goes_from_request_to_service_to_its_end() {
    let mut machine = Machine::running();
    machine.request(0x51);
    assert!(machine.is_set(IRR, 0x51));
    assert!(!machine.is_set(ISR, 0x51));
    assert_eq!(machine.take(), Some(0x51));
    assert!(!machine.is_set(IRR, 0x51));
    assert!(machine.is_set(ISR, 0x51));
    assert_eq!(machine.read(PPR), 0x50);
    machine.write(EOI, 0);
    assert!(!machine.is_set(ISR, 0x51));
    assert_eq!(machine.read(PPR), 0);
    assert_eq!(machine.take(), None);
}

#[test]
fn the_highest_vector_comes_first() {
    let mut machine = Machine::running();
    for vector in [0x31, 0xfe, 0x1f, 0x80] {
        machine.request(vector);
    }
    for vector in [0xfe, 0x80, 0x31, 0x1f] {
        assert_eq!(machine.take(), Some(vector));
        assert_eq!(machine.take(), None, "nothing of a lower class interrupts it");
        machine.write(EOI, 0);
    }
    assert_eq!(machine.take(), None);
}

#[test]
fn only_a_higher_class_interrupts_what_is_in_service() {
    let mut machine = Machine::running();
    machine.request(0x41);
    assert_eq!(machine.take(), Some(0x41));
    machine.request(0x4f);
    assert_eq!(machine.take(), None, "the same class");
    machine.request(0x50);
    assert_eq!(machine.take(), Some(0x50));
    machine.write(EOI, 0);
    assert!(machine.is_set(ISR, 0x41), "the highest in service ends first");
    assert_eq!(machine.take(), None);
    machine.write(EOI, 0);
    assert_eq!(machine.take(), Some(0x4f));
}

#[test]
fn task_priority_holds_classes_back() {
    let mut machine = Machine::running();
    machine.write(TPR, 0x52);
    machine.request(0x5f);
    assert_eq!(machine.take(), None);
    assert_eq!(machine.read(PPR), 0x52);
    machine.request(0x60);
    assert_eq!(machine.take(), Some(0x60));
    assert_eq!(machine.read(PPR), 0x60);
    machine.write(EOI, 0);
    machine.write(TPR, 0x40);
    assert_eq!(machine.take(), Some(0x5f));
}

#[test]
fn a_vector_requested_twice_arrives_once_and_once_more_while_in_service() {
    let mut machine = Machine::running();
    machine.request(0x77);
    machine.request(0x77);
    assert_eq!(machine.take(), Some(0x77));
    machine.request(0x77);
    assert_eq!(machine.take(), None);
    machine.write(EOI, 0);
    assert_eq!(machine.take(), Some(0x77));
    machine.write(EOI, 0);
    assert_eq!(machine.take(), None);
}

#[test]
fn an_end_without_service_does_nothing() {
    let mut machine = Machine::running();
    machine.write(EOI, 0);
    assert_eq!(machine.take(), None);
}

#[test]
fn a_guest_that_cannot_take_it_is_left_when_it_can() {
    let mut machine = Machine::running();
    machine.guest.enabled = false;
    machine.request(0x33);
    assert_eq!(machine.take(), None);
    assert!(machine.guest.window);
    machine.guest.enabled = true;
    machine.guest.busy = true;
    machine.guest.window = false;
    assert_eq!(machine.take(), None);
    assert!(machine.guest.window, "another event came first: asked for again");
    machine.guest.busy = false;
    assert_eq!(machine.take(), Some(0x33));
    assert!(!machine.guest.window);
}

#[test]
fn nobody_waits_for_what_task_priority_holds_back() {
    let mut machine = Machine::running();
    machine.guest.enabled = false;
    machine.request(0x33);
    assert_eq!(machine.take(), None);
    machine.write(TPR, 0x30);
    assert_eq!(machine.take(), None);
    assert!(!machine.guest.window);
    machine.write(TPR, 0);
    assert_eq!(machine.take(), None);
    assert!(machine.guest.window);
}

#[test]
fn two_interrupts_are_two_entries() {
    let mut machine = Machine::running();
    machine.request(0x31);
    machine.request(0x91);
    machine.apic.flush(&mut machine.guest);
    machine.apic.flush(&mut machine.guest);
    assert_eq!(machine.guest.injected, Some(0x91));
    assert!(!machine.guest.window, "the lower one waits for an end of interrupt, not for a window");
}

#[test]
fn nothing_pending_touches_nothing() {
    let mut machine = Machine::running();
    machine.guest.busy = true;
    for _ in 0..3 {
        assert_eq!(machine.take(), None);
    }
    assert_eq!(machine.guest.windows, 0);
}

#[test]
fn an_apic_that_is_off_takes_nothing_and_keeps_what_it_has() {
    let mut machine = Machine::new();
    machine.request(0x44);
    assert_eq!(machine.take(), None);
    machine.write(SVR, ENABLE);
    assert_eq!(machine.take(), None);
    machine.request(0x44);
    machine.write(SVR, 0);
    machine.request(0x99);
    assert_eq!(machine.take(), Some(0x44));
}

#[test]
fn interprocessor_interrupts_reach_the_one_cpu_or_nobody() {
    let reaches = |setup: &[(u64, u32)], command: u32| {
        let mut machine = Machine::running();
        for &(register, value) in setup {
            machine.write(register, value);
        }
        machine.write(ICR_LOW, command | 0x66);
        let delivery_is_pending = machine.read(ICR_LOW) & 1 << 12 != 0;
        assert!(!delivery_is_pending);
        machine.take() == Some(0x66)
    };
    let to = |destination: u32| (ICR_HIGH, destination << 24);
    let logical = (LDR, 0b0010 << 24);
    let cluster = [(DFR, 0x0fff_ffff), (LDR, 0x32 << 24)];

    assert!(reaches(&[], TO_SELF));
    assert!(reaches(&[], TO_ALL));
    assert!(!reaches(&[], TO_OTHERS));
    assert!(!reaches(&[], TO_SELF | NMI));
    assert!(reaches(&[to(0)], 0));
    assert!(reaches(&[to(0)], LOWEST));
    assert!(reaches(&[to(0xff)], 0));
    assert!(!reaches(&[to(1)], 0));
    assert!(reaches(&[logical, to(0b0110)], LOGICAL));
    assert!(!reaches(&[logical, to(0b0101)], LOGICAL));
    assert!(reaches(&[cluster[0], cluster[1], to(0x36)], LOGICAL));
    assert!(reaches(&[cluster[0], cluster[1], to(0xf2)], LOGICAL));
    assert!(!reaches(&[cluster[0], cluster[1], to(0x22)], LOGICAL));
    assert!(!reaches(&[cluster[0], cluster[1], to(0x31)], LOGICAL));
}

#[test]
fn illegal_vectors_are_errors() {
    let mut machine = Machine::running();
    machine.write(LVT_ERROR, 0xe0);
    machine.request(0x0f);
    assert_eq!(machine.read(ESR), 0, "until it is written");
    machine.write(ESR, 0);
    assert_eq!(machine.read(ESR), 1 << 5);
    assert_eq!(machine.take(), Some(0xe0));
    machine.write(EOI, 0);

    machine.write(LVT_TIMER, 0x0f);
    machine.fire();
    machine.write(ESR, 0);
    assert_eq!(machine.read(ESR), 1 << 6);
    assert_eq!(machine.take(), Some(0xe0));
    machine.write(EOI, 0);

    machine.write(LVT_ERROR, 0x0e);
    machine.request(0x0f);
    machine.write(ESR, 0);
    assert_eq!(machine.read(ESR), 1 << 5 | 1 << 6);
    assert_eq!(machine.take(), None);
    machine.write(ESR, 0);
    assert_eq!(machine.read(ESR), 0);
}
