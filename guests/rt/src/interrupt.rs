//! Interrupts: masked until a guest asks for them.

use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

pub use crate::arch::controller::{VERSION, enable, mask, send_to_self, start, unmask};
pub use crate::arch::timer::{INTERRUPT as TIMER, set as set_timer, stop as stop_timer};

/// What handles an interrupt, given its number. The controller's acknowledgement and completion are
/// made around it.
pub type Handler = fn(u32);

/// The [`Handler`], or null.
static HANDLER: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Makes `handler` the one that is called for every interrupt.
pub fn set_handler(handler: Handler) {
    HANDLER.store(handler as *mut (), Relaxed);
}

/// Calls the handler; without one an interrupt is completed and forgotten.
#[inline(always)]
pub(crate) fn handle(id: u32) {
    let handler = HANDLER.load(Relaxed);
    if handler.is_null() {
        return;
    }
    // SAFETY: only `set_handler` stores something that is not null, and that is a `Handler`.
    let handler = unsafe { core::mem::transmute::<*mut (), Handler>(handler) };
    handler(id);
}
