//! Instructions and registers.

use core::arch::asm;

use rt::Conduit;

/// Executes what is no instruction.
pub(crate) fn garbage() {
    // SAFETY: the runtime reports the exception and ends the guest.
    unsafe { asm!("ud2") };
}

/// Faults, and has nowhere to go with it.
pub(crate) fn triple_fault() {
    rt::descriptor::load_table_at(0, 1);
    // SAFETY: nothing is executed after this.
    unsafe { asm!("ud2") };
}

/// Waits for an interrupt that nobody sends.
pub(crate) fn sleep() {
    loop {
        // SAFETY: waiting changes nothing.
        unsafe { asm!("sti", "hlt", options(nomem, nostack)) };
    }
}

/// Waits for an interrupt that it does not take.
pub(crate) fn halt() {
    loop {
        // SAFETY: as above.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}

/// Reads a model-specific register that no processor has.
pub(crate) fn reserved_msr() {
    /// Its number.
    const NONE: u32 = 0xdead_beef;
    // SAFETY: the runtime reports the exception and ends the guest.
    unsafe { asm!("rdmsr", in("ecx") NONE, out("eax") _, out("edx") _, options(nostack)) };
}

/// Starts a guest of its own, without having asked for the right to.
pub(crate) fn virtualize() {
    // SAFETY: as above.
    unsafe { asm!("vmrun rax", in("rax") 0_u64, options(nostack)) };
}

/// Calls the hypervisor as the other vendor's processors do.
pub(crate) fn other_call() {
    if rt::machine().conduit == Conduit::Vmmcall {
        // SAFETY: as above.
        unsafe { asm!("vmcall", inout("rax") 0_u64 => _, options(nostack)) };
    } else {
        // SAFETY: as above.
        unsafe { asm!("vmmcall", inout("rax") 0_u64 => _, options(nostack)) };
    }
}

/// Wants its interrupt controller elsewhere.
pub(crate) fn move_apic() {
    /// The register that says where.
    const APIC_BASE: u32 = 0x1b;
    /// There, and on.
    const ELSEWHERE: u32 = 0xd000_0000 | 1 << 11;
    // SAFETY: as above.
    unsafe {
        asm!("wrmsr", in("ecx") APIC_BASE, in("eax") ELSEWHERE, in("edx") 0, options(nostack));
    }
}
