//! The APIC against a processor that a test plays.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

mod delivery;
mod registers;
mod timer;

use super::Lapic;
use super::fake::{Guest, Host};
use crate::device::Width;

const ID: u64 = 0x020;
const TPR: u64 = 0x080;
const PPR: u64 = 0x0a0;
const EOI: u64 = 0x0b0;
const LDR: u64 = 0x0d0;
const DFR: u64 = 0x0e0;
const SVR: u64 = 0x0f0;
const ISR: u64 = 0x100;
const TMR: u64 = 0x180;
const IRR: u64 = 0x200;
const ESR: u64 = 0x280;
const ICR_LOW: u64 = 0x300;
const ICR_HIGH: u64 = 0x310;
const LVT_TIMER: u64 = 0x320;
const LVT_LINT0: u64 = 0x350;
const LVT_ERROR: u64 = 0x370;
const INITIAL_COUNT: u64 = 0x380;
const CURRENT_COUNT: u64 = 0x390;
const DIVIDE: u64 = 0x3e0;

const ENABLE: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const PERIODIC: u32 = 1 << 17;
const TO_SELF: u32 = 0b01 << 18;

/// An APIC, the machine under it, and the CPU that it serves.
struct Machine {
    apic: Lapic,
    host: Host,
    guest: Guest,
}

impl Machine {
    /// After reset, with a guest that takes interrupts.
    fn new() -> Self {
        Self { apic: Lapic::new(), host: Host::default(), guest: Guest::willing() }
    }

    /// With the APIC on.
    fn running() -> Self {
        let mut machine = Self::new();
        machine.write(SVR, ENABLE | 0xff);
        machine
    }

    fn read(&mut self, offset: u64) -> u32 {
        self.apic.read(offset, Width::Word, &self.host).try_into().unwrap()
    }

    fn write(&mut self, offset: u64, value: u32) {
        self.apic.write(offset, Width::Word, value.into(), &mut self.host);
    }

    /// Has the guest interrupt itself.
    fn request(&mut self, vector: u8) {
        self.write(ICR_LOW, TO_SELF | u32::from(vector));
    }

    /// The physical timer interrupts.
    fn fire(&mut self) {
        self.host.left = 0;
        self.apic.timer_fired(&mut self.host);
    }

    /// Enters the guest, which begins to handle what it is given.
    fn take(&mut self) -> Option<u8> {
        self.apic.flush(&mut self.guest);
        self.guest.injected.take()
    }

    /// Whether the bit of `vector` is set in the eight words from `array` on.
    fn is_set(&mut self, array: u64, vector: u8) -> bool {
        self.read(array + u64::from(vector / 32) * 16) >> (vector % 32) & 1 != 0
    }
}
