//! Tables: the entries of 4-level paging (Intel SDM vol. 3, "4-Level Paging and 5-Level Paging").
//! The identity map was made by `start.s`.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::space::{self, Access, Frame};

/// Levels of a walk; the root is level `LEVELS - 1`, pages are level 0.
pub(crate) const LEVELS: u32 = 4;

/// P: the entry counts.
const PRESENT: u64 = 1 << 0;
/// R/W: writes are allowed.
const WRITABLE: u64 = 1 << 1;
/// A: the page was accessed, or the table used.
const ACCESSED: u64 = 1 << 5;
/// D: the page was written.
const DIRTY: u64 = 1 << 6;
/// PS: the entry of a table above level 0 is a page itself.
const LARGE: u64 = 1 << 7;
/// XD: nothing is executed there.
const NO_EXECUTE: u64 = 1 << 63;
/// The address of a page or the next table.
const ADDRESS: u64 = ((1 << 52) - 1) & !((1 << 12) - 1);

/// Entries of a table, and the first of the upper half in a root.
const ENTRIES: usize = 512;
/// See [`ENTRIES`].
const UPPER: usize = ENTRIES / 2;

unsafe extern "C" {
    static rt_root: u8;
}

/// The current root's address, and in the bits below it the space's tag.
static CURRENT: AtomicU64 = AtomicU64::new(0);
/// Where the tag is.
const TAG: u64 = space::FRAME - 1;

/// The index into a table of `level` for `va`.
#[inline(always)]
pub(crate) const fn index(va: u64, level: u32) -> usize {
    ((va >> (12 + 9 * level)) & 511) as usize
}

/// An entry that points to the next table.
#[inline(always)]
pub const fn table(next: Frame) -> u64 {
    next.address() | PRESENT | WRITABLE | ACCESSED
}

/// An entry for a page of data that belongs to one address space.
#[inline(always)]
pub const fn page(frame: Frame, access: Access) -> u64 {
    let base = frame.address() | PRESENT | NO_EXECUTE;
    match access {
        Access::ReadWrite => base | WRITABLE | ACCESSED | DIRTY,
        Access::ReadOnly => base | ACCESSED | DIRTY,
        Access::Untouched => base | WRITABLE,
    }
}

/// An entry of level 1 for 2 MiB of data that belong to one address space.
#[inline(always)]
pub const fn block(first: Frame, access: Access) -> u64 {
    page(first, access) | LARGE
}

/// Whether an entry is present.
#[inline(always)]
pub const fn is_present(entry: u64) -> bool {
    entry & PRESENT != 0
}

/// Whether the page was read and written, as far as the processor notes it.
#[inline(always)]
pub const fn is_used(entry: u64) -> bool {
    entry & (ACCESSED | DIRTY) == ACCESSED | DIRTY
}

/// Whether a page's entry forbids writes.
#[inline(always)]
pub const fn is_read_only(entry: u64) -> bool {
    entry & WRITABLE == 0
}

/// The entry with writes allowed or not.
#[inline(always)]
pub const fn with_write(entry: u64, allowed: bool) -> u64 {
    if allowed { entry | WRITABLE } else { entry & !WRITABLE }
}

/// The frame of a page or of the next table.
#[inline(always)]
pub const fn target(entry: u64) -> Frame {
    Frame::at(entry & ADDRESS)
}

/// The root of the kernel's own address space: the identity map alone.
pub(crate) fn kernel_root() -> Frame {
    Frame::at((&raw const rt_root).addr() as u64)
}

/// Notes that `start.s` has loaded the kernel's root.
pub(crate) fn start() {
    CURRENT.store(kernel_root().address(), Relaxed);
}

/// Loads CR3.
///
/// # Safety
///
/// `root` is a root table that holds the kernel's entry, so that code and stack stay mapped.
#[inline(always)]
unsafe fn load(root: u64) {
    // SAFETY: by the caller.
    unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack, preserves_flags)) }
}

/// Makes `root` the root, tagged `asid`, which is less than 4,096.
///
/// # Safety
///
/// `root` is a root table that holds the kernel's entry, so that code and stack stay mapped.
#[inline(always)]
pub unsafe fn load_root(root: Frame, asid: u16) {
    CURRENT.store(root.address() | u64::from(asid), Relaxed);
    // SAFETY: by the caller.
    unsafe { load(root.address()) }
}

/// Loads the current root again, if it is tagged `asid`.
#[inline(always)]
pub(crate) fn reload(asid: u16) {
    let current = CURRENT.load(Relaxed);
    if current & TAG == asid.into() {
        // SAFETY: as when it was loaded before.
        unsafe { load(current & !TAG) }
    }
}

/// Makes the upper half of `root` that of the current root.
///
/// # Safety
///
/// `root` is a root table, and nothing in use is mapped by the old half.
pub(crate) unsafe fn load_upper_root(root: Frame) {
    set_upper(|slot| {
        // SAFETY: by the caller.
        unsafe { space::load(root.words().wrapping_add(slot)) }
    });
}

/// Ends the use of the upper half.
pub(crate) fn clear_upper_root() {
    set_upper(|_| 0);
}

/// Sets the upper half of the current root.
fn set_upper(entry: impl Fn(usize) -> u64) {
    let root = Frame::at(CURRENT.load(Relaxed));
    for slot in UPPER..ENTRIES {
        // SAFETY: a root's entry; the caller answers for what it maps.
        unsafe { space::store(root.words().wrapping_add(slot), entry(slot)) };
    }
    super::tlb::all();
}
