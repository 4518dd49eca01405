//! The hypervisor, if there is one: hypercalls, and the phases of a workload.

use hv_abi::call;

pub use crate::arch::call::hypercall;
use crate::arch::marker::marker;

/// Whether a hypercall reaches anybody.
pub fn has_hypercalls() -> bool {
    let machine = crate::machine();
    machine.umbra || crate::arch::call::is_answered(machine.conduit)
}

/// What Umbra offers, as `call::FEATURE_*` bits; nothing on another machine.
pub fn features() -> u64 {
    if !crate::machine().umbra {
        return 0;
    }
    // SAFETY: the call writes no memory.
    match unsafe { hypercall(call::FEATURES, [0; 3]) } {
        call::NOT_SUPPORTED => 0,
        features => features,
    }
}

/// Tells the hypervisor the exit status; it does not come back.
pub(crate) fn exit(status: u8) -> ! {
    // SAFETY: the call writes no memory.
    unsafe { hypercall(call::EXIT, [status.into(), 0, 0]) };
    crate::println!("rt: the hypervisor refused to end the guest");
    loop {
        core::hint::spin_loop();
    }
}

/// Does `work`, `operations` operations, as the phase `name`: under Umbra the report counts exits
/// and time for it, and everywhere [markers](hv_abi::marker) stand around it. Nothing is printed
/// within. A name has at most 16 bytes of ASCII and no spaces.
#[inline(always)]
pub fn phase<T>(name: &str, operations: u64, work: impl FnOnce() -> T) -> T {
    let mut bytes = [0; call::PHASE_NAME];
    let length = name.len().min(bytes.len());
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    let [low, high] = [0, 8].map(|at| {
        let mut half = [0; 8];
        half.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(half)
    });
    let marked = || {
        marker([low, high]);
        let result = work();
        marker([0; 2]);
        result
    };
    if !crate::machine().umbra {
        return marked();
    }
    // SAFETY: the call writes no memory.
    unsafe { hypercall(call::PHASE_BEGIN, [low, high, 0]) };
    let result = marked();
    // SAFETY: the call writes no memory.
    unsafe { hypercall(call::PHASE_END, [operations, 0, 0]) };
    result
}
