//! Physical memory as tables: the only way to a byte of the pool or of guest RAM.
//!
//! The hypervisor's own map is an identity, so a physical address is a pointer. What makes that sound
//! is established once, in [`PhysicalMemory::new`]: the two ranges exist, are mapped, and belong
//! to nobody else. Every entry is an atomic, because the MMU's walker and guests use the same bytes.
//!
//! The same on every processor, but for the instructions that move many entries at once ([`Bulk`]).
#![no_std]

use core::fmt::Debug;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};

use paging::addr::{ENTRIES, Frame, GuestPhys, HostPhys, Hpa, Index, PAGE_SHIFT};
use paging::layout::Layout;
use paging::mem::{Entries, GROUP, Group, Memory};
use paging::pool::PageId;

/// How a processor moves many entries at once.
pub trait Bulk: Copy + Debug + 'static {
    /// Reads a group, each entry whole.
    fn load(group: &[AtomicU64; GROUP]) -> [u64; GROUP];
    /// Writes a group, each entry whole.
    fn store(group: &[AtomicU64; GROUP], raw: [u64; GROUP]);
    /// The members of a group, or'ed.
    fn any(group: &[AtomicU64; GROUP]) -> u64;
    /// The members of a group, and'ed.
    fn all(group: &[AtomicU64; GROUP]) -> u64;
    /// Makes entries of one table of those of another: [`Entries::map_group`].
    fn map(
        from: &impl Entries,
        group: Group,
        to: &impl Entries,
        make: impl FnMut(Index, u64) -> u64,
    );
    /// Makes a table of the pool zero.
    fn clear(self, table: &[AtomicU64; ENTRIES]);
}

/// A frame as 512 descriptors. 4 KiB, aligned to 4 KiB.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct FrameTable<B>([AtomicU64; ENTRIES], PhantomData<B>);

impl<B> FrameTable<B> {
    /// The entries of `group`.
    #[inline(always)]
    const fn members(&self, group: Group) -> &[AtomicU64; GROUP] {
        let at = self.0.as_ptr().wrapping_byte_add(group.offset());
        // SAFETY: a group lies within its table.
        unsafe { &*at.cast() }
    }
}

impl<B: Bulk> Entries for FrameTable<B> {
    #[inline]
    fn get(&self, at: Index) -> u64 {
        self.0[at.get()].load(Ordering::Relaxed)
    }

    #[inline]
    fn set(&self, at: Index, raw: u64) {
        self.0[at.get()].store(raw, Ordering::Relaxed);
    }

    #[inline(always)]
    fn group(&self, group: Group) -> [u64; GROUP] {
        B::load(self.members(group))
    }

    #[inline(always)]
    fn any(&self, group: Group) -> u64 {
        B::any(self.members(group))
    }

    #[inline(always)]
    fn all(&self, group: Group) -> u64 {
        B::all(self.members(group))
    }

    #[inline(always)]
    fn map_group(&self, group: Group, to: &impl Entries, make: impl FnMut(Index, u64) -> u64) {
        B::map(self, group, to, make);
    }

    #[inline(always)]
    fn set_group(&self, group: Group, raw: [u64; GROUP]) {
        B::store(self.members(group), raw);
    }
}

/// The pool of table frames and the RAM of one guest.
#[derive(Debug)]
pub struct PhysicalMemory<B: 'static> {
    pool: &'static [FrameTable<B>],
    guest: &'static [FrameTable<B>],
    /// The number of the guest's first frame of RAM.
    first: u64,
    bulk: B,
}

impl<B: Bulk> PhysicalMemory<B> {
    /// The `frames` frames from `pool` on, and the RAM of `layout`.
    ///
    /// # Safety
    ///
    /// Both ranges are RAM, aligned to 4 KiB, identity-mapped as normal memory for as long as the
    /// hypervisor runs, apart from each other, and nothing else in the hypervisor refers to them
    /// but other `PhysicalMemory`s of the same guest. What `bulk` asks of the memory it clears is so.
    #[must_use]
    pub unsafe fn new(pool: Hpa, frames: usize, layout: Layout, bulk: B) -> Self {
        let at = pool.bits() as *const FrameTable<B>;
        let ram = layout.backing().start().bits() as *const FrameTable<B>;
        Self {
            // SAFETY: the caller gives the range; atomics may be written by others at any time.
            pool: unsafe { core::slice::from_raw_parts(at, frames) },
            // SAFETY: the same.
            guest: unsafe { core::slice::from_raw_parts(ram, layout.frames() as usize) },
            first: layout.ram().number(),
            bulk,
        }
    }

    /// Where pool frame 1 stands.
    fn base(&self) -> u64 {
        self.pool.as_ptr() as u64 >> PAGE_SHIFT
    }
}

impl<B: Bulk> Memory for PhysicalMemory<B> {
    type Table = FrameTable<B>;
    type Guest = FrameTable<B>;

    #[inline]
    fn table(&self, page: PageId) -> &FrameTable<B> {
        &self.pool[page.number() as usize - 1]
    }

    #[inline]
    fn clear(&self, page: PageId) {
        self.bulk.clear(&self.table(page).0);
    }

    #[inline]
    fn frame_of(&self, page: PageId) -> Frame<HostPhys> {
        Frame::from_number(self.base() + u64::from(page.number()) - 1)
    }

    #[inline]
    fn page_of(&self, frame: Frame<HostPhys>) -> Option<PageId> {
        let number = frame.number().wrapping_sub(self.base());
        (number < self.pool.len() as u64).then(|| PageId::nth(number as u32))
    }

    #[inline(always)]
    fn table_at(&self, frame: Frame<HostPhys>) -> Option<&FrameTable<B>> {
        self.pool.get(frame.number().wrapping_sub(self.base()) as usize)
    }

    #[inline]
    fn guest(&self, frame: Frame<GuestPhys>) -> Option<&FrameTable<B>> {
        self.guest.get(frame.number().wrapping_sub(self.first) as usize)
    }
}
