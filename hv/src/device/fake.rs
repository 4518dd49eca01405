//! A processor's interrupt interface in memory, for tests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

use arch::irq::{Entry, ListRegisters, Origin, PhysicalInterrupts, State};

/// Four list registers, and what was asked of the physical controller.
#[derive(Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) entries: [Option<Entry>; 4],
    pub(crate) writes: usize,
    pub(crate) underflow: bool,
    pub(crate) physical_enabled: u32,
    pub(crate) deactivated: u64,
    pub(crate) arrived: Option<u32>,
}

impl Cpu {
    /// The guest takes the most urgent pending interrupt. Preemption is not modelled: the running
    /// priority is always idle.
    pub(crate) fn acknowledge(&mut self) -> Option<u32> {
        let entry = self
            .entries
            .iter_mut()
            .flatten()
            .filter(|entry| entry.state == State::Pending)
            .min_by_key(|entry| (entry.priority, entry.intid))?;
        entry.state = State::Active;
        Some(entry.intid)
    }

    /// The guest ends `intid`, as the processor does it.
    pub(crate) fn end(&mut self, intid: u32) {
        for slot in &mut self.entries {
            let Some(entry) = slot.as_mut().filter(|entry| entry.intid == intid) else { continue };
            match (entry.state, entry.origin) {
                (State::PendingAndActive, _) => entry.state = State::Pending,
                (State::Active, Origin::Physical(physical)) => {
                    self.deactivated |= 1 << physical;
                    *slot = None;
                }
                (State::Active, Origin::Software { notify: true }) => entry.state = State::Ended,
                (State::Active, Origin::Software { notify: false }) => *slot = None,
                (State::Pending | State::Ended, _) => panic!("{intid} is not active"),
            }
        }
    }

    /// Whether a maintenance interrupt is asserted.
    pub(crate) fn maintenance(&self) -> bool {
        let valid = self.entries.iter().flatten().filter(|e| e.state != State::Ended).count();
        let ended = self.entries.iter().flatten().any(|e| e.state == State::Ended);
        ended || self.underflow && valid <= 1
    }

    /// Checks what the contract of [`ListRegisters`] asks of the writer.
    pub(crate) fn check(&self) {
        let entries: std::vec::Vec<_> = self.entries.iter().flatten().collect();
        for (index, entry) in entries.iter().enumerate() {
            assert!(entries[..index].iter().all(|other| other.intid != entry.intid));
            let physical = matches!(entry.origin, Origin::Physical(_));
            assert!(!(physical && entry.state == State::PendingAndActive));
        }
    }
}

impl ListRegisters for Cpu {
    fn empty(&self) -> u32 {
        (0..4)
            .filter(|index| self.entries[*index].is_none())
            .fold(0, |bits, index| bits | 1 << index)
    }

    fn present(&self) -> u32 {
        0b1111
    }

    fn read(&self, index: u32) -> Entry {
        self.entries[index as usize].unwrap()
    }

    fn write(&mut self, index: u32, entry: Option<Entry>) {
        self.writes += 1;
        self.entries[index as usize] = entry;
        self.check();
    }

    fn notify_underflow(&mut self, wanted: bool) {
        self.underflow = wanted;
    }
}

impl PhysicalInterrupts for Cpu {
    const MAINTENANCE: u32 = 25;

    fn acknowledge(&mut self) -> Option<u32> {
        self.arrived.take()
    }

    fn set_enabled(&mut self, intid: u32, enabled: bool) {
        if enabled {
            self.physical_enabled |= 1 << intid;
        } else {
            self.physical_enabled &= !(1 << intid);
        }
    }

    fn deactivate(&mut self, intid: u32) {
        self.deactivated |= 1 << intid;
    }
}
