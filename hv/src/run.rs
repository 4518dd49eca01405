//! The loop: enter the guest, see why it was left, do what that calls for.

use arch::exit::{Exit, MemoryExit, Stop};
use arch::irq::PhysicalInterrupts;
use arch::{Mmu, Platform, Register, Vcpu};
use hv_abi::record;
use paging::addr::Gpa;
use paging::fault::{GuestFault, Verdict};
use probe::{Event, Probe};

use crate::device::Width;
use crate::machine::{End, Line, Machine};

impl<P: Platform, L: Line> Machine<P, L> {
    /// Runs the guest until it is over.
    ///
    /// A function of its own: within its caller, which holds the machine on its stack, fields would
    /// be too far away for the offsets of loads and stores.
    #[inline(never)]
    pub fn run(&mut self) -> End {
        loop {
            let stamp = self.vcpu.enter::<P::Probe>();
            let span = self.shared.probe.enter(stamp);
            let (event, end) = self.handle();
            self.bus.gic.flush(&mut self.interrupts);
            self.shared.probe.stop(event, span);
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Does what the exit at hand calls for.
    #[inline(always)]
    fn handle(&mut self) -> (Event, Option<End>) {
        match self.mmu.exit(&self.vcpu) {
            Exit::Hypercall => (Event::ExitHypercall, self.hypercall()),
            Exit::Memory(exit) => {
                let event = if exit.fetch { Event::ExitInstruction } else { Event::ExitData };
                (event, self.memory(&exit).err().map(End::Killed))
            }
            Exit::Register => (Event::ExitRegister, self.register().err().map(End::Killed)),
            Exit::Interrupt => (Event::ExitInterrupt, self.interrupt()),
            Exit::Step => {
                let done = self.mmu.stepped(&mut self.shared.world(), &mut self.vcpu);
                (Event::ExitStep, done.err().map(End::Killed))
            }
            Exit::Firmware => {
                self.vcpu.set_result(0, hv_abi::call::NOT_SUPPORTED);
                self.vcpu.skip();
                (Event::ExitSmc, None)
            }
            Exit::Idle => {
                self.vcpu.skip();
                (Event::ExitIdle, None)
            }
            Exit::Error => (Event::ExitOther, Some(End::Killed(Stop::SystemError))),
            Exit::Unknown => (Event::ExitOther, Some(End::Killed(Stop::UnknownExit))),
        }
    }

    /// A memory access that our tables did not allow.
    #[inline]
    fn memory(&mut self, exit: &MemoryExit) -> Result<(), Stop> {
        let bus = &self.bus;
        let is_device = |at: Gpa| bus.contains(at);
        match self.mmu.fault(&mut self.shared.world(), exit, is_device)? {
            Verdict::Resume => Ok(()),
            Verdict::Reflect(fault) => {
                self.reflect(fault, exit);
                Ok(())
            }
            Verdict::Device(at) => self.device(at, exit),
            Verdict::Store(at) => {
                self.mmu.store(&mut self.shared.world(), &mut self.vcpu, exit, at)
            }
        }
    }

    /// Gives the guest the fault that its own access meets.
    fn reflect(&mut self, fault: GuestFault, exit: &MemoryExit) {
        self.shared.probe.count(Event::Reflected, 1);
        self.vcpu.reflect(fault, exit);
    }

    /// An access to a device.
    #[inline]
    fn device(&mut self, at: Gpa, exit: &MemoryExit) -> Result<(), Stop> {
        if exit.maintenance {
            // Devices are not cached.
            self.vcpu.skip();
            return Ok(());
        }
        if exit.fetch {
            self.reflect(GuestFault::Abort, exit);
            return Ok(());
        }
        let transfer = exit.transfer.ok_or(Stop::UndescribedAccess)?;
        let span = self.shared.probe.start();
        let width = Width::from_log2(transfer.width);
        if transfer.write {
            let value = self.vcpu.stored(&transfer);
            let (cpu, console) = (&mut self.interrupts, &mut self.console);
            // There is a device: the MMU's verdict says so.
            let _ = self.bus.write(at, width, value, cpu, console);
        } else if let Some(value) = self.bus.read(at, width, &self.interrupts) {
            self.vcpu.load(&transfer, value);
        }
        self.vcpu.skip();
        self.shared.probe.stop(Event::EmulateMmio, span);
        Ok(())
    }

    /// An access to a system register that is not the guest's own.
    fn register(&mut self) -> Result<(), Stop> {
        let span = self.shared.probe.start();
        let done = self.mmu.register(&mut self.shared.world(), &mut self.vcpu);
        match done {
            Ok(Register::Generate(value, group)) => self.bus.gic.generate(value, group),
            Ok(Register::Undefined) => self.vcpu.undefined(),
            Ok(Register::Done) | Err(_) => {}
        }
        self.shared.probe.stop(Event::EmulateRegister, span);
        done.map(|_| ())
    }

    /// An interrupt of the machine under the guest.
    fn interrupt(&mut self) -> Option<End> {
        let span = self.shared.probe.start();
        let ours = self.bus.interrupt(&mut self.interrupts);
        let end = ours.and_then(|intid| {
            let end = self.serial();
            self.interrupts.deactivate(intid);
            end
        });
        self.shared.probe.stop(Event::HandleInterrupt, span);
        end
    }

    /// Bytes came in on the serial line.
    fn serial(&mut self) -> Option<End> {
        while let Some(byte) = self.console.line.take() {
            if byte == record::STOP {
                return Some(End::Asked);
            }
            self.bus.receive(byte);
        }
        None
    }
}
