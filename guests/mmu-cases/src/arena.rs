//! What most cases begin with: a space, its tables at hand, and marked frames.

use rt::space::{self, Access, FRAME, Frame, Space, USER};
use rt::{entry, frames, tlb};

/// Frames of an arena.
pub(crate) const FRAMES: u64 = 16;

/// See the module. Its space is the current one.
pub(crate) struct Arena {
    /// The space.
    pub(crate) space: Space,
    /// The first of [`FRAMES`] frames in a row.
    pub(crate) frame: Frame,
}

/// What the first word of an arena's frame holds.
pub(crate) const fn mark(index: u64) -> u64 {
    0xc0de_0000 | index
}

/// The address of the page that a case uses as its `index`th.
pub(crate) const fn page(index: u64) -> u64 {
    USER + index * FRAME
}

/// Reads an entry.
pub(crate) fn get(slot: *mut u64) -> u64 {
    // SAFETY: the cases name entries of their tables.
    unsafe { space::load(slot) }
}

/// Writes an entry.
pub(crate) fn set(slot: *mut u64, value: u64) {
    // SAFETY: the cases name entries of their tables, and map frames of theirs.
    unsafe { space::store(slot, value) }
}

/// A table without valid entries.
pub(crate) fn table() -> Frame {
    let frame = frames::take();
    // SAFETY: the frame was nobody's.
    unsafe { frame.clear() };
    frame
}

/// An entry of a table.
pub(crate) fn slot(table: Frame, index: u64) -> *mut u64 {
    table.words().wrapping_add(index as usize)
}

/// Two frames that are aligned to 2 MiB: 1,024 frames, the first word of each marked.
pub(crate) fn two_blocks() -> Frame {
    /// Frames of a block of 2 MiB.
    const BLOCK: u64 = 512;
    let first = frames::take_contiguous(3 * BLOCK);
    let first = Frame::at(first.address().next_multiple_of(BLOCK * FRAME));
    for index in 0..2 * BLOCK {
        // SAFETY: frames of ours.
        unsafe { first.plus(index).words().write_volatile(mark(index)) };
    }
    first
}

impl Arena {
    /// An arena whose first page is mapped to its first frame, and so on.
    pub(crate) fn new(asid: u16) -> Self {
        let frame = frames::take_contiguous(FRAMES);
        let mut space = Space::new(asid);
        for index in 0..FRAMES {
            let frame = frame.plus(index);
            // SAFETY: a frame of ours.
            unsafe { frame.words().write_volatile(mark(index)) };
            // SAFETY: as above.
            unsafe { space.map(page(index), frame, Access::ReadWrite) };
        }
        space.activate();
        Self { space, frame }
    }

    /// The entry of a page.
    pub(crate) fn entry(&mut self, index: u64) -> *mut u64 {
        self.space.entry(page(index))
    }

    /// What the entry of a page is when it is mapped to a frame.
    pub(crate) fn value(&self, frame: u64) -> u64 {
        entry::page(self.frame.plus(frame), Access::ReadWrite)
    }

    /// The table of level 1, which has the leaf table's entry first.
    pub(crate) fn lower(&self) -> Frame {
        entry::target(get(slot(self.upper(), 0)))
    }

    /// The table of level 2.
    pub(crate) fn upper(&self) -> Frame {
        entry::target(get(slot(self.space.root(), 1)))
    }

    /// Changes an entry as the architecture wants it for a live one: break, invalidate, make.
    pub(crate) fn replace(&self, slot: *mut u64, value: u64) {
        set(slot, 0);
        tlb::space(self.space.asid());
        set(slot, value);
        tlb::publish();
    }
}
