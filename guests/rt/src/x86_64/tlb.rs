//! Invalidation (Intel SDM vol. 3, "Caching Translation Information").
//!
//! Address spaces have no tags in the processor: loading a root forgets all pages that are not
//! global. The tag that a space has here tells which one is loaded, so that nothing is done for
//! the others.

use core::arch::asm;
use core::sync::atomic::{Ordering::SeqCst, compiler_fence};

use super::table;
use crate::space::FRAME;

/// Forgets the page at `va` of one address space.
#[inline(always)]
pub fn page(_asid: u16, va: u64) {
    // SAFETY: forgetting a translation cannot break memory safety; making the tables did, or not.
    unsafe { asm!("invlpg [{}]", in(reg) va, options(nostack, preserves_flags)) };
}

/// Forgets `count` pages in a row from `va` on, of one address space.
#[inline(always)]
pub fn pages(asid: u16, va: u64, count: u64) {
    (0..count).for_each(|index| page(asid, va + index * FRAME));
}

/// Forgets one address space: its root is loaded again, if it is the current one.
#[inline(always)]
pub fn space(asid: u16) {
    table::reload(asid);
}

/// Forgets everything, global pages as well: they are switched off and on.
pub fn all() {
    /// CR4.PGE.
    const GLOBAL_PAGES: u64 = 1 << 7;
    // SAFETY: as in `page`; CR4 is what it was.
    unsafe {
        asm!("mov {old}, cr4", "mov {off}, {old}", "and {off}, {mask}", "mov cr4, {off}",
            "mov cr4, {old}", old = out(reg) _, off = out(reg) _, mask = const !GLOBAL_PAGES as i32,
            options(nostack));
    }
}

/// Makes entries that were not present and now are count: the processor caches none such, so only
/// the compiler must keep the order.
#[inline(always)]
pub fn publish() {
    compiler_fence(SeqCst);
}
