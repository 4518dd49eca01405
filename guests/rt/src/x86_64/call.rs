//! Calls to whoever is below: hypercalls, and the ports that turn an emulated machine off.

use core::arch::asm;

use hv_abi::pc::DEBUG_EXIT;

use super::machine::Conduit;
use super::{console, port};

/// The port that turns Bochs off, and what it wants to read.
const BOCHS: u16 = 0x8900;
/// See [`BOCHS`].
const SHUTDOWN: &str = "Shutdown";

/// One instruction with the registers of a call.
macro_rules! call {
    ($instruction:literal, $id:expr, $arguments:expr) => {{
        let result;
        asm!($instruction, inout("rax") $id => result, inout("rdi") $arguments[0] => _,
            inout("rsi") $arguments[1] => _, inout("rdx") $arguments[2] => _, options(nostack));
        result
    }};
}

/// Makes the call `id`; returns what comes back in `rax`. Without a hypervisor that says how, that
/// is an invalid instruction.
///
/// # Safety
///
/// The call must not make the callee write memory that Rust owns.
#[inline(always)]
pub unsafe fn hypercall(id: u64, arguments: [u64; 3]) -> u64 {
    if crate::machine().conduit == Conduit::Vmmcall {
        // SAFETY: the call changes these registers alone; the caller answers for the rest.
        unsafe { call!("vmmcall", id, arguments) }
    } else {
        // SAFETY: as above.
        unsafe { call!("vmcall", id, arguments) }
    }
}

/// Whether a hypercall reaches anybody.
pub(crate) fn is_answered(conduit: Conduit) -> bool {
    conduit != Conduit::None
}

/// Turns the machine off, telling it the exit status where it listens.
pub(crate) fn power_off(_conduit: Conduit, status: u8) -> ! {
    console::drain();
    SHUTDOWN.bytes().for_each(|byte| port::write(BOCHS, byte));
    port::write(DEBUG_EXIT, status);
    loop {
        // SAFETY: waiting, for nothing.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
