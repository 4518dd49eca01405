//! The registers by themselves.

use super::*;

#[test]
fn is_as_after_reset() {
    let mut machine = Machine::new();
    assert_eq!(machine.read(ID), 0);
    assert_eq!(machine.read(0x030), super::super::VERSION);
    assert_eq!(machine.read(SVR), 0xff);
    assert_eq!(machine.read(DFR), u32::MAX);
    assert_eq!(machine.read(LDR), 0);
    assert_eq!(machine.read(TPR), 0);
    for entry in (LVT_TIMER..=LVT_ERROR).step_by(0x10) {
        assert_eq!(machine.read(entry), MASKED);
    }
}

#[test]
fn entries_keep_the_bits_they_have() {
    let mut machine = Machine::running();
    for (entry, bits) in [
        (LVT_TIMER, 0x3_00ff),
        (0x330, 0x1_07ff),
        (0x340, 0x1_07ff),
        (LVT_LINT0, 0x1_a7ff),
        (0x360, 0x1_a7ff),
        (LVT_ERROR, 0x1_00ff),
    ] {
        machine.write(entry, u32::MAX);
        assert_eq!(machine.read(entry), bits);
    }
}

#[test]
fn turning_it_off_masks_every_entry() {
    let mut machine = Machine::running();
    machine.write(LVT_TIMER, 0x40);
    assert_eq!(machine.read(LVT_TIMER), 0x40);
    machine.write(SVR, 0xff);
    assert_eq!(machine.read(LVT_TIMER), MASKED | 0x40);
    machine.write(LVT_TIMER, 0x41);
    assert_eq!(machine.read(LVT_TIMER), MASKED | 0x41);
    machine.write(SVR, ENABLE | 0xff);
    machine.write(LVT_TIMER, 0x42);
    assert_eq!(machine.read(LVT_TIMER), 0x42);
}

#[test]
fn destinations_keep_the_bits_they_have() {
    let mut machine = Machine::running();
    for register in [LDR, ICR_HIGH] {
        machine.write(register, u32::MAX);
        assert_eq!(machine.read(register), 0xff00_0000);
    }
    machine.write(DFR, 0);
    assert_eq!(machine.read(DFR), 0x0fff_ffff);
    machine.write(ID, u32::MAX);
    assert_eq!(machine.read(ID), 0);
}

#[test]
fn what_does_not_exist_is_an_error() {
    let mut machine = Machine::running();
    machine.write(ESR, 0);
    assert_eq!(machine.read(ESR), 0);
    assert_eq!(machine.read(0x040), 0);
    machine.write(ESR, 0);
    assert_eq!(machine.read(ESR), 1 << 7);
    machine.write(0x3f0, 1);
    machine.write(ESR, 0);
    assert_eq!(machine.read(ESR), 1 << 7);
    for read_only in [PPR, ISR, TMR, IRR, CURRENT_COUNT] {
        machine.write(read_only, u32::MAX);
        assert_eq!(machine.read(read_only), 0);
    }
    machine.write(ESR, 0);
    assert_eq!(machine.read(ESR), 0);
}

#[test]
fn other_widths_and_places_read_as_zero_and_write_nothing() {
    let mut machine = Machine::running();
    machine.write(TPR, 0x20);
    for (offset, width) in [
        (TPR, Width::Byte),
        (TPR, Width::Half),
        (TPR, Width::Double),
        (TPR + 4, Width::Word),
        (TPR + 1, Width::Word),
    ] {
        machine.apic.write(offset, width, 0x70, &mut machine.host);
        assert_eq!(machine.apic.read(offset, width, &machine.host), 0);
    }
    assert_eq!(machine.read(TPR), 0x20);
}

#[test]
fn any_access_is_survived() {
    let mut machine = Machine::running();
    let mut random = 1_u64;
    for _ in 0..200_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let offset = random >> 52 & !0xf;
        let value = random >> 16;
        match random >> 8 & 7 {
            0 => machine.fire(),
            1 => {
                machine.guest.enabled ^= true;
                machine.take();
            }
            2 | 3 => {
                machine.read(offset);
            }
            _ => machine.apic.write(offset, Width::Word, value, &mut machine.host),
        }
    }
}
