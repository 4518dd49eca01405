//! Physical memory as tables: how this processor moves many entries at once.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use paging::addr::ENTRIES;
use paging::mem::GROUP;
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
