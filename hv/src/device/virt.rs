//! The devices of an Arm machine, as QEMU's `virt` has them: a GICv3 and a PL011.
//!
//! The bundle says where their registers are: windows of guest-physical addresses, over which
//! finding a device is a scan.

use arch::Platform;
use arch::irq::{Group, ListRegisters, PhysicalInterrupts};
use hv_abi::bundle;
use paging::addr::Gpa;

use crate::device::gicv3::{self, Frame, Gic};
use crate::device::pl011::Pl011;
use crate::device::{Board, Console, Width};
use crate::psci;

/// Why a machine's devices cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusError {
    /// The bundle names a device of a kind that does not exist.
    UnknownKind(u32),
    /// There may be only one device of this kind.
    Duplicate(u32),
    /// More devices than [`bundle::MAX_DEVICES`].
    TooMany,
    /// A device's interrupt is not a shared peripheral interrupt that the controller has.
    BadInterrupt(u32),
    /// A device's registers end beyond the last address, or there are none.
    BadWindow(u64),
}

/// What answers in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Part of the interrupt controller.
    Gic(Frame),
    /// The console.
    Uart,
}

/// A range of guest-physical addresses and what answers there.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// The first address.
    base: u64,
    /// How many bytes.
    size: u64,
    /// What answers.
    target: Target,
}

impl Window {
    /// No address at all.
    const NONE: Self = Self { base: 0, size: 0, target: Target::Uart };
}

/// The devices of one machine.
#[derive(Debug)]
pub struct Virt {
    /// Where the devices are. Unused windows are empty and match nothing.
    windows: [Window; bundle::MAX_DEVICES],
    /// How many windows are in use.
    used: usize,
    /// The interrupt controller.
    pub gic: Gic,
    /// The console.
    uart: Pl011,
    /// The console's interrupt; 0 if it has none.
    uart_interrupt: u32,
}

impl Virt {
    /// A machine with `devices`.
    ///
    /// # Errors
    ///
    /// What is wrong with the list.
    pub fn new(devices: &[bundle::Device]) -> Result<Self, BusError> {
        let mut bus = Self {
            windows: [Window::NONE; bundle::MAX_DEVICES],
            used: 0,
            gic: Gic::new(),
            uart: Pl011::new(),
            uart_interrupt: 0,
        };
        for device in devices {
            bus.add(device)?;
        }
        Ok(bus)
    }

    /// Adds one device.
    fn add(&mut self, device: &bundle::Device) -> Result<(), BusError> {
        let target = match device.kind {
            bundle::DEVICE_PL011 => Target::Uart,
            bundle::DEVICE_GICV3_DISTRIBUTOR => Target::Gic(Frame::Distributor),
            bundle::DEVICE_GICV3_REDISTRIBUTOR => Target::Gic(Frame::Redistributor),
            unknown => return Err(BusError::UnknownKind(unknown)),
        };
        if self.windows().iter().any(|window| window.target == target) {
            return Err(BusError::Duplicate(device.kind));
        }
        if device.size == 0 || device.base.checked_add(device.size).is_none() {
            return Err(BusError::BadWindow(device.base));
        }
        if target == Target::Uart {
            if device.interrupt != 0 && !gicv3::is_shared(device.interrupt) {
                return Err(BusError::BadInterrupt(device.interrupt));
            }
            self.uart_interrupt = device.interrupt;
        }
        let window = self.windows.get_mut(self.used).ok_or(BusError::TooMany)?;
        *window = Window { base: device.base, size: device.size, target };
        self.used = self.used.saturating_add(1);
        Ok(())
    }

    /// The windows in use.
    fn windows(&self) -> &[Window] {
        self.windows.get(..self.used).unwrap_or(&[])
    }

    /// What answers at `gpa`, and the offset there.
    #[inline]
    fn find(&self, gpa: Gpa) -> Option<(Target, u64)> {
        self.windows().iter().find_map(|window| {
            let offset = gpa.bits().wrapping_sub(window.base);
            (offset < window.size).then_some((window.target, offset))
        })
    }

