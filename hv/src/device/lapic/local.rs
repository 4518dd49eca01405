//! The local vector table: which vector the APIC's own sources have.
//!
//! Intel SDM vol. 3, "Local Vector Table".

use arch::apic::Mode;
use bitflags::bitflags;

/// How many entries there are.
pub(super) const ENTRIES: usize = 6;

/// The sources that exist, by the numbers of their entries. Between them are the thermal sensor, the
/// performance counters, LINT0 and LINT1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The timer.
    Timer = 0,
    /// The APIC's own errors.
    Error = 5,
}

bitflags! {
    /// An entry.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Entry: u32 {
        /// Which vector.
        const VECTOR = 0xff;
        /// As what it is delivered: only some have the choice.
        const DELIVERY = 0b111 << 8;
        /// LINT0 and LINT1: active low.
        const LOW = 1 << 13;
        /// LINT0 and LINT1: level-triggered.
        const LEVEL = 1 << 15;
        /// Not at all.
        const MASKED = 1 << 16;
        /// The timer: periodic.
        const PERIODIC = 1 << 17;
    }
}

/// The bits that each entry has.
const WRITABLE: [Entry; ENTRIES] = {
    let plain = Entry::VECTOR.union(Entry::MASKED);
    let sensor = plain.union(Entry::DELIVERY);
    let pin = sensor.union(Entry::LOW).union(Entry::LEVEL);
    [plain.union(Entry::PERIODIC), sensor, sensor, pin, pin, plain]
};

/// All entries.
#[derive(Debug)]
pub(super) struct Table([Entry; ENTRIES]);

impl Table {
    /// After reset.
    pub(super) const NEW: Self = Self([Entry::MASKED; ENTRIES]);

    /// The register of entry `index`.
    pub(super) fn read(&self, index: usize) -> u32 {
        self.entry(index).bits()
    }

    /// Writes the register of entry `index`, which stays masked while the APIC is off.
    pub(super) fn write(&mut self, index: usize, value: u32, on: bool) {
        if let (Some(entry), Some(writable)) = (self.0.get_mut(index), WRITABLE.get(index)) {
            *entry = Entry::from_bits_retain(value) & *writable;
            entry.set(Entry::MASKED, !on || entry.contains(Entry::MASKED));
        }
    }

    /// Masks every entry.
    pub(super) fn mask(&mut self) {
        for entry in &mut self.0 {
            entry.insert(Entry::MASKED);
        }
    }

    /// The vector of `source`; `None` if it is masked.
    pub(super) fn vector(&self, source: Source) -> Option<u8> {
        let entry = self.entry(source as usize);
        let [vector, ..] = entry.bits().to_le_bytes();
        (!entry.contains(Entry::MASKED)).then_some(vector)
    }

    /// How the guest wants its timer to count.
    pub(super) fn timer_mode(&self) -> Mode {
        let periodic = self.entry(Source::Timer as usize).contains(Entry::PERIODIC);
        if periodic { Mode::Periodic } else { Mode::OneShot }
    }

    /// Entry `index`.
    fn entry(&self, index: usize) -> Entry {
        self.0.get(index).copied().unwrap_or(Entry::MASKED)
    }
}
