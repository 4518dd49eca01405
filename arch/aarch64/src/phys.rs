//! Physical memory as tables: how this processor moves many entries at once.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use paging::addr::{ENTRIES, Index};
use paging::mem::{Entries, GROUP, Group};
use phys::Bulk;

use crate::regs;

/// The pool of table frames and the RAM of one guest.
pub type PhysicalMemory = phys::PhysicalMemory<Pairs>;

/// By pairs of registers, and zeros by the block.
#[derive(Clone, Copy, Debug)]
pub struct Pairs {
    /// Bytes that one DC ZVA makes zero, where it may be used.
    zero_block: Option<u64>,
}

impl Pairs {
    /// While the hypervisor's MMU is off: all memory is like a device's.
    pub const UNCACHED: Self = Self { zero_block: None };

    /// For normal memory, with the hypervisor's MMU on.
    #[must_use]
    pub fn cached() -> Self {
        Self { zero_block: regs::zero_block() }
    }
}

/// Each half of a pair is read or written whole: "Requirements for single-copy atomicity" (B2.2.1).
impl Bulk for Pairs {
    #[inline(always)]
    fn load(group: &[AtomicU64; GROUP]) -> [u64; GROUP] {
        let (a, b, c, d): (u64, u64, u64, u64);
        let (e, f, g, h): (u64, u64, u64, u64);
        // SAFETY: reading the atomics of the group changes nothing.
        unsafe {
            asm!(
                "ldp {a}, {b}, [{at}]",
                "ldp {c}, {d}, [{at}, #16]",
                "ldp {e}, {f}, [{at}, #32]",
                "ldp {g}, {h}, [{at}, #48]",
                at = in(reg) group.as_ptr(),
                a = out(reg) a, b = out(reg) b, c = out(reg) c, d = out(reg) d,
                e = out(reg) e, f = out(reg) f, g = out(reg) g, h = out(reg) h,
                options(nostack, pure, readonly),
            );
        }
        [a, b, c, d, e, f, g, h]
    }

    #[inline(always)]
    fn store(group: &[AtomicU64; GROUP], raw: [u64; GROUP]) {
        let [a, b, c, d, e, f, g, h] = raw;
        // SAFETY: entries of the group may change behind a shared reference because they are atomics.
        unsafe {
            asm!(
                "stp {a}, {b}, [{at}]",
                "stp {c}, {d}, [{at}, #16]",
                "stp {e}, {f}, [{at}, #32]",
                "stp {g}, {h}, [{at}, #48]",
                at = in(reg) group.as_ptr(),
                a = in(reg) a, b = in(reg) b, c = in(reg) c, d = in(reg) d,
                e = in(reg) e, f = in(reg) f, g = in(reg) g, h = in(reg) h,
                options(nostack),
            );
        }
    }

    #[inline(always)]
    fn any(group: &[AtomicU64; GROUP]) -> u64 {
        Self::load(group).iter().fold(0, |any, raw| any | raw)
    }

    #[inline(always)]
    fn all(group: &[AtomicU64; GROUP]) -> u64 {
        Self::load(group).iter().fold(u64::MAX, |all, raw| all & raw)
    }

    /// A group stays in registers.
    #[inline(always)]
    fn map(
        from: &impl Entries,
        group: Group,
        to: &impl Entries,
        mut make: impl FnMut(Index, u64) -> u64,
    ) {
        let [a, b, c, d, e, f, g, h] = from.group(group);
        let mut make = |member, raw| make(group.member(member), raw);
        let (a, b, c, d) = (make(0, a), make(1, b), make(2, c), make(3, d));
        let (e, f, g, h) = (make(4, e), make(5, f), make(6, g), make(7, h));
        to.set_group(group, [a, b, c, d, e, f, g, h]);
    }

    /// By DC ZVA, a quarter of the instructions that stores would take.
    #[inline]
    fn clear(self, table: &[AtomicU64; ENTRIES]) {
        let Some(block) = self.zero_block else {
            return table.iter().for_each(|entry| entry.store(0, Ordering::Relaxed));
        };
        // SAFETY: the block writes zeros to the 4 KiB of `table`, whose entries may change behind a
        // shared reference because they are atomics. A frame is a multiple of four blocks
        // (`zero_block` says so), and it is normal memory (the caller of `PhysicalMemory::new` said so).
        unsafe {
            asm!(
                "2:",
                "dc zva, {at}",
                "add {at}, {at}, {block}",
                "dc zva, {at}",
                "add {at}, {at}, {block}",
                "dc zva, {at}",
                "add {at}, {at}, {block}",
                "dc zva, {at}",
                "add {at}, {at}, {block}",
                "cmp {at}, {end}",
                "b.ne 2b",
                at = inout(reg) table.as_ptr() => _,
                block = in(reg) block,
                end = in(reg) table.as_ptr_range().end,
                options(nostack),
            );
        }
    }
}