    /// Whether a device answers at `gpa`.
    #[must_use]
    pub fn contains(&self, gpa: Gpa) -> bool {
        self.find(gpa).is_some()
    }

    /// The guest reads. `None` if no device answers at `gpa`; otherwise the value, zero-extended.
    #[inline]
    pub fn load(&mut self, gpa: Gpa, width: Width, lists: &impl ListRegisters) -> Option<u64> {
        let (target, offset) = self.find(gpa)?;
        Some(match target {
            Target::Gic(frame) => self.gic.read(frame, offset, width, lists),
            Target::Uart => {
                let value = self.uart.read(offset, width);
                self.sample_uart();
                value
            }
        })
    }

    /// The guest writes; bits of `value` beyond `width` do not matter. `None` if no device answers
    /// at `gpa`.
    #[inline]
    pub fn store(
        &mut self,
        gpa: Gpa,
        width: Width,
        value: u64,
        cpu: &mut (impl ListRegisters + PhysicalInterrupts),
        console: &mut impl Console,
    ) -> Option<()> {
        let (target, offset) = self.find(gpa)?;
        match target {
            Target::Gic(frame) => self.gic.write(frame, offset, width, value, cpu),
            Target::Uart => {
                self.uart.write(offset, width, value, console);
                self.sample_uart();
            }
        }
        Some(())
    }

    /// A physical interrupt is pending: takes it. The guest's timers go to the guest, and what list
    /// registers tell is heard at the next flush. Any other is returned, for the caller to handle
    /// and then deactivate.
    #[inline]
    pub fn take<C: ListRegisters + PhysicalInterrupts>(&mut self, cpu: &mut C) -> Option<u32> {
        let intid = cpu.acknowledge()?;
        if intid == C::MAINTENANCE {
            self.gic.sync();
            self.gic.flush(cpu);
            cpu.deactivate(intid);
            return None;
        }
        (!self.gic.physical(intid, cpu)).then_some(intid)
    }

    /// A byte arrives on the console's line. Whether it was taken; it is lost otherwise, and the
    /// guest sees an overrun.
    pub fn arrive(&mut self, byte: u8) -> bool {
        let taken = self.uart.receive(byte);
        self.sample_uart();
        taken
    }

    /// Gives the console's interrupt line to the interrupt controller.
    #[inline]
    fn sample_uart(&mut self) {
        if self.uart_interrupt != 0 {
            self.gic.set_line(self.uart_interrupt, self.uart.interrupt());
        }
    }
}

impl<P> Board<P> for Virt
where
    P: Platform<Interrupts: ListRegisters + PhysicalInterrupts>,
{
    #[inline]
    fn contains(&self, at: Gpa) -> bool {
        self.find(at).is_some()
    }

    #[inline]
    fn read(&mut self, at: Gpa, width: Width, cpu: &mut P::Interrupts) -> u64 {
        self.load(at, width, cpu).unwrap_or_default()
    }

    #[inline]
    fn write(
        &mut self,
        at: Gpa,
        width: Width,
        value: u64,
        cpu: &mut P::Interrupts,
        console: &mut impl Console,
    ) {
        // There is a device: the MMU's verdict says so.
        let _ = self.store(at, width, value, cpu, console);
    }

    #[inline]
    fn interrupt(&mut self, cpu: &mut P::Interrupts) -> Option<u32> {
        self.take(cpu)
    }

    fn handled(&mut self, cpu: &mut P::Interrupts, number: u32) {
        cpu.deactivate(number);
    }

    fn receive(&mut self, byte: u8) {
        self.arrive(byte);
    }

    fn generate(&mut self, value: u64, group: Group) {
        self.gic.generate(value, group);
    }

    fn firmware(&self, id: u64, argument: u64) -> Option<psci::Outcome> {
        psci::call(id, argument)
    }

    #[inline]
    fn flush(&mut self, cpu: &mut P::Interrupts, _vcpu: &mut P::Vcpu) {
        self.gic.flush(cpu);
    }
}

#[cfg(test)]
mod tests;
