//! The devices of a PC: a local APIC, a serial port, and the port that ends the guest.
//!
//! They stand where every PC has them, so the bundle does not list them. There is no other: ports
//! and addresses at which nothing answers read as all ones and ignore writes, as on a bus.

use arch::Platform;
use arch::apic::{HostApic, Injection};
use hv_abi::pc;
use paging::addr::Gpa;

use super::lapic::Lapic;
use super::uart16550::{PORTS, Uart16550};
use super::{Board, Console, Width};
use crate::machine::End;

/// The devices of one machine.
#[derive(Debug, Default)]
pub struct Pc {
    /// The interrupt controller.
    lapic: Lapic,
    /// The console.
    serial: Uart16550,
}

impl Pc {
    /// A machine after reset.
    #[must_use]
    pub const fn new() -> Self {
        Self { lapic: Lapic::new(), serial: Uart16550::new() }
    }

    /// CR8: the class of TPR ("Task Priority in IA-32e Mode").
    #[must_use]
    pub const fn cr8(&self) -> u8 {
        self.lapic.task_priority() >> 4
    }

    /// Writes CR8, of which the low 4 bits count.
    pub const fn set_cr8(&mut self, value: u8) {
        self.lapic.set_task_priority(value << 4);
    }

    /// The offset in the local APIC's registers of what stands at `at`.
    #[inline]
    fn find(at: Gpa) -> Option<u64> {
        let offset = at.bits().wrapping_sub(pc::LOCAL_APIC);
        (offset < pc::LOCAL_APIC_SIZE).then_some(offset)
    }

    /// The guest reads at `at`.
    #[inline]
    pub fn load(&mut self, at: Gpa, width: Width, cpu: &impl HostApic) -> u64 {
        Self::find(at).map_or(width.mask(), |offset| self.lapic.read(offset, width, cpu))
    }

    /// The guest writes at `at`.
    #[inline]
    pub fn store(&mut self, at: Gpa, width: Width, value: u64, cpu: &mut impl HostApic) {
        if let Some(offset) = Self::find(at) {
            self.lapic.write(offset, width, value, cpu);
        }
    }

    /// The guest reads `port` and as many behind it as `width` says: the bus makes single bytes of it.
    pub fn input(&mut self, port: u16, width: Width) -> u64 {
        let mut value = width.mask();
        for (number, byte) in ports(port, width) {
            if let Some(offset) = register(number) {
                let read = u64::from(self.serial.read(offset) ^ u8::MAX);
                value ^= read.wrapping_shl(byte.wrapping_mul(u8::BITS));
            }
        }
        value
    }

    /// The guest writes to `port` and as many behind it as `width` says, or ends.
    pub fn output(
        &mut self,
        port: u16,
        width: Width,
        value: u64,
        console: &mut impl Console,
    ) -> Option<End> {
        if port == pc::DEBUG_EXIT {
            let [status, ..] = (value.wrapping_shl(1) | 1).to_le_bytes();
            return Some(End::Exit(status));
        }
        for ((number, _), byte) in ports(port, width).zip(value.to_le_bytes()) {
            if let Some(offset) = register(number) {
                self.serial.write(offset, byte, console);
            }
        }
        None
    }

    /// Takes a physical interrupt that is pending. The timer is the guest's; any other's vector is
    /// returned, for the caller to handle and then to end.
    #[inline]
    pub fn take<C: HostApic>(&mut self, cpu: &mut C) -> Option<u8> {
        let vector = cpu.acknowledge()?;
        if vector != C::TIMER {
            return Some(vector);
        }
        self.lapic.timer_fired(cpu);
        cpu.end(vector);
        None
    }

    /// Waits for a physical interrupt, unless the guest has one to take. Whether it waited.
    pub fn halt(&self, cpu: &mut impl HostApic, vcpu: &impl Injection) -> bool {
        let takes = vcpu.interrupts_enabled() && self.lapic.is_deliverable();
        let waits = !takes && !vcpu.has_event();
        if waits {
            cpu.wait();
        }
        waits
    }

    /// Gives the guest what is to be delivered.
    #[inline]
    pub fn deliver(&mut self, vcpu: &mut impl Injection) {
        self.lapic.flush(vcpu);
    }
}

/// The ports of an access, each with the byte's number in the value.
fn ports(first: u16, width: Width) -> impl Iterator<Item = (u16, u32)> {
    (first..=u16::MAX).zip(0..).take(width.bytes())
}

/// The serial port's register at a port.
fn register(port: u16) -> Option<u16> {
    let offset = port.wrapping_sub(pc::SERIAL);
    (offset < PORTS).then_some(offset)
}

impl<P> Board<P> for Pc
where
    P: Platform<Interrupts: HostApic, Vcpu: Injection>,
{
    #[inline]
    fn contains(&self, at: Gpa) -> bool {
        Self::find(at).is_some()
    }

    #[inline]
    fn read(&mut self, at: Gpa, width: Width, cpu: &mut P::Interrupts) -> u64 {
        self.load(at, width, cpu)
    }

    #[inline]
    fn write(
        &mut self,
        at: Gpa,
        width: Width,
        value: u64,
        cpu: &mut P::Interrupts,
        _console: &mut impl Console,
    ) {
        self.store(at, width, value, cpu);
    }

    fn read_port(&mut self, port: u16, width: Width) -> u64 {
        self.input(port, width)
    }

    fn write_port(
        &mut self,
        port: u16,
        width: Width,
        value: u64,
        console: &mut impl Console,
    ) -> Option<End> {
        self.output(port, width, value, console)
    }

    #[inline]
    fn interrupt(&mut self, cpu: &mut P::Interrupts) -> Option<u32> {
        self.take(cpu).map(u32::from)
    }

    fn handled(&mut self, cpu: &mut P::Interrupts, number: u32) {
        let [vector, ..] = number.to_le_bytes();
        cpu.end(vector);
    }

    fn receive(&mut self, byte: u8) {
        self.serial.receive(byte);
    }

    fn task_priority(&self) -> u8 {
        self.cr8()
    }

    fn set_task_priority(&mut self, class: u8) {
        self.set_cr8(class);
    }

    #[inline]
    fn flush(&mut self, _cpu: &mut P::Interrupts, vcpu: &mut P::Vcpu) {
        self.deliver(vcpu);
    }

    fn wait(&mut self, cpu: &mut P::Interrupts, vcpu: &P::Vcpu) -> bool {
        self.halt(cpu, vcpu)
    }
}

#[cfg(test)]
mod tests;
