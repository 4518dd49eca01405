//! The seam between the hypervisor and a processor.
//!
//! What a hypervisor asks of a processor and of its MMU is said here by the side that asks; an
//! architecture implements it. Nothing here knows an instruction.
#![no_std]
#![forbid(unsafe_code)]

pub mod apic;
pub mod clock;
pub mod exit;
pub mod host;
pub mod irq;

use core::fmt;

use exit::{Exit, MemoryExit, Stop, Transfer};
use paging::addr::Gpa;
use paging::fault::{GuestFault, Verdict};
use paging::mem::{Env, World};
use probe::Probe;

/// The types of one machine: a processor, a way to virtualize its MMU, and what both work with.
///
/// The world of page tables is a type of its own, so that two kinds of virtualization hardware in one
/// image share the code of the paging mode.
pub trait Platform: Sized {
    /// Memory, TLB and probe.
    type Env: Env;
    /// A virtual CPU.
    type Vcpu: Vcpu;
    /// How its MMU is virtualized.
    type Mmu: Mmu<Self>;
    /// The interrupt hardware.
    type Interrupts;
}

/// A virtual CPU, which lives on one physical CPU.
///
/// Between an exit and the next entry its registers are here; what the architecture lets a guest
/// keep in the hardware meanwhile, stays there.
pub trait Vcpu {
    /// Runs the guest until something needs the hypervisor. Returns the probe's clock at the first
    /// instruction after the trap, or 0 where the probe does not want it.
    fn enter<P: Probe>(&mut self) -> u64;

    /// The register that carries a hypercall's argument `number`; 0 is the function id. 0 to 3.
    fn argument(&self, number: usize) -> u64;
    /// Sets result `number` of the hypercall at hand, 0 to 3.
    fn set_result(&mut self, number: usize, value: u64);

    /// Moves on behind the hypercall at hand, where the hardware has not done so.
    fn leave_call(&mut self) {}
    /// Whether privileged software made the hypercall at hand. Where other software cannot, so it is.
    fn is_privileged(&self) -> bool {
        true
    }

    /// The value that the store at hand moves.
    fn stored(&self, transfer: &Transfer) -> u64;
    /// Completes the load at hand with `value`, extended as it asks.
    fn load(&mut self, transfer: &Transfer, value: u64);
    /// Sets the general-purpose register `number`, where an access to a system register asks for that.
    fn answer(&mut self, _number: u8, _value: u64) {}
    /// Moves on behind the instruction at hand.
    fn skip(&mut self);

    /// Gives the guest the fault that the access at hand meets.
    fn reflect(&mut self, fault: GuestFault, exit: &MemoryExit);
    /// Gives the guest the exception of an undefined instruction.
    fn undefined(&mut self);

    /// Writes the registers that tell where the guest is, as `key=value` pairs.
    ///
    /// # Errors
    ///
    /// Those of `to`.
    fn describe(&self, to: &mut impl fmt::Write) -> fmt::Result;
}

/// What became of an access to a system register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// It is done.
    Done,
    /// It asks the interrupt controller for software interrupts of the group, by this value.
    Generate(u64, irq::Group),
    /// It writes the class of task priority, which the interrupt controller keeps.
    WritePriority(u8),
    /// It reads that class into this general-purpose register.
    ReadPriority(u8),
    /// There is no such register for this guest.
    Undefined,
    /// The guest has been given the exception that its access meets.
    Refused,
}

/// A virtualized MMU: nested or shadow.
pub trait Mmu<P: Platform> {
    /// The mode's name in the report.
    const NAME: &'static str;

    /// Why `vcpu` was left.
    fn exit(&mut self, world: &mut World<'_, P::Env>, vcpu: &mut P::Vcpu) -> Exit;

    /// What is to be done about a memory access that our tables did not allow. `is_device` tells
    /// where a device is.
    ///
    /// # Errors
    ///
    /// The reason for which the guest has to be stopped.
    fn fault(
        &mut self,
        world: &mut World<'_, P::Env>,
        vcpu: &mut P::Vcpu,
        exit: &MemoryExit,
        is_device: impl FnOnce(Gpa) -> bool,
    ) -> Result<Verdict, Stop>;

    /// Carries out the store at hand, to the guest table at `gpa`; or prepares that the guest does,
    /// and asks for a step.
    ///
    /// # Errors
    ///
    /// The reason for which the guest has to be stopped.
    fn store(
        &mut self,
        world: &mut World<'_, P::Env>,
        vcpu: &mut P::Vcpu,
        exit: &MemoryExit,
        gpa: Gpa,
    ) -> Result<(), Stop>;

    /// The step that [`store`](Self::store) asked for is over.
    ///
    /// # Errors
    ///
    /// The reason for which the guest has to be stopped.
    fn stepped(&mut self, world: &mut World<'_, P::Env>, vcpu: &mut P::Vcpu) -> Result<(), Stop>;

    /// Whether the guest may hand over stores to its tables: see [`update`](Self::update).
    fn takes_updates(&self) -> bool {
        false
    }

    /// Makes the guest's `stores` of 8 bytes in order, up to the first that is misaligned or not to RAM, and
    /// returns how many it made.
    ///
    /// # Errors
    ///
    /// The reason for which the guest has to be stopped.
    fn update(
        &mut self,
        _world: &mut World<'_, P::Env>,
        _stores: impl Iterator<Item = (Gpa, u64)>,
    ) -> Result<u64, Stop> {
        Ok(0)
    }

    /// Emulates the access to a system register at hand. The caller moves on behind it where it was
    /// made.
    ///
    /// # Errors
    ///
    /// The reason for which the guest has to be stopped.
    fn register(
        &mut self,
        world: &mut World<'_, P::Env>,
        vcpu: &mut P::Vcpu,
    ) -> Result<Register, Stop>;

    /// What the access to a device at hand moves.
    ///
    /// # Errors
    ///
    /// [`Stop::UndescribedAccess`] if nobody can tell.
    fn transfer(
        &mut self,
        world: &mut World<'_, P::Env>,
        vcpu: &mut P::Vcpu,
        exit: &MemoryExit,
    ) -> Result<Transfer, Stop>;

    /// Bytes of the records that the mode keeps of guest frames.
    fn record_bytes(&self) -> usize;
}
