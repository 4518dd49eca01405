//! Calls to whoever is below: hypercalls and firmware (Arm DEN0028, DEN0022).

use core::arch::asm;

use crate::machine::Conduit;

/// PSCI's SYSTEM_OFF.
const SYSTEM_OFF: u64 = 0x8400_0008;

/// Makes the call `id` by `HVC #0`; returns what comes back in `x0`.
///
/// # Safety
///
/// The call must not make the callee write memory that Rust owns.
#[inline(always)]
pub unsafe fn hypercall(id: u64, arguments: [u64; 3]) -> u64 {
    let result;
    // SAFETY: the convention preserves all registers but x0..x17; the caller answers for the rest.
    unsafe {
        asm!("hvc #0",
            inout("x0") id => result,
            inout("x1") arguments[0] => _,
            inout("x2") arguments[1] => _,
            inout("x3") arguments[2] => _,
            lateout("x4") _, lateout("x5") _, lateout("x6") _, lateout("x7") _,
            lateout("x8") _, lateout("x9") _, lateout("x10") _, lateout("x11") _,
            lateout("x12") _, lateout("x13") _, lateout("x14") _, lateout("x15") _,
            lateout("x16") _, lateout("x17") _,
            options(nostack));
    }
    result
}

/// Whether a hypercall reaches anybody: Umbra, or firmware that is called the same way.
pub(crate) fn is_answered(conduit: Conduit) -> bool {
    conduit == Conduit::Hvc
}

/// Turns the machine off; PSCI takes no exit status.
pub(crate) fn power_off(conduit: Conduit, _status: u8) -> ! {
    match conduit {
        // SAFETY: SYSTEM_OFF does not return.
        Conduit::Hvc => unsafe { asm!("hvc #0", in("x0") SYSTEM_OFF, options(nostack)) },
        // SAFETY: SYSTEM_OFF does not return.
        Conduit::Smc => unsafe { asm!("smc #0", in("x0") SYSTEM_OFF, options(nostack)) },
    }
    loop {
        aarch64_cpu::asm::wfi();
    }
}
