//! The heap: a part of RAM behind the image.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use linked_list_allocator::Heap;
use spin::Mutex;

/// Bytes of the heap, beside what the list of free frames takes.
const SIZE: u64 = 4 << 20;

/// The allocator of `alloc`. One CPU, and no interrupt handler may allocate.
struct Allocator(Mutex<Heap>);

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(Mutex::new(Heap::empty()));

// SAFETY: `Heap` keeps the contract; the lock makes its calls exclusive.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.lock().allocate_first_fit(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(block) = NonNull::new(block) else { return };
        // SAFETY: the caller got `block` from `alloc`, with this layout.
        unsafe { self.0.lock().deallocate(block, layout) }
    }
}

/// How many bytes the heap takes on a machine with `ram_size` bytes of RAM.
pub(crate) const fn size(ram_size: u64) -> u64 {
    SIZE + crate::frames::list_size(ram_size)
}

/// Makes the heap from `start` to `end`.
pub(crate) fn start(start: u64, end: u64) {
    // SAFETY: called once, by `run`: RAM behind the image that nothing else uses.
    unsafe { ALLOCATOR.0.lock().init(start as *mut u8, (end - start) as usize) };
}
