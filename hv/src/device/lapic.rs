//! Local APIC: the guest's interrupt controller on a PC.
//!
//! Intel SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)": an xAPIC, as version
//! [`VERSION`], of a machine with one CPU and no I/O APIC. What can interrupt is its timer, its
//! errors, and IPIs to itself; all of that is edge-triggered, so TMR stays zero. Nothing is connected
//! to LINT0 and LINT1, to the performance counters or the thermal sensor.
//!
//! # From request to service
//!
//! An interrupt sets its vector's bit in IRR. It can be delivered when its priority class, the upper
//! half of the vector, is above the processor's, which is the higher of TPR's and of the highest vector
//! in service. Nothing is decided at the moment of an event: what may let an interrupt through sets
//! `attention`, and [`Lapic::flush`], before the next entry, moves the highest such vector from IRR to
//! ISR and gives it to the guest. If the guest cannot take it just then, an exit is asked for when it
//! can. When nothing happened `flush` is one test.
//!
//! Delivery is one step here, so nothing can be withdrawn in its midst, and the guest never sees its
//! spurious vector.
//!
//! # What is simplified
//!
//! The APIC ID is 0 and cannot be written. NMI, INIT, SMI and start-up IPIs go nowhere, to the one CPU
//! itself too. The mode of the timer's entry, when it changes while the timer counts, holds from the
//! next time on.

mod command;
mod local;
mod register;
mod timer;
mod vectors;

use arch::apic::{HostApic, Injection};
use bitflags::bitflags;

use local::{Source, Table};
use timer::Timer;
use vectors::Vectors;

/// The version register: an integrated APIC, whose local vector table's last entry is number 5.
pub const VERSION: u32 = 0x14 | 5 << 16;

/// Vectors below this are the processor's own.
const FIRST_LEGAL: u8 = 16;

bitflags! {
    /// The spurious-interrupt vector register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Spurious: u32 {
        /// Which vector.
        const VECTOR = 0xff;
        /// The APIC is on.
        const ENABLE = 1 << 8;
        /// Focus processor checking is off.
        const NO_FOCUS = 1 << 9;
    }
}

bitflags! {
    /// The error status register.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Errors: u32 {
        /// An IPI had a vector below 16.
        const SEND_ILLEGAL_VECTOR = 1 << 5;
        /// An entry of the local vector table had one.
        const RECEIVE_ILLEGAL_VECTOR = 1 << 6;
        /// A register was accessed that does not exist.
        const ILLEGAL_REGISTER = 1 << 7;
    }
}

/// One CPU's local APIC.
#[derive(Debug)]
pub struct Lapic {
    /// Whether an interrupt may be deliverable, or an exit asked for in vain.
    attention: bool,
    /// Whether an exit was asked for when the guest can take an interrupt.
    window: bool,
    /// IRR.
    requested: Vectors,
    /// ISR.
    in_service: Vectors,
    /// TPR.
    task_priority: u8,
    /// LDR.
    logical: u32,
    /// DFR.
    format: u32,
    /// SVR.
    spurious: Spurious,
    /// ESR, as the last write to it left it.
    errors: Errors,
    /// The errors since.
    new_errors: Errors,
    /// ICR, the lower half first.
    command: [u32; 2],
    /// The local vector table.
    local: Table,
    /// The timer.
    timer: Timer,
}

