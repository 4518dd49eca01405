//! The marker: the long NOP that names a phase.

use core::arch::asm;

use hv_abi::marker::X86_64;

/// Marks that the phase of that name begins; no name ends it.
#[inline(always)]
pub(crate) fn marker(name: [u64; 2]) {
    // SAFETY: a NOP changes nothing, and does not access the memory that it names.
    unsafe {
        asm!(".byte {}, {}, {}, {}, {}, {}, {}", const X86_64[0], const X86_64[1], const X86_64[2],
            const X86_64[3], const X86_64[4], const X86_64[5], const X86_64[6],
            in("rdi") name[0], in("rsi") name[1], options(nomem, nostack, preserves_flags));
    }
}
