//! Emulated devices: what a guest finds behind the addresses that are not memory.
//!
//! A [`Board`] holds one machine's devices: [`virt::Virt`] those of Arm machines, [`pc::Pc`] those of
//! a PC. An access is an address, a [`Width`] and perhaps a value. The set of devices of a board is
//! closed, so finding one is a few comparisons and reaching its register is a `match`: no
//! allocation, no table of functions, and nothing that the optimizer cannot look through.
//!
//! Accesses are the guest's and may be anything. A register that does not exist, or is accessed in a
//! width that it does not support, reads as zero and ignores writes, as the manuals allow
//! ("Register access", Arm IHI 0069) and as most hardware does.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

pub mod fifo;
pub mod gicv3;
pub mod lapic;
pub mod pc;
pub mod pl011;
pub mod uart16550;
pub mod virt;

use arch::Platform;
use arch::irq::Group;
use paging::addr::Gpa;

use crate::machine::End;
use crate::psci;

/// How many bytes an access moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 1 byte.
    Byte,
    /// 2 bytes.
    Half,
    /// 4 bytes.
    Word,
    /// 8 bytes.
    Double,
}

impl Width {
    /// Every width.
    pub const ALL: [Self; 4] = [Self::Byte, Self::Half, Self::Word, Self::Double];

    /// The width of `1 << log2` bytes, as Arm's `ESR_ELx.SAS` counts; only the low two bits matter.
    #[must_use]
    #[inline]
    pub const fn from_log2(log2: u32) -> Self {
        match log2 & 3 {
            0 => Self::Byte,
            1 => Self::Half,
            2 => Self::Word,
            _ => Self::Double,
        }
    }

    /// The bits of a value that an access of this width carries.
    #[must_use]
    #[inline]
    pub const fn mask(self) -> u64 {
        match self {
            Self::Byte => 0xff,
            Self::Half => 0xffff,
            Self::Word => 0xffff_ffff,
            Self::Double => u64::MAX,
        }
    }

    /// How many bytes.
    #[must_use]
    #[inline]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
            Self::Double => 8,
        }
    }

    /// Whether `offset` is a multiple of the width.
    #[must_use]
    #[inline]
    pub const fn is_aligned(self, offset: u64) -> bool {
        offset.is_multiple_of(self.bytes() as u64)
    }
}

/// Where a guest's console output goes.
pub trait Console {
    /// Takes one byte that the guest printed.
    fn put(&mut self, byte: u8);
}

/// The devices of one machine, and their side of the interrupts of the machine under it.
pub trait Board<P: Platform> {
    /// Whether a device answers at `at`.
    fn contains(&self, at: Gpa) -> bool;

    /// The guest reads at `at`. Returns the value, zero-extended, or what the bus gives where no
    /// device answers.
    fn read(&mut self, at: Gpa, width: Width, cpu: &mut P::Interrupts) -> u64;

    /// The guest writes at `at`; bits of `value` beyond `width` do not matter.
    fn write(
        &mut self,
        at: Gpa,
        width: Width,
        value: u64,
        cpu: &mut P::Interrupts,
        console: &mut impl Console,
    );

    /// The guest reads an I/O port. All ones where there is none.
    fn read_port(&mut self, _port: u16, width: Width) -> u64 {
        width.mask()
    }

    /// The guest writes to an I/O port, which may end it.
    fn write_port(
        &mut self,
        _port: u16,
        _width: Width,
        _value: u64,
        _console: &mut impl Console,
    ) -> Option<End> {
        None
    }

    /// A physical interrupt is pending: takes it. One that is not the guest's is returned, for the
    /// caller to handle and then to say so by [`handled`](Self::handled).
    fn interrupt(&mut self, cpu: &mut P::Interrupts) -> Option<u32>;

    /// The physical interrupt `number`, which [`interrupt`](Self::interrupt) returned, has been
    /// handled.
    fn handled(&mut self, cpu: &mut P::Interrupts, number: u32);

    /// A byte arrives on the console's line. If there is no room for it, it is lost and the guest
    /// sees an overrun.
    fn receive(&mut self, byte: u8);

    /// The guest asks for software interrupts by the register of `group`.
    fn generate(&mut self, _value: u64, _group: Group) {}

    /// The guest calls firmware. `None`: there is no such function.
    fn firmware(&self, _id: u64, _argument: u64) -> Option<psci::Outcome> {
        None
    }

    /// The class of the interrupt controller's task priority.
    fn task_priority(&self) -> u8 {
        0
    }

    /// Writes that class.
    fn set_task_priority(&mut self, _class: u8) {}

    /// Puts what is pending where the guest takes it from. The guest is entered next.
    fn flush(&mut self, cpu: &mut P::Interrupts, vcpu: &mut P::Vcpu);

    /// Waits for an interrupt of the machine, unless the guest, which has nothing to do, has one to take.
    /// Returns whether it waited.
    fn wait(&mut self, _cpu: &mut P::Interrupts, _vcpu: &P::Vcpu) -> bool {
        false
    }
}

#[cfg(test)]
mod fake;
