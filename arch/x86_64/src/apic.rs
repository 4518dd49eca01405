//! The local APIC of the CPU that runs this.
//!
//! Its registers stand in memory, or in MSRs where firmware has left it so (x2APIC): they have the same
//! numbers either way. Intel SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)".

use arch::apic::{Divide, Mode};
use bitflags::bitflags;
use paging::addr::{Hpa, PAGE_SIZE};
use x86_64::registers::model_specific::Msr;

/// The vector of a spurious interrupt. Its low bits are ones, as old processors want it.
pub const SPURIOUS_VECTOR: u8 = 0x3f;
/// The vector of the timer.
pub const TIMER_VECTOR: u8 = 0x30;

/// IA32_APIC_BASE.
const BASE: Msr = Msr::new(0x1b);

bitflags! {
    /// IA32_APIC_BASE, beside the address.
    #[derive(Clone, Copy)]
    struct Base: u64 {
        /// The APIC's registers are MSRs.
        const X2APIC = 1 << 10;
        /// The APIC is there.
        const ENABLE = 1 << 11;
    }
}

/// Bits of IA32_APIC_BASE that are no address.
const BASE_FLAGS: u64 = PAGE_SIZE - 1;

/// The registers that are used here, as x2APIC numbers them: offsets in memory by 16.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
enum Register {
    EndOfInterrupt = 0x0b,
    Spurious = 0x0f,
    Timer = 0x32,
    Lint0 = 0x35,
    Lint1 = 0x36,
    InitialCount = 0x38,
    CurrentCount = 0x39,
    Divide = 0x3e,
}

/// Spurious-interrupt vector register: the APIC works.
const SOFTWARE_ENABLE: u32 = 1 << 8;

bitflags! {
    /// A register of the local vector table, beside the vector.
    #[derive(Clone, Copy)]
    struct Local: u32 {
        /// Deliver a non-maskable interrupt.
        const NMI = 0b100 << 8;
        /// Ask the 8259 for the vector.
        const EXTERNAL = 0b111 << 8;
        /// Not at all.
        const MASKED = 1 << 16;
        /// The timer: it begins anew when it has counted to 0.
        const PERIODIC = 1 << 17;
    }
}

/// Where the registers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Memory(*mut u32),
    Msr,
}

/// The local APIC.
#[derive(Debug)]
pub struct Apic {
    access: Access,
}

/// Where the registers of this CPU's local APIC stand in memory, for the hypervisor's map; `None` if they
/// are MSRs.
#[must_use]
pub fn registers() -> Option<Hpa> {
    // SAFETY: every processor with 64-bit mode has this register, and reading changes nothing.
    let base = unsafe { BASE.read() };
    let memory = !Base::from_bits_retain(base).contains(Base::X2APIC);
    memory.then(|| Hpa::from_bits(base & !BASE_FLAGS))
}

impl Apic {
    /// Turns this CPU's local APIC on: the 8259 at LINT0, NMIs at LINT1, the timer off.
    ///
    /// # Safety
    ///
    /// [`registers`] are mapped as a device's for as long as the hypervisor runs. Nothing else drives the
    /// APIC from here on, and [`interrupt`](crate::interrupt) takes its vectors.
    #[must_use]
    pub unsafe fn new() -> Self {
        let access = registers().map_or(Access::Msr, |at| Access::Memory(at.bits() as *mut u32));
        let mut base = BASE;
        // SAFETY: as in `registers`.
        let found = unsafe { base.read() };
        // SAFETY: the APIC stays where it is and as it is accessed; by the caller it may be on.
        unsafe { base.write(found | Base::ENABLE.bits()) };
        let mut apic = Self { access };
        apic.write(Register::Timer, Local::MASKED.bits());
        apic.write(Register::Lint0, Local::EXTERNAL.bits());
        apic.write(Register::Lint1, Local::NMI.bits());
        apic.write(Register::Spurious, SOFTWARE_ENABLE | u32::from(SPURIOUS_VECTOR));
        apic
    }

    #[inline]
    fn read(&self, register: Register) -> u32 {
        match self.access {
            // SAFETY: by `new`'s caller the registers are mapped, and those of the enum are all within.
            Access::Memory(at) => unsafe {
                at.wrapping_byte_add((register as usize) << 4).read_volatile()
            },
            // SAFETY: the x2APIC is on, and it has these registers.
            Access::Msr => unsafe { Msr::new(X2APIC_FIRST + register as u32).read() as u32 },
        }
    }

    #[inline]
    fn write(&mut self, register: Register, value: u32) {
        match self.access {
            // SAFETY: as in `read`; what is written only says which interrupts come.
            Access::Memory(at) => unsafe {
                at.wrapping_byte_add((register as usize) << 4).write_volatile(value);
            },
            // SAFETY: the same.
            Access::Msr => unsafe { Msr::new(X2APIC_FIRST + register as u32).write(value.into()) },
        }
    }

    /// Has the timer interrupt, with [`TIMER_VECTOR`], after `count` ticks: once, or every so many.
    #[inline]
    pub fn start_timer(&mut self, count: u32, divide: Divide, mode: Mode) {
        let mut local = Local::empty();
        local.set(Local::PERIODIC, mode == Mode::Periodic);
        self.write(Register::Divide, divide as u32);
        self.write(Register::Timer, u32::from(TIMER_VECTOR) | local.bits());
        self.write(Register::InitialCount, count);
    }

    /// Stops the timer.
    pub fn stop_timer(&mut self) {
        self.write(Register::InitialCount, 0);
    }

    /// Ticks until the timer interrupts; 0 when it has.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.read(Register::CurrentCount)
    }

    /// Ends the interrupt that was taken, unless it came through the 8259.
    #[inline]
    pub fn end(&mut self) {
        self.write(Register::EndOfInterrupt, 0);
    }
}

/// The MSR of register 0.
const X2APIC_FIRST: u32 = 0x800;
