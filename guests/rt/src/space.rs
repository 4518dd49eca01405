//! Address spaces: a guest's own page tables, written with plain eight-byte stores.
//!
//! Every space has the identity map in its root's first entry, shared and global, so that code,
//! stack and tables stay where they are when its root is loaded. Its own pages are 4 KiB and stand
//! under the other entries, from [`USER`] on.

use alloc::vec::Vec;

pub use crate::arch::table::load_root;
use crate::arch::{table, tlb};
use crate::frames;

/// Bytes of a frame, and of a page.
pub const FRAME: u64 = 4096;

/// Where the second entry of a root begins: 512 GiB, the first address that the identity map does
/// not share.
pub const USER: u64 = 1 << 39;

/// The first address of the upper half.
pub const UPPER: u64 = !0 << 47;

/// The physical address of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame(u64);

impl Frame {
    /// The frame that `address` is in.
    pub const fn at(address: u64) -> Self {
        Self(address & !(FRAME - 1))
    }

    /// Its address, physical and (by the identity map) virtual.
    pub const fn address(self) -> u64 {
        self.0
    }

    /// The `index`th frame behind it.
    pub const fn plus(self, index: u64) -> Self {
        Self(self.0 + index * FRAME)
    }

    /// Its first word, by the identity map.
    pub const fn words(self) -> *mut u64 {
        self.0 as *mut u64
    }

    /// Clears its 512 words, one store each.
    ///
    /// # Safety
    ///
    /// Nobody uses what is in it.
    #[inline(never)]
    pub unsafe fn clear(self) {
        /// Stores in one turn of the loop.
        const TURN: usize = 16;
        for turn in (0..(FRAME / 8) as usize).step_by(TURN) {
            for index in turn..turn + TURN {
                // SAFETY: inside the frame, which is RAM in the identity map; nobody uses it.
                unsafe { store(self.words().wrapping_add(index), 0) };
            }
        }
    }
}

/// What a page allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads and writes.
    ReadWrite,
    /// Reads.
    ReadOnly,
    /// Reads and writes, once software has noted that it was accessed.
    Untouched,
}

/// Reads an entry.
///
/// # Safety
///
/// `entry` is an entry of a table.
#[inline(always)]
pub unsafe fn load(entry: *const u64) -> u64 {
    // SAFETY: by the caller; volatile, since the processor walks tables on its own.
    unsafe { entry.read_volatile() }
}

/// Writes an entry with one store.
///
/// # Safety
///
/// `entry` is an entry of a table, and what it comes to map is the caller's to map.
#[inline(always)]
pub unsafe fn store(entry: *mut u64, value: u64) {
    // SAFETY: by the caller; volatile, since the processor walks tables on its own.
    unsafe { entry.write_volatile(value) }
}

/// An address space.
pub struct Space {
    /// Its root table.
    root: Frame,
    /// Its tag.
    asid: u16,
    /// Every table frame, the root first.
    tables: Vec<Frame>,
}

impl Space {
    /// A space that shares the identity map and has nothing else. `asid` tags it, and is not 0,
    /// the kernel's own.
    pub fn new(asid: u16) -> Self {
        let space = Self::empty(asid);
        // SAFETY: the kernel's root stands as long as the guest runs, and this one is new.
        let kernel = unsafe { load(table::kernel_root().words()) };
        // SAFETY: as above.
        unsafe { store(space.root.words(), kernel) };
        space
    }

    /// A space for the upper half.
    pub fn upper() -> Self {
        Self::empty(0)
    }

    /// A root without entries.
    fn empty(asid: u16) -> Self {
        let mut tables = Vec::with_capacity(8);
        let root = new_table();
        tables.push(root);
        Self { root, asid, tables }
    }

    /// Its root table.
    pub fn root(&self) -> Frame {
        self.root
    }

    /// Its tag.
    pub fn asid(&self) -> u16 {
        self.asid
    }

    /// How many tables it has, the root included.
    pub fn tables(&self) -> usize {
        self.tables.len()
    }

