//! Accesses as EL0, and calls.

use core::arch::asm;

use rt::Exception;
use rt::fault::Fault;

use crate::access::{Outcome, outcome};

/// The failed access, if that is what happened.
pub(crate) fn fault(exception: &Exception) -> Option<Fault> {
    exception.fault()
}

/// Goes on behind what faulted: an access, or a call.
pub(crate) fn skip(exception: &mut Exception, fault: Fault) {
    if exception.elr == fault.address {
        exception.elr = exception.x[30];
    } else {
        exception.skip_instruction();
    }
}

/// Reads eight bytes as EL0 would.
pub(crate) fn read_as_user(va: u64) -> Outcome {
    outcome(va, || {
        let value: u64;
        // SAFETY: as in `read`.
        unsafe { asm!("ldtr {}, [{}]", out(reg) value, in(reg) va, options(nostack)) };
        value
    })
}

/// Writes eight bytes as EL0 would; gives 0.
pub(crate) fn write_as_user(va: u64, value: u64) -> Outcome {
    outcome(va, || {
        // SAFETY: as in `write`.
        unsafe { asm!("sttr {}, [{}]", in(reg) value, in(reg) va, options(nostack)) };
        0
    })
}

/// Calls a function without arguments; gives what it returns.
pub(crate) fn call(va: u64) -> Outcome {
    outcome(va, || {
        let value: u64;
        // SAFETY: the cases put functions there that change nothing but x0.
        unsafe {
            asm!("blr {}", in(reg) va, out("x0") value, out("x30") _, options(nostack));
        }
        value
    })
}

/// Words of a function that returns `value`.
pub(crate) const fn function_returning(value: u16) -> u64 {
    /// `movz x0, #0`.
    const MOVZ_X0: u32 = 0xd280_0000;
    /// `ret`.
    const RET: u32 = 0xd65f_03c0;
    ((RET as u64) << 32) | (MOVZ_X0 | (value as u32) << 5) as u64
}

/// Makes what was written at `va` executable as written.
pub(crate) fn synchronize_code(va: u64) {
    // SAFETY: cache maintenance.
    unsafe {
        asm!("dc cvau, {va}", "dsb ish", "ic ivau, {va}", "dsb ish", "isb", va = in(reg) va,
            options(nostack));
    }
}
