//! Invalidation, with the barriers a kernel puts around it (Arm ARM, "TLB maintenance instructions").
//!
//! One CPU: the local forms. The barrier before makes the store to the table visible to the walker,
//! the one after waits for the end, and `ISB` makes what follows see it.

use core::arch::asm;

use aarch64_cpu::asm::barrier;

use crate::space::FRAME;

/// The operand of the forms by address: ASID and page number.
const fn operand(asid: u16, va: u64) -> u64 {
    ((asid as u64) << 48) | ((va >> 12) & ((1 << 44) - 1))
}

/// Forgets the page at `va` of one address space.
#[inline(always)]
pub fn page(asid: u16, va: u64) {
    // SAFETY: forgetting a translation cannot break memory safety; making the tables did, or not.
    unsafe {
        asm!("dsb nshst", "tlbi vae1, {}", "dsb nsh", "isb", in(reg) operand(asid, va),
            options(nostack, preserves_flags));
    }
}

/// Forgets `count` pages in a row from `va` on, of one address space: one pair of barriers for all.
#[inline(always)]
pub fn pages(asid: u16, va: u64, count: u64) {
    barrier::dsb(barrier::NSHST);
    for index in 0..count {
        let operand = operand(asid, va + index * FRAME);
        // SAFETY: as in `page`.
        unsafe { asm!("tlbi vae1, {}", in(reg) operand, options(nostack, preserves_flags)) };
    }
    barrier::dsb(barrier::NSH);
    barrier::isb(barrier::SY);
}

/// Forgets one address space.
#[inline(always)]
pub fn space(asid: u16) {
    // SAFETY: as in `page`.
    unsafe {
        asm!("dsb nshst", "tlbi aside1, {}", "dsb nsh", "isb", in(reg) operand(asid, 0),
            options(nostack, preserves_flags));
    }
}

/// Forgets everything.
#[inline(always)]
pub fn all() {
    // SAFETY: as in `page`.
    unsafe {
        asm!("dsb nshst", "tlbi vmalle1", "dsb nsh", "isb", options(nostack, preserves_flags));
    }
}

/// Makes entries that were invalid and are now valid visible to the walker: no invalidation.
#[inline(always)]
pub fn publish() {
    // SAFETY: barriers.
    unsafe { asm!("dsb ishst", "isb", options(nostack, preserves_flags)) }
}
