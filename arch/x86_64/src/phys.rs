//! Physical memory as tables: how this processor moves many entries at once.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use paging::addr::{ENTRIES, Index};
use paging::mem::{Entries, GROUP, Group};
use phys::Bulk;

/// The pool of table frames and the RAM of one guest.
pub type PhysicalMemory = phys::PhysicalMemory<Words>;

/// By single words, since the hypervisor uses no larger registers, and zeros by a string instruction.
#[derive(Clone, Copy, Debug)]
pub struct Words;

impl Bulk for Words {
    #[inline(always)]
    fn load(group: &[AtomicU64; GROUP]) -> [u64; GROUP] {
        core::array::from_fn(|member| group[member].load(Ordering::Relaxed))
    }

    #[inline(always)]
    fn store(group: &[AtomicU64; GROUP], raw: [u64; GROUP]) {
        for (entry, raw) in group.iter().zip(raw) {
            entry.store(raw, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    fn any(group: &[AtomicU64; GROUP]) -> u64 {
        let mut any: u64;
        // SAFETY: reading the atomics of the group changes nothing.
        unsafe {
            asm!(
                "mov {any}, [{at}]",
                "or {any}, [{at} + 8]",
                "or {any}, [{at} + 16]",
                "or {any}, [{at} + 24]",
                "or {any}, [{at} + 32]",
                "or {any}, [{at} + 40]",
                "or {any}, [{at} + 48]",
                "or {any}, [{at} + 56]",
                at = in(reg) group.as_ptr(),
                any = out(reg) any,
                options(nostack, pure, readonly),
            );
        }
        any
    }

    #[inline(always)]
    fn all(group: &[AtomicU64; GROUP]) -> u64 {
        let mut all: u64;
        // SAFETY: reading the atomics of the group changes nothing.
        unsafe {
            asm!(
                "mov {all}, [{at}]",
                "and {all}, [{at} + 8]",
                "and {all}, [{at} + 16]",
                "and {all}, [{at} + 24]",
                "and {all}, [{at} + 32]",
                "and {all}, [{at} + 40]",
                "and {all}, [{at} + 48]",
                "and {all}, [{at} + 56]",
                at = in(reg) group.as_ptr(),
                all = out(reg) all,
                options(nostack, pure, readonly),
            );
        }
        all
    }

    /// Entry by entry: a group and what is made of it do not fit in the registers.
    #[inline(always)]
    fn map(
        from: &impl Entries,
        group: Group,
        to: &impl Entries,
        mut make: impl FnMut(Index, u64) -> u64,
    ) {
        for at in group.members() {
            to.set(at, make(at, from.get(at)));
        }
    }

    #[inline]
    fn clear(self, table: &[AtomicU64; ENTRIES]) {
        // SAFETY: the instruction writes zeros to the 4 KiB of `table`, whose entries may change behind a
        // shared reference because they are atomics. Nobody sets the direction flag.
        unsafe {
            asm!(
                "rep stosq",
                inout("rcx") ENTRIES => _,
                inout("rdi") table.as_ptr() => _,
                in("rax") 0,
                options(nostack, preserves_flags),
            );
        }
    }
}
