//! The loop: enter the guest, see why it was left, do what that calls for.

use arch::exit::{Exit, MemoryExit, Port, Stop};
use arch::{Mmu, Platform, Register, Vcpu};
use hv_abi::record;
use paging::addr::Gpa;
use paging::fault::{GuestFault, Verdict};
use paging::mem::Env;
use probe::{Event, Probe};

use crate::device::{Board, Width};
use crate::machine::{End, Line, Machine};

/// The most bytes that a machine may have. The stack is eight times as large: whoever makes a machine
/// moves it, and how many copies are on the stack meanwhile is up to the compiler.
const ON_STACK: usize = 8 << 10;

impl<P: Platform, B: Board<P>, L: Line> Machine<P, B, L> {
    /// Runs the guest until it is over.
    ///
    /// A function of its own: within its caller, which holds the machine on its stack, fields would
    /// be too far away for the offsets of loads and stores.
    #[inline(never)]
    pub fn run(&mut self) -> End {
        const { assert!(size_of::<Self>() <= ON_STACK, "a machine is too large for the stack") };
        loop {
            let stamp = self.vcpu.enter::<<P::Env as Env>::Probe>();
            let span = self.shared.probe.enter(stamp);
            let (event, end) = self.handle();
            if let Some(end) = end {
                self.shared.probe.stop(event, span);
                return end;
            }
            self.board.flush(&mut self.interrupts, &mut self.vcpu);
            self.shared.probe.stop(event, span);
        }
    }

    /// Does what the exit at hand calls for.
    #[inline(always)]
    fn handle(&mut self) -> (Event, Option<End>) {
        match self.mmu.exit(&mut self.shared.world(), &mut self.vcpu) {
            Exit::Hypercall => {
                self.vcpu.leave_call();
                (Event::ExitHypercall, self.hypercall())
            }
            Exit::Memory(exit) => {
                let event = if exit.fetch { Event::ExitInstruction } else { Event::ExitData };
                (event, self.memory(&exit).err().map(End::Killed))
            }
            Exit::Register(event) => (event, self.register().err().map(End::Killed)),
            Exit::Port(port) => (Event::ExitPort, self.port(&port)),
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
                (Event::ExitIdle, self.idle())
            }
            Exit::Window => (Event::ExitWindow, None),
            Exit::Error => (Event::ExitOther, Some(End::Killed(Stop::SystemError))),
            Exit::Shutdown => (Event::ExitOther, Some(End::Killed(Stop::TripleFault))),
            Exit::Unknown => (Event::ExitOther, Some(End::Killed(Stop::UnknownExit))),
        }
    }

    /// A memory access that our tables did not allow.
    #[inline]
    fn memory(&mut self, exit: &MemoryExit) -> Result<(), Stop> {
        let board = &self.board;
        let is_device = |at: Gpa| board.contains(at);
        let world = &mut self.shared.world();
        match self.mmu.fault(world, &mut self.vcpu, exit, is_device)? {
            Verdict::Resume => Ok(()),
            Verdict::Reflect(fault) => {
                self.reflect(fault, exit);
                Ok(())
            }
            Verdict::Device(at) => self.device(at, exit),
            Verdict::Store(at) => self.mmu.store(world, &mut self.vcpu, exit, at),
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
        let transfer = self.mmu.transfer(&mut self.shared.world(), &mut self.vcpu, exit)?;
        let span = self.shared.probe.start();
        let width = Width::from_log2(transfer.width);
        if transfer.read {
            let value = self.board.read(at, width, &mut self.interrupts);
            self.vcpu.load(&transfer, value);
        }
        if transfer.write {
            let value = self.vcpu.stored(&transfer);
            self.board.write(at, width, value, &mut self.interrupts, &mut self.console);
        }
        self.vcpu.skip();
        self.shared.probe.stop(Event::EmulateMmio, span);
        Ok(())
    }

    /// An access to an I/O port.
    fn port(&mut self, port: &Port) -> Option<End> {
        let Some(transfer) = port.transfer else { return Some(End::Killed(Stop::StringPort)) };
        let span = self.shared.probe.start();
        let width = Width::from_log2(transfer.width);
        let end = if transfer.write {
            let value = self.vcpu.stored(&transfer);
            self.board.write_port(port.number, width, value, &mut self.console)
        } else {
            let value = self.board.read_port(port.number, width);
            self.vcpu.load(&transfer, value);
            None
        };
        self.vcpu.skip();
        self.shared.probe.stop(Event::EmulatePort, span);
        end
    }

    /// The guest has nothing to do until an interrupt.
    fn idle(&mut self) -> Option<End> {
        while self.board.wait(&mut self.interrupts, &self.vcpu) {
            if let Some(end) = self.interrupt() {
                return Some(end);
            }
        }
        None
    }

    /// An access to a system register that is not the guest's own.
    fn register(&mut self) -> Result<(), Stop> {
        let span = self.shared.probe.start();
        let done = self.mmu.register(&mut self.shared.world(), &mut self.vcpu);
        match done {
            Ok(Register::Done) => self.vcpu.skip(),
            Ok(Register::Generate(value, group)) => {
                self.board.generate(value, group);
                self.vcpu.skip();
            }
            Ok(Register::WritePriority(class)) => {
                self.board.set_task_priority(class);
                self.vcpu.skip();
            }
            Ok(Register::ReadPriority(number)) => {
                self.vcpu.answer(number, self.board.task_priority().into());
                self.vcpu.skip();
            }
            Ok(Register::Undefined) => self.vcpu.undefined(),
            Ok(Register::Refused) | Err(_) => {}
        }
        self.shared.probe.stop(Event::EmulateRegister, span);
        done.map(|_| ())
    }

    /// An interrupt of the machine under the guest.
    fn interrupt(&mut self) -> Option<End> {
        let span = self.shared.probe.start();
        let ours = self.board.interrupt(&mut self.interrupts);
        let end = ours.and_then(|number| {
            let end = self.serial();
            self.board.handled(&mut self.interrupts, number);
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
            self.board.receive(byte);
        }
        None
    }
}
