//! The interrupt controller: as much of a GICv3 as one CPU with private interrupts needs (IHI 0069).

use core::arch::asm;

use aarch64_cpu::registers::{MPIDR_EL1, Readable};

/// The distributor's registers.
const DISTRIBUTOR: usize = 0x0800_0000;
/// GICD_CTLR: group 1 enabled, affinity routing.
const GICD_CTLR: *mut u32 = DISTRIBUTOR as *mut u32;
/// GICD_CTLR.EnableGrp1 and .ARE.
const GICD_CTLR_ON: u32 = (1 << 1) | (1 << 4);
/// GICD_TYPER: what the controller is. Reading it changes nothing.
pub const VERSION: *const u32 = (DISTRIBUTOR + 4) as *const u32;

/// The redistributor of this CPU; its second frame has the private interrupts.
const REDISTRIBUTOR: usize = 0x080a_0000;
/// GICR_WAKER.
const GICR_WAKER: *mut u32 = (REDISTRIBUTOR + 0x14) as *mut u32;
/// GICR_WAKER.ProcessorSleep.
const PROCESSOR_SLEEP: u32 = 1 << 1;
/// GICR_WAKER.ChildrenAsleep.
const CHILDREN_ASLEEP: u32 = 1 << 2;
/// GICR_IGROUPR0: one bit for each private interrupt.
const GICR_IGROUPR0: *mut u32 = (REDISTRIBUTOR + 0x1_0080) as *mut u32;
/// GICR_ISENABLER0: one bit for each private interrupt.
const GICR_ISENABLER0: *mut u32 = (REDISTRIBUTOR + 0x1_0100) as *mut u32;

/// Interrupt ids from here on are none (1020 to 1023).
const SPECIAL: u64 = 1020;

/// Writes a register of the controller.
///
/// # Safety
///
/// `register` is one of the constants above.
unsafe fn write(register: *mut u32, value: u32) {
    // SAFETY: by the caller.
    unsafe { register.write_volatile(value) }
}

/// Wakes the controller; every private interrupt is in group 1, none is enabled.
pub fn start() {
    // SAFETY: a register of the controller; so for those below.
    unsafe { write(GICD_CTLR, GICD_CTLR_ON) };
    // SAFETY: as above.
    let waker = unsafe { GICR_WAKER.read_volatile() };
    // SAFETY: as above.
    unsafe { write(GICR_WAKER, waker & !PROCESSOR_SLEEP) };
    // SAFETY: as above.
    while unsafe { GICR_WAKER.read_volatile() } & CHILDREN_ASLEEP != 0 {}
    // SAFETY: as above.
    unsafe { write(GICR_IGROUPR0, !0) };
    // SAFETY: these registers of the CPU interface are this CPU's own: system registers on
    // (ICC_SRE_EL1.SRE), every priority let through (ICC_PMR_EL1), group 1 on (ICC_IGRPEN1_EL1).
    unsafe {
        asm!("msr S3_0_C12_C12_5, {one}", "isb", "msr S3_0_C4_C6_0, {lowest}",
            "msr S3_0_C12_C12_7, {one}", "isb", one = in(reg) 1_u64, lowest = in(reg) 0xff_u64,
            options(nostack, preserves_flags));
    }
}

/// Lets the private interrupt `id` through; ids above 31 are not private and change nothing.
pub fn enable(id: u32) {
    if id < 32 {
        // SAFETY: a register of the controller.
        unsafe { write(GICR_ISENABLER0, 1 << id) };
    }
}

/// Sends the software-generated interrupt `id` (0 to 15) to this CPU itself.
pub fn send_to_self(id: u32) {
    let affinity = MPIDR_EL1.get() & 0xff;
    let command = (u64::from(id & 15) << 24) | (1 << affinity);
    // SAFETY: ICC_SGI1R_EL1 makes an interrupt pending.
    unsafe {
        asm!("dsb ishst", "msr S3_0_C12_C11_5, {}", "isb", in(reg) command,
            options(nostack, preserves_flags));
    }
}

/// Called by the vector table for an interrupt: acknowledges, calls the handler, completes.
#[unsafe(no_mangle)]
extern "C" fn rt_interrupt() {
    let id: u64;
    // SAFETY: ICC_IAR1_EL1: reading it takes the interrupt, which is what follows.
    unsafe { asm!("mrs {}, S3_0_C12_C12_0", out(reg) id, options(nostack, preserves_flags)) };
    if id >= SPECIAL {
        return;
    }
    crate::interrupt::handle(id as u32);
    // SAFETY: ICC_EOIR1_EL1 completes what was taken.
    unsafe { asm!("msr S3_0_C12_C12_1, {}", in(reg) id, options(nostack, preserves_flags)) };
}

/// Takes interrupts from now on.
#[inline(always)]
pub fn unmask() {
    // SAFETY: the vector table has a handler.
    unsafe { asm!("msr daifclr, #2", options(nostack)) }
}

/// Takes none from now on.
#[inline(always)]
pub fn mask() {
    // SAFETY: a mask.
    unsafe { asm!("msr daifset, #2", options(nostack)) }
}
