//! The timer: the machine's own, lent to the guest.
//!
//! The physical timer counts with the guest's count and divisor, so it ticks as the machine's does.
//! What the guest may change while it counts is looked at when it next counts anew.

use arch::apic::{Divide, HostApic, Mode};

/// The least period, in ticks of the undivided bus clock. A guest that asks for less would spend its
/// life in exits.
const MIN_PERIOD: u32 = 4096;

/// The registers of the timer, beside its entry in the local vector table.
#[derive(Debug)]
pub(super) struct Timer {
    /// The initial count; 0 stops it.
    initial: u32,
    /// By how much the bus clock is divided.
    divide: Divide,
    /// How the physical timer counts for us, if it does.
    counting: Option<Mode>,
}

impl Timer {
    /// After reset.
    pub(super) const NEW: Self = Self { initial: 0, divide: Divide::By2, counting: None };

    /// The initial count register.
    pub(super) const fn initial(&self) -> u32 {
        self.initial
    }

    /// The current count register.
    pub(super) fn current(&self, cpu: &impl HostApic) -> u32 {
        if self.counting.is_some() { cpu.remaining().min(self.initial) } else { 0 }
    }

    /// The divide configuration register.
    pub(super) const fn divide(&self) -> u32 {
        self.divide as u32
    }

    /// Writes the initial count register, which starts the timer, or stops it.
    pub(super) fn start(&mut self, count: u32, mode: Mode, cpu: &mut impl HostApic) {
        self.initial = count;
        self.run(count, mode, cpu);
    }

    /// Writes the divide configuration register. What is left to count, goes on.
    pub(super) fn set_divide(&mut self, value: u32, cpu: &mut impl HostApic) {
        let divide = Divide::from_register(value);
        if divide == self.divide {
            return;
        }
        self.divide = divide;
        match self.counting {
            Some(Mode::Periodic) => self.run(self.initial, Mode::Periodic, cpu),
            Some(Mode::OneShot) => self.run(cpu.remaining(), Mode::OneShot, cpu),
            None => {}
        }
    }

    /// The count reached zero; the guest wants it to go on by `mode`.
    pub(super) fn fired(&mut self, mode: Mode, cpu: &mut impl HostApic) {
        match (self.counting, mode) {
            (Some(Mode::Periodic), Mode::OneShot) => self.stop(cpu),
            (Some(Mode::OneShot), Mode::Periodic) => self.run(self.initial, mode, cpu),
            (Some(Mode::OneShot), Mode::OneShot)
            | (Some(Mode::Periodic), Mode::Periodic)
            | (None, _) => {}
        }
    }

    /// Has the physical timer count.
    fn run(&mut self, count: u32, mode: Mode, cpu: &mut impl HostApic) {
        if count == 0 {
            self.stop(cpu);
            return;
        }
        let least = match mode {
            Mode::OneShot => 1,
            Mode::Periodic => MIN_PERIOD.wrapping_shr(self.divide.log2()),
        };
        cpu.start_timer(count.max(least), self.divide, mode);
        self.counting = Some(mode);
    }

    /// Stops the physical timer.
    fn stop(&mut self, cpu: &mut impl HostApic) {
        if self.counting.take().is_some() {
            cpu.stop_timer();
        }
    }
}
