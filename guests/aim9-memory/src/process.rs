//! A process: an address space with an image that is shared, and a heap that grows and shrinks.

use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use rt::batch::{Batch, Plain, Stores};
use rt::fault::{Cause, Fault};
use rt::space::{self, Access, FRAME, Frame, Space, USER};
use rt::{Exception, entry, frames, tlb};

use crate::owners;

/// Where the image is mapped, read-only.
pub(crate) const IMAGE: u64 = USER;
/// Where the heap begins.
pub(crate) const HEAP: u64 = USER + 0x20_0000;
/// Where mappings begin.
pub(crate) const MAPPINGS: u64 = USER + 0x40_0000;

/// The process that runs.
static CURRENT: AtomicPtr<Process> = AtomicPtr::new(core::ptr::null_mut());

/// See the module.
pub(crate) struct Process {
    /// Its tables.
    space: Space,
    /// Its image's frames: the first, and how many there are in a row.
    image: (Frame, u64),
    /// How many pages of heap it may touch.
    heap: u64,
}

impl Process {
    /// A process that has touched nothing yet.
    pub(crate) fn new(asid: u16, image: (Frame, u64), heap: u64) -> Self {
        Self { space: Space::new(asid), image, heap }
    }

    /// Runs it: its space and its faults are the current ones.
    pub(crate) fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = CURRENT.swap(self, Relaxed);
        self.space.activate();
        let result = work();
        CURRENT.store(before, Relaxed);
        result
    }

    /// Lets the heap grow by `pages`; nothing is mapped before it is touched.
    pub(crate) fn grow(&mut self, pages: u64) {
        self.heap += pages;
    }

    /// Takes the last `pages` of the heap away.
    #[inline(always)]
    pub(crate) fn shrink(&mut self, pages: u64) {
        self.heap -= pages;
        self.unmap(HEAP + self.heap * FRAME, pages);
    }

    /// Maps `pages` at [`MAPPINGS`] at once, to frames that are zero.
    pub(crate) fn map(&mut self, pages: u64) {
        match Batch::begin() {
            Some(batch) => self.map_batched(batch, pages),
            None => self.map_by(Plain, pages),
        }
    }

    /// See [`map`](Self::map).
    #[inline(never)]
    fn map_batched(&mut self, batch: Batch, pages: u64) {
        self.map_by(batch, pages)
    }

    /// See [`map`](Self::map).
    #[inline(always)]
    fn map_by(&mut self, mut stores: impl Stores, pages: u64) {
        for page in 0..pages {
            let slot = self.space.entry(MAPPINGS + page * FRAME);
            // SAFETY: an entry for the page; the frame is new.
            unsafe { stores.store(slot, entry::page(zeroed(), Access::ReadWrite)) };
        }
        stores.finish();
        tlb::publish();
    }

    /// Unmaps whatever is mapped among `pages` from `start` on, and gives the frames back.
    pub(crate) fn unmap(&mut self, start: u64, pages: u64) {
        match Batch::begin() {
            Some(batch) => self.unmap_batched(batch, start, pages),
            None => self.unmap_by(Plain, start, pages),
        }
    }

    /// See [`unmap`](Self::unmap).
    #[inline(never)]
    fn unmap_batched(&mut self, batch: Batch, start: u64, pages: u64) {
        self.unmap_by(batch, start, pages)
    }

    /// See [`unmap`](Self::unmap).
    #[inline(always)]
    fn unmap_by(&mut self, mut stores: impl Stores, start: u64, pages: u64) {
        let mut unmapped = 0;
        for page in 0..pages {
            let slot = self.space.entry_inline(start + page * FRAME);
            // SAFETY: an entry for the page.
            let value = unsafe { space::load(slot) };
            if entry::is_present(value) {
                // SAFETY: as above; the pages are no longer the process's.
                unsafe { stores.store(slot, 0) };
                owners::release(entry::target(value));
                unmapped += 1;
            }
        }
        stores.finish();
        if unmapped > 0 {
            tlb::pages(self.space.asid(), start, pages);
        }
    }

    /// A copy of the process that shares every frame of its heap until one of them writes to it.
    pub(crate) fn fork(&mut self, asid: u16) -> Self {
        match Batch::begin() {
            Some(batch) => self.fork_batched(batch, asid),
            None => self.fork_by(Plain, asid),
        }
    }

    /// See [`fork`](Self::fork).
    #[inline(never)]
    fn fork_batched(&mut self, batch: Batch, asid: u16) -> Self {
        self.fork_by(batch, asid)
    }

    /// See [`fork`](Self::fork).
    #[inline(always)]
    fn fork_by(&mut self, mut stores: impl Stores, asid: u16) -> Self {
        let mut child = Self::new(asid, self.image, self.heap);
        for page in 0..self.heap {
            let at = HEAP + page * FRAME;
            let slot = self.space.entry_inline(at);
            // SAFETY: an entry for the page.
            let value = unsafe { space::load(slot) };
            if !entry::is_present(value) {
                continue;
            }
            let shared = entry::with_write(value, false);
            if shared != value {
                // SAFETY: as above.
                unsafe { stores.store(slot, shared) };
            }
            owners::share(entry::target(value));
            // SAFETY: an entry for the page in the child, which shares the frame, read-only.
            unsafe { space::store(child.space.entry_inline(at), shared) };
        }
        stores.finish();
        tlb::space(self.space.asid());
        child
    }

    /// Ends it: its frames and its tables are given back. Another process runs next.
    pub(crate) fn exit(self) {
        space::activate_kernel();
        for page in 0..self.heap {
            if let Some(frame) = self.space.frame(HEAP + page * FRAME) {
                owners::release(frame);
            }
        }
        self.space.destroy();
    }

    /// Handles a fault; returns whether the process may go on.
    fn fault(&mut self, fault: Fault) -> bool {
        let (image, pages) = self.image;
        let at = fault.address & !(FRAME - 1);
        let heap = HEAP..HEAP + self.heap * FRAME;
        match fault.cause {
            Cause::NotPresent if (IMAGE..IMAGE + pages * FRAME).contains(&at) => {
                let frame = image.plus((at - IMAGE) / FRAME);
                // SAFETY: the image is there for every process to read.
                unsafe { self.space.map(at, frame, Access::ReadOnly) };
            }
            Cause::NotPresent if heap.contains(&at) => {
                // SAFETY: the frame is new.
                unsafe { self.space.map(at, zeroed(), Access::ReadWrite) };
            }
            Cause::Permission if fault.write && heap.contains(&at) => self.copy_on_write(at),
            _ => return false,
        }
        true
    }

    /// Makes the page at `at`, which is mapped, the process's own.
    fn copy_on_write(&mut self, at: u64) {
        let slot = self.space.entry(at);
        // SAFETY: an entry for the page.
        let value = unsafe { space::load(slot) };
        let frame = entry::target(value);
        if !owners::is_shared(frame) {
            // SAFETY: as above; nobody else has the frame.
            unsafe { space::store(slot, entry::with_write(value, true)) };
            tlb::page(self.space.asid(), at);
            return;
        }
        let copy = frames::take();
        // SAFETY: two frames, and the second was nobody's.
        unsafe { frame.words().copy_to_nonoverlapping(copy.words(), (FRAME / 8) as usize) };
        // The old translation must be gone before another frame takes its place (Arm ARM,
        // "Using break-before-make when updating translation table entries").
        // SAFETY: as above.
        unsafe { space::store(slot, 0) };
        tlb::page(self.space.asid(), at);
        // SAFETY: as above; the copy is the process's own.
        unsafe { space::store(slot, entry::page(copy, Access::ReadWrite)) };
        tlb::publish();
        owners::release(frame);
    }
}

/// A new frame, all zero.
fn zeroed() -> Frame {
    let frame = frames::take();
    // SAFETY: the frame was nobody's.
    unsafe { frame.clear() };
    frame
}

/// The handler of the runtime's exceptions: the current process's faults.
pub(crate) fn fault(exception: &mut Exception) -> bool {
    let Some(fault) = exception.fault() else { return false };
    // SAFETY: `run` put its process there, and the process is only used through calls that touch
    // none of its own pages.
    let process = unsafe { CURRENT.load(Relaxed).as_mut() };
    process.is_some_and(|process| process.fault(fault))
}