impl Lapic {
    /// An APIC after reset: off.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            attention: false,
            window: false,
            requested: Vectors::NONE,
            in_service: Vectors::NONE,
            task_priority: 0,
            logical: 0,
            format: register::DFR_RESET,
            spurious: Spurious::VECTOR,
            errors: Errors::empty(),
            new_errors: Errors::empty(),
            command: [0; 2],
            local: Table::NEW,
            timer: Timer::NEW,
        }
    }

    /// Gives the guest what is to be delivered. To be called before each entry of the guest.
    #[inline]
    pub fn flush(&mut self, vcpu: &mut impl Injection) {
        if self.attention {
            self.deliver(vcpu);
        }
    }

    /// Whether an interrupt could be delivered to a guest that takes interrupts.
    #[must_use]
    #[inline]
    pub fn is_deliverable(&self) -> bool {
        self.deliverable().is_some()
    }

    /// The physical timer interrupted.
    pub fn timer_fired(&mut self, cpu: &mut impl HostApic) {
        self.signal(Source::Timer);
        self.timer.fired(self.local.timer_mode(), cpu);
    }

    /// TPR.
    #[must_use]
    pub const fn task_priority(&self) -> u8 {
        self.task_priority
    }

    /// Writes TPR.
    pub const fn set_task_priority(&mut self, value: u8) {
        self.task_priority = value;
        self.attention = true;
    }

    /// PPR: TPR, or the class of what is in service if that is higher ("Task and Processor
    /// Priorities").
    fn processor_priority(&self) -> u8 {
        let served = class(self.in_service.highest().unwrap_or_default());
        if class(self.task_priority) >= served { self.task_priority } else { served }
    }

    /// The highest vector in IRR, if its class is above the processor's.
    fn deliverable(&self) -> Option<u8> {
        let vector = self.requested.highest()?;
        (class(vector) > class(self.processor_priority())).then_some(vector)
    }

    /// Hands the next interrupt to the guest, or asks for an exit when it can be handed.
    #[inline(never)]
    fn deliver(&mut self, vcpu: &mut impl Injection) {
        let next = self.deliverable();
        let ready = vcpu.takes_interrupts();
        if let Some(vector) = next.filter(|_| ready) {
            self.requested.remove(vector);
            self.in_service.insert(vector);
            vcpu.inject_interrupt(vector);
        }
        let waits = next.is_some() && !ready;
        self.attention = waits;
        vcpu.show_priority(self.task_priority >> 4);
        if waits || self.window {
            self.window = waits;
            vcpu.want_window(waits);
        }
    }

    /// EOI: what is in service with the highest priority has ended.
    fn end(&mut self) {
        if let Some(vector) = self.in_service.highest() {
            self.in_service.remove(vector);
            self.attention = true;
        }
    }

    /// Requests the interrupt `vector`, a legal one. An APIC that is off takes none.
    fn request(&mut self, vector: u8) {
        if self.is_on() {
            self.requested.insert(vector);
            self.attention = true;
        }
    }

    /// Something happened that the local vector table has an entry for.
    fn signal(&mut self, source: Source) {
        match self.local.vector(source) {
            Some(vector) if vector >= FIRST_LEGAL => self.request(vector),
            Some(_) => self.error(Errors::RECEIVE_ILLEGAL_VECTOR),
            None => {}
        }
    }

    /// An error is detected.
    fn error(&mut self, error: Errors) {
        self.new_errors |= error;
        match self.local.vector(Source::Error) {
            Some(vector) if vector >= FIRST_LEGAL => self.request(vector),
            Some(_) => self.new_errors |= Errors::RECEIVE_ILLEGAL_VECTOR,
            None => {}
        }
    }

    /// Writes SVR. Turning the APIC off masks the local vector table and leaves the rest ("Local APIC
    /// State After It Has Been Software Disabled").
    fn set_spurious(&mut self, value: u32) {
        self.spurious = Spurious::from_bits_truncate(value);
        if !self.is_on() {
            self.local.mask();
        }
    }

    /// Whether software has turned the APIC on.
    const fn is_on(&self) -> bool {
        self.spurious.contains(Spurious::ENABLE)
    }
}

impl Default for Lapic {
    fn default() -> Self {
        Self::new()
    }
}

/// A priority's class, in place.
const fn class(priority: u8) -> u8 {
    priority & 0xf0
}

#[cfg(test)]
pub(super) mod fake;
#[cfg(test)]
mod tests;
