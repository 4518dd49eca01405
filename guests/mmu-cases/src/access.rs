//! Accesses that may fail: each says what it got, or why it got nothing.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rt::fault::{self, Cause};
use rt::{Exception, check, exact};

/// What an access gave.
pub(crate) type Outcome = Result<u64, Cause>;

/// The cause of the last fault, as [`code`] spells it; 0: none.
static CAUSE: AtomicU64 = AtomicU64::new(0);
/// The address of the last fault.
static ADDRESS: AtomicU64 = AtomicU64::new(0);

/// A cause as a number.
const fn code(cause: Cause) -> u64 {
    match cause {
        Cause::NotPresent => 1,
        Cause::NotAccessed => 2,
        Cause::Permission => 3,
    }
}

/// Handles every fault from now on.
pub(crate) fn start() {
    fault::set_handler(handle);
}

/// Notes a fault and skips what faulted: an access, or a call to somewhere that cannot be executed.
fn handle(exception: &mut Exception) -> bool {
    let Some(fault) = exception.fault() else { return false };
    CAUSE.store(code(fault.cause), Relaxed);
    ADDRESS.store(fault.address, Relaxed);
    if exception.elr == fault.address {
        exception.elr = exception.x[30];
    } else {
        exception.skip_instruction();
    }
    true
}

/// What `access`, at `va`, gave.
fn outcome(va: u64, access: impl FnOnce() -> u64) -> Outcome {
    CAUSE.store(0, Relaxed);
    let value = access();
    let cause = match CAUSE.load(Relaxed) {
        0 => return Ok(value),
        1 => Cause::NotPresent,
        2 => Cause::NotAccessed,
        _ => Cause::Permission,
    };
    let at = ADDRESS.load(Relaxed);
    check!(at == va, "a fault at {va:#x} was reported at {at:#x}");
    Err(cause)
}

/// Reads eight bytes.
pub(crate) fn read(va: u64) -> Outcome {
    // SAFETY: the handler skips what faults; the cases read memory of theirs.
    outcome(va, || unsafe { exact::load(va as *const u64) }.1)
}

/// Writes eight bytes; gives 0.
pub(crate) fn write(va: u64, value: u64) -> Outcome {
    outcome(va, || {
        // SAFETY: the handler skips what faults; the cases write memory of theirs.
        unsafe { exact::store(va as *mut u64, value) };
        0
    })
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
