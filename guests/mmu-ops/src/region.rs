//! The region: 4,096 pages, their leaf tables in a row, their frames in a row.

use rt::quick::{self, Handler};
use rt::space::{self, Access, FRAME, Frame, Space, USER};
use rt::{check, entry, frames};

/// What the first word of a page's frame holds, so that a read shows whose frame it reached.
pub(crate) const fn mark(page: u64) -> u64 {
    0x5a5a_0000_0000_0000 | page
}

/// See the module. Its space is the current one.
pub(crate) struct Region {
    /// The address space.
    pub space: Space,
    /// How many pages.
    pub pages: u64,
    /// The frame of the first page.
    pub frame: Frame,
    /// The entry of the first page.
    entries: *mut u64,
}

impl Region {
    /// Makes it, with nothing mapped and every frame touched.
    pub(crate) fn new(pages: u64) -> Self {
        let frame = frames::take_contiguous(pages);
        for page in 0..pages {
            // SAFETY: a frame of ours.
            unsafe { frame.plus(page).words().write_volatile(mark(page)) };
        }
        let mut space = Space::new(1);
        let entries = space.entry(USER);
        for page in 0..pages {
            let expected = entries.wrapping_add(page as usize);
            check!(space.entry(USER + page * FRAME) == expected, "leaf tables are not in a row");
        }
        space.activate();
        Self { space, pages, frame, entries }
    }

    /// The address of a page.
    pub(crate) fn page(&self, page: u64) -> *mut u64 {
        (USER + page * FRAME) as *mut u64
    }

    /// The entry of a page.
    pub(crate) fn entry(&self, page: u64) -> *mut u64 {
        self.entries.wrapping_add(page as usize)
    }

    /// What the entry of a page is when it is mapped.
    pub(crate) fn value(&self, page: u64) -> u64 {
        entry::page(self.frame.plus(page), Access::ReadWrite)
    }

    /// Does `work` while a quick handler serves the region's faults.
    pub(crate) fn with<T>(&self, handler: Handler, work: impl FnOnce() -> T) -> T {
        let region = quick::Region {
            start: USER,
            entries: self.entries,
            first: self.value(0),
            asid: self.space.asid(),
        };
        // SAFETY: entries and frames are this region's.
        unsafe { quick::install(handler, &region) };
        let result = work();
        quick::remove();
        result
    }

    /// Maps every page.
    pub(crate) fn map_all(&mut self) {
        for page in 0..self.pages {
            // SAFETY: a frame of ours.
            unsafe { space::store(self.entry(page), self.value(page)) };
        }
        rt::tlb::space(self.space.asid());
        self.touch_all();
    }

    /// Unmaps every page.
    pub(crate) fn unmap_all(&mut self) {
        for page in 0..self.pages {
            // SAFETY: nothing of the region is in use.
            unsafe { space::store(self.entry(page), 0) };
        }
        rt::tlb::space(self.space.asid());
    }

    /// Reads every page, all of which are mapped, and checks whose frame it is.
    pub(crate) fn touch_all(&self) {
        for page in 0..self.pages {
            // SAFETY: the page is mapped.
            let read = unsafe { self.page(page).read_volatile() };
            check!(read == mark(page), "page {page} reads {read:#x}");
        }
    }
}