    /// Makes it the current one.
    #[inline(always)]
    pub fn activate(&self) {
        // SAFETY: the root holds the kernel's entry since `new`.
        unsafe { table::load_root(self.root, self.asid) }
    }

    /// Makes it, one made by [`Space::upper`], the upper half.
    pub fn activate_upper(&self) {
        // SAFETY: the guest's code and data are in the lower half.
        unsafe { table::load_upper_root(self.root) }
    }

    /// The leaf entry for `va`; tables that are missing are made.
    pub fn entry(&mut self, va: u64) -> *mut u64 {
        self.entry_at(va, 0)
    }

    /// [`entry`](Self::entry), without a call: for loops over many pages.
    #[inline(always)]
    pub fn entry_inline(&mut self, va: u64) -> *mut u64 {
        self.entry_at(va, 0)
    }

    /// The entry for the 2 MiB block at `va`; tables that are missing are made.
    pub fn block_entry(&mut self, va: u64) -> *mut u64 {
        self.entry_at(va, 1)
    }

    /// The entry for `va` in a table of `level`; tables that are missing are made.
    #[inline(always)]
    fn entry_at(&mut self, va: u64, level: u32) -> *mut u64 {
        let mut frame = self.root;
        for above in (level + 1..table::LEVELS).rev() {
            let slot = frame.words().wrapping_add(table::index(va, above));
            // SAFETY: an entry of one of this space's tables.
            let entry = unsafe { load(slot) };
            frame = if table::is_present(entry) {
                table::target(entry)
            } else {
                let next = new_table();
                self.tables.push(next);
                // SAFETY: as above; the new table is empty.
                unsafe { store(slot, table::table(next)) };
                next
            };
        }
        frame.words().wrapping_add(table::index(va, level))
    }

    /// Maps the page at `va`, which nothing was mapped at.
    ///
    /// # Safety
    ///
    /// `frame` is the caller's to map.
    pub unsafe fn map(&mut self, va: u64, frame: Frame, access: Access) {
        let entry = self.entry(va);
        // SAFETY: an entry for `va`; by the caller.
        unsafe { store(entry, table::page(frame, access)) };
        tlb::publish();
    }

    /// The frame that the page at `va` is mapped to.
    pub fn frame(&self, va: u64) -> Option<Frame> {
        let mut frame = self.root;
        for level in (0..table::LEVELS).rev() {
            let slot = frame.words().wrapping_add(table::index(va, level));
            // SAFETY: an entry of one of this space's tables.
            let entry = unsafe { load(slot) };
            if !table::is_present(entry) {
                return None;
            }
            frame = table::target(entry);
        }
        Some(frame)
    }

    /// Unmaps the page at `va`; returns the frame that it was mapped to.
    pub fn unmap(&mut self, va: u64) -> Option<Frame> {
        let slot = self.entry(va);
        // SAFETY: an entry for `va`.
        let entry = unsafe { load(slot) };
        if !table::is_present(entry) {
            return None;
        }
        // SAFETY: as above.
        unsafe { store(slot, 0) };
        tlb::page(self.asid, va);
        Some(table::target(entry))
    }

    /// Ends it: the kernel's own space is the current one then, and its tables' frames are given
    /// back. Frames of data stay with whoever mapped them.
    pub fn destroy(self) {
        activate_kernel();
        tlb::space(self.asid);
        for frame in self.tables {
            frames::give_back(frame);
        }
    }
}

/// Makes the identity map alone the current space.
#[inline(always)]
pub fn activate_kernel() {
    // SAFETY: the kernel's own root.
    unsafe { table::load_root(table::kernel_root(), 0) }
}

/// Ends the use of the upper half.
pub fn deactivate_upper() {
    table::clear_upper_root();
}

/// A table without valid entries.
#[cold]
fn new_table() -> Frame {
    let frame = frames::take();
    // SAFETY: the frame was nobody's.
    unsafe { frame.clear() };
    frame
}
