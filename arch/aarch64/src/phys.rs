//! Physical memory as tables: the only way to a byte of the pool or of guest RAM.
//!
//! The hypervisor's own map is an identity, so a physical address is a pointer. What makes that sound
//! is established once, in [`PhysicalMemory::new`]: the two ranges exist, are mapped, and belong
//! to nobody else. Every entry is an atomic, because the MMU's walker and guests use the same bytes.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use paging::addr::{ENTRIES, Frame, GuestPhys, HostPhys, Hpa, Index, PAGE_SHIFT};
use paging::layout::Layout;
use paging::mem::{Entries, GROUP, Group, Memory};
use paging::pool::PageId;

use crate::regs;

/// A frame as 512 descriptors. 4 KiB, aligned to 4 KiB.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct FrameTable([AtomicU64; ENTRIES]);

impl Entries for FrameTable {
    #[inline]
    fn get(&self, at: Index) -> u64 {
        self.0[at.get()].load(Ordering::Relaxed)
    }

    #[inline]
    fn set(&self, at: Index, raw: u64) {
        self.0[at.get()].store(raw, Ordering::Relaxed);
    }

    /// By pairs, each half of which is read whole: "Requirements for single-copy atomicity" (B2.2.1).
    #[inline(always)]
    fn group(&self, group: Group) -> [u64; GROUP] {
        let at = self.0.as_ptr().wrapping_byte_add(group.offset());
        let (a, b, c, d): (u64, u64, u64, u64);
        let (e, f, g, h): (u64, u64, u64, u64);
        // SAFETY: a group lies within the table, and reading atomics changes nothing.
        unsafe {
            asm!(
                "ldp {a}, {b}, [{at}]",
                "ldp {c}, {d}, [{at}, #16]",
                "ldp {e}, {f}, [{at}, #32]",
                "ldp {g}, {h}, [{at}, #48]",
                at = in(reg) at,
                a = out(reg) a, b = out(reg) b, c = out(reg) c, d = out(reg) d,
                e = out(reg) e, f = out(reg) f, g = out(reg) g, h = out(reg) h,
                options(nostack, readonly),
            );
        }
        [a, b, c, d, e, f, g, h]
    }

    /// By pairs, each half of which is written whole.
    #[inline(always)]
    fn set_group(&self, group: Group, raw: [u64; GROUP]) {
        let at = self.0.as_ptr().wrapping_byte_add(group.offset());
        let [a, b, c, d, e, f, g, h] = raw;
        // SAFETY: a group lies within the table, whose entries may change behind a shared reference
        // because they are atomics.
        unsafe {
            asm!(
                "stp {a}, {b}, [{at}]",
                "stp {c}, {d}, [{at}, #16]",
                "stp {e}, {f}, [{at}, #32]",
                "stp {g}, {h}, [{at}, #48]",
                at = in(reg) at,
                a = in(reg) a, b = in(reg) b, c = in(reg) c, d = in(reg) d,
                e = in(reg) e, f = in(reg) f, g = in(reg) g, h = in(reg) h,
                options(nostack),
            );
        }
    }
}

/// The pool of table frames and the RAM of one guest.
#[derive(Debug)]
pub struct PhysicalMemory {
    pool: &'static [FrameTable],
    guest: &'static [FrameTable],
    layout: Layout,
    /// Bytes that one DC ZVA makes zero, where it may be used.
    zero_block: Option<u64>,
}

/// How the hypervisor sees its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Its MMU is off: all memory is like a device's.
    Off,
    /// Its MMU is on.
    On,
}

impl PhysicalMemory {
    /// The `frames` frames from `pool` on, and the RAM of `layout`.
    ///
    /// # Safety
    ///
    /// Both ranges are RAM, aligned to 4 KiB, identity-mapped as normal memory for as long as the
    /// hypervisor runs, apart from each other, and nothing else in the hypervisor refers to them
    /// but other `PhysicalMemory`s of the same guest. With [`Caching::On`] the MMU is on.
    #[must_use]
    pub unsafe fn new(pool: Hpa, frames: usize, layout: Layout, caching: Caching) -> Self {
        let at = pool.bits() as *const FrameTable;
        let ram = layout.backing().start().bits() as *const FrameTable;
        Self {
            // SAFETY: the caller gives the range; atomics may be written by others at any time.
            pool: unsafe { core::slice::from_raw_parts(at, frames) },
            // SAFETY: the same.
            guest: unsafe { core::slice::from_raw_parts(ram, layout.frames() as usize) },
            layout,
            zero_block: if caching == Caching::On { regs::zero_block() } else { None },
        }
    }

    /// Where pool frame 1 stands.
    fn base(&self) -> u64 {
        self.pool.as_ptr() as u64 >> PAGE_SHIFT
    }
}

impl Memory for PhysicalMemory {
    type Table = FrameTable;
    type Guest = FrameTable;

    #[inline]
    fn table(&self, page: PageId) -> &FrameTable {
        &self.pool[page.number() as usize - 1]
    }

    /// By DC ZVA, a quarter of the instructions that stores would take.
    #[inline]
    fn clear(&self, page: PageId) {
        let table = self.table(page);
        let Some(block) = self.zero_block else { return table.clear() };
        let end = table.0.as_ptr_range().end;
        // SAFETY: the block writes zeros to the 4 KiB of `table`, whose entries may change behind a
        // shared reference because they are atomics. A frame is a multiple of four blocks
        // (`zero_block` says so), and it is normal memory (`new`'s caller said so).
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
                at = inout(reg) table.0.as_ptr() => _,
                block = in(reg) block,
                end = in(reg) end,
                options(nostack),
            );
        }
    }

    #[inline]
    fn frame_of(&self, page: PageId) -> Frame<HostPhys> {
        Frame::from_number(self.base() + u64::from(page.number()) - 1)
    }

    #[inline]
    fn page_of(&self, frame: Frame<HostPhys>) -> Option<PageId> {
        let number = frame.number().checked_sub(self.base())?;
        if number < self.pool.len() as u64 { PageId::new(number as u32 + 1) } else { None }
    }

    #[inline]
    fn guest(&self, frame: Frame<GuestPhys>) -> Option<&FrameTable> {
        self.guest.get(self.layout.ram_index(frame)?)
    }
}
