//! Instructions and registers.

use core::arch::asm;

/// Executes what is no instruction.
pub(crate) fn garbage() {
    // SAFETY: the runtime reports the exception and ends the guest.
    unsafe { asm!("udf #0") };
}

/// Faults, and has its fault handler where nothing is: it faults for ever.
pub(crate) fn fault_loop() {
    // SAFETY: nothing is executed after this but the fault.
    unsafe { asm!("msr vbar_el1, {}", "isb", "udf #0", in(reg) 0x7f00_0000_0000_u64) };
}

/// Does nothing, for ever.
pub(crate) fn spin() {
    loop {
        core::hint::spin_loop();
    }
}

/// Waits for an interrupt that nobody sends.
pub(crate) fn sleep() {
    loop {
        // SAFETY: waiting changes nothing.
        unsafe { asm!("wfi", options(nomem, nostack)) };
    }
}

/// Reads a register of the hypervisor's.
pub(crate) fn privilege() {
    // SAFETY: the runtime reports the exception and ends the guest.
    unsafe { asm!("mrs {}, hcr_el2", out(reg) _, options(nostack)) };
}

/// Asks for pages of 64 KiB, for which its tables are not made.
pub(crate) fn granule() {
    /// TCR_EL1.TG0 for 64 KiB.
    const TG0_64K: u64 = 1 << 14;
    let old: u64;
    // SAFETY: reading changes nothing.
    unsafe { asm!("mrs {}, tcr_el1", out(reg) old, options(nomem, nostack)) };
    // SAFETY: what comes next is not expected to be executed.
    unsafe {
        asm!("msr tcr_el1, {}", "isb", "tlbi vmalle1", "dsb sy", "isb", in(reg) old | TG0_64K)
    };
}
