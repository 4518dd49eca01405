//! Instructions and registers.

use core::arch::asm;

use rt::println;

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

/// A call to firmware that is not the guest's.
pub(crate) fn smc() {
    let result: u64;
    // SAFETY: an unknown function does nothing; the convention preserves x18 and up.
    unsafe {
        asm!("smc #0", inout("x0") 0xc600_ffff_u64 => result,
            lateout("x1") _, lateout("x2") _, lateout("x3") _, options(nostack));
    }
    println!("@ misbehave result={result:#x}");
}
