//! Faults: what a guest does when an access to memory fails.

use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use crate::Exception;

/// Why an access failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing is mapped there.
    NotPresent,
    /// The page's accessed flag is clear, and the processor leaves setting it to us.
    NotAccessed,
    /// The page does not allow it.
    Permission,
}

/// An access that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub address: u64,
    /// Why.
    pub cause: Cause,
    /// Whether it was a write.
    pub write: bool,
}

/// What handles a synchronous exception. Returns whether it did; if so, the guest goes on at what
/// the exception then says.
pub type Handler = fn(&mut Exception) -> bool;

/// The [`Handler`], or null.
static HANDLER: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Makes `handler` the one that is asked about every exception.
pub fn set_handler(handler: Handler) {
    HANDLER.store(handler as *mut (), Relaxed);
}

/// Makes every exception end the guest again.
pub fn clear_handler() {
    HANDLER.store(core::ptr::null_mut(), Relaxed);
}

/// Asks the handler.
#[inline(always)]
pub(crate) fn handle(exception: &mut Exception) -> bool {
    let handler = HANDLER.load(Relaxed);
    if handler.is_null() {
        return false;
    }
    // SAFETY: only `set_handler` stores something that is not null, and that is a `Handler`.
    let handler = unsafe { core::mem::transmute::<*mut (), Handler>(handler) };
    handler(exception)
}
