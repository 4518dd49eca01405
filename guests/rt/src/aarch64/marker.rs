//! The marker: the hint that names a phase.

use core::arch::asm;

use hv_abi::marker::AARCH64;

/// Marks that the phase of that name begins; no name ends it.
#[inline(always)]
pub(crate) fn marker(name: [u64; 2]) {
    // SAFETY: a hint without a meaning changes nothing.
    unsafe {
        asm!(".inst {}", const AARCH64, in("x0") name[0], in("x1") name[1],
            options(nomem, nostack, preserves_flags));
    }
}
