//! Accesses that may fail: each says what it got, or why it got nothing.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rt::fault::{self, Cause};
use rt::{Exception, check, exact};

use crate::arch;

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
    let Some(fault) = arch::access::fault(exception) else { return false };
    CAUSE.store(code(fault.cause), Relaxed);
    ADDRESS.store(fault.address, Relaxed);
    arch::access::skip(exception, fault);
    true
}

/// What `access`, at `va`, gave.
pub(crate) fn outcome(va: u64, access: impl FnOnce() -> u64) -> Outcome {
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
