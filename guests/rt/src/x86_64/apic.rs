//! The interrupt controller: the local APIC, by memory (Intel SDM vol. 3, "Advanced Programmable
//! Interrupt Controller").

use core::arch::asm;

use super::{port, timer};

/// Where its registers are, 16 bytes apart.
const BASE: usize = 0xfee0_0000;

/// Its version register. Reading it changes nothing.
pub const VERSION: *const u32 = (BASE + Register::Version as usize) as *const u32;

/// Its registers, by their offsets.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(crate) enum Register {
    /// What it is.
    Version = 0x30,
    /// Which priorities are let through.
    TaskPriority = 0x80,
    /// Completes an interrupt.
    EndOfInterrupt = 0xb0,
    /// Whether it is on, and the vector of interrupts that went away.
    Spurious = 0xf0,
    /// The low half of the interrupt command, which sends.
    CommandLow = 0x300,
    /// The high half: to whom.
    CommandHigh = 0x310,
    /// The timer's vector.
    TimerVector = 0x320,
    /// What the timer counts down from.
    TimerInitial = 0x380,
    /// What it is at.
    TimerCurrent = 0x390,
    /// How many ticks count as one.
    TimerDivide = 0x3e0,
}

/// SVR: the controller is on.
const ON: u32 = 1 << 8;
/// The vector of interrupts that went away.
pub(crate) const SPURIOUS: u8 = 0xff;
/// A local vector: the interrupt is not let through.
pub(crate) const MASKED: u32 = 1 << 16;
/// ICR: the CPU itself, whatever its name.
const SELF: u32 = 1 << 18;
/// The vector of interrupt 0.
const FIRST_VECTOR: u32 = 0x20;

/// The interrupt masks of the two controllers that every PC starts with.
const OLD_MASKS: [u16; 2] = [0x21, 0xa1];

/// The vector of an interrupt.
pub(crate) const fn vector(id: u32) -> u32 {
    FIRST_VECTOR + id
}

/// Reads a register.
#[inline(always)]
pub(crate) fn read(register: Register) -> u32 {
    let register = (BASE + register as usize) as *const u32;
    // SAFETY: the machine has a local APIC there, mapped to itself, and reading is harmless.
    unsafe { register.read_volatile() }
}

/// Writes a register.
#[inline(always)]
pub(crate) fn write(register: Register, value: u32) {
    let register = (BASE + register as usize) as *mut u32;
    // SAFETY: as above; an interrupt that follows has an entry in the descriptor table.
    unsafe { register.write_volatile(value) }
}

/// Turns it on; the older controllers send nothing.
pub fn start() {
    OLD_MASKS.into_iter().for_each(|mask| port::write(mask, 0xff));
    write(Register::TaskPriority, 0);
    write(Register::Spurious, ON | u32::from(SPURIOUS));
    timer::start();
}

/// Lets the interrupt `id` through. Those that the CPU sends itself always are.
pub fn enable(id: u32) {
    if id == timer::INTERRUPT {
        timer::enable();
    }
}

/// Sends the interrupt `id` (0 to 15) to this CPU itself.
pub fn send_to_self(id: u32) {
    write(Register::CommandHigh, 0);
    write(Register::CommandLow, SELF | vector(id & 15));
}

/// Called by the vectors for an interrupt: calls the handler, completes.
#[unsafe(no_mangle)]
extern "C" fn rt_interrupt(id: u64) {
    crate::interrupt::handle(id as u32);
    write(Register::EndOfInterrupt, 0);
}

/// Takes interrupts from now on.
#[inline(always)]
pub fn unmask() {
    // SAFETY: every interrupt has an entry in the descriptor table.
    unsafe { asm!("sti", options(nostack)) }
}

/// Takes none from now on.
#[inline(always)]
pub fn mask() {
    // SAFETY: a mask.
    unsafe { asm!("cli", options(nostack)) }
}
