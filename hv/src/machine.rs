//! A virtual machine.

use core::fmt;

use arch::exit::Stop;
use arch::{Platform, Vcpu};
use paging::mem::{Env, World};
use paging::pool::Pool;

use crate::device::Console;
use crate::phase::Phases;

/// The serial line that the hypervisor shares with its guest.
pub trait Line: fmt::Write {
    /// Prints one byte.
    fn put(&mut self, byte: u8);
    /// A byte that came in, if one did.
    fn take(&mut self) -> Option<u8>;
}

/// The guest's side of the line: it cannot print a record of ours.
pub struct GuestConsole<L> {
    /// The line itself.
    pub line: L,
}

impl<L: Line> Console for GuestConsole<L> {
    fn put(&mut self, byte: u8) {
        self.line.put(if byte == hv_abi::record::MARK { b'?' } else { byte });
    }
}

/// Why a guest is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It ended itself, with this status.
    Exit(u8),
    /// It turned its machine off.
    Off,
    /// A person or the build tool asked for it.
    Asked,
    /// It did what the hypervisor cannot do.
    Killed(Stop),
}

/// What the paging mode works with.
pub struct Shared<E: Env> {
    /// Tables and guest RAM.
    pub memory: E::Memory,
    /// Free frames for tables.
    pub pool: Pool,
    /// What remembers translations.
    pub tlb: E::Tlb,
    /// The instrument, in a place of its own: with a distribution for each event it is too large for the
    /// stack, all the more while a machine is made, when the compiler may keep several copies of one.
    pub probe: &'static mut E::Probe,
}

impl<E: Env> Shared<E> {
    /// Everything in one bundle.
    #[inline]
    pub const fn world(&mut self) -> World<'_, E> {
        World { memory: &self.memory, pool: &mut self.pool, tlb: &mut self.tlb, probe: self.probe }
    }
}

/// A virtual machine with one CPU, whose devices are `B` and whose serial line is `L`.
pub struct Machine<P: Platform, B, L> {
    /// Its CPU.
    pub vcpu: P::Vcpu,
    /// That CPU's MMU.
    pub mmu: P::Mmu,
    /// What the MMU works with.
    pub shared: Shared<P::Env>,
    /// Its devices.
    pub board: B,
    /// The interrupts of the machine under it.
    pub interrupts: P::Interrupts,
    /// Where its console prints.
    pub console: GuestConsole<L>,
    /// What it is doing, in its own words.
    pub phases: Phases,
}

impl<P: Platform, B, L: Line> Machine<P, B, L> {
    /// Where the guest is, as `key=value` pairs.
    ///
    /// # Errors
    ///
    /// Those of `to`.
    pub fn describe(&self, to: &mut impl fmt::Write) -> fmt::Result {
        self.vcpu.describe(to)
    }
}
