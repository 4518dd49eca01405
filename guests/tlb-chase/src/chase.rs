//! The chase: what is measured.

use core::mem::offset_of;

/// What a page of the set begins with.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Node {
    /// The node of the next page, by its virtual address.
    pub(crate) next: *const Node,
    /// Tells page and frame.
    pub(crate) mark: u64,
    /// How many pages of a round come before it.
    pub(crate) turn: u64,
}

/// A chase under way.
#[derive(Clone, Copy)]
pub(crate) struct Chase {
    at: *const Node,
    sum: u64,
}

impl Chase {
    /// One that begins at `start`.
    ///
    /// # Safety
    ///
    /// `start` is a node of a cycle whose pages are mapped as long as the chase goes on.
    pub(crate) const unsafe fn new(start: *const Node) -> Self {
        Self { at: start, sum: 0 }
    }

    /// Goes on by `accesses` pages, and touches no other memory.
    #[inline(always)]
    pub(crate) fn follow(self, accesses: u64) -> Self {
        let Self { mut at, mut sum } = self;
        for _ in 0..accesses {
            let mark = at.wrapping_byte_add(offset_of!(Node, mark)).cast::<u64>();
            // SAFETY: in a node that is mapped, by the caller of `new`.
            sum = sum.wrapping_add(unsafe { mark.read_volatile() });
            let next = at.wrapping_byte_add(offset_of!(Node, next)).cast::<*const Node>();
            // SAFETY: as above.
            at = unsafe { next.read_volatile() };
        }
        Self { at, sum }
    }

    /// Whether it is at a node.
    pub(crate) fn is_at(self, node: *const Node) -> bool {
        self.at == node
    }

    /// The sum of the marks that it came by.
    pub(crate) const fn sum(self) -> u64 {
        self.sum
    }
}
