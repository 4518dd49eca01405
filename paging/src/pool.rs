//! The frames that tables are made of.

use alloc::vec::Vec;

use crate::mem::Memory;

/// A frame of the pool. 0 is never handed out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PageId(u32);

impl PageId {
    /// The frame whose number is `number`, counted from 1.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// The frame that stands behind `place` others. There are fewer than 2^32 - 1.
    #[must_use]
    #[inline(always)]
    pub const fn nth(place: u32) -> Self {
        Self::from_number(place.wrapping_add(1))
    }

    /// The frame that a number names which [`number`](Self::number) gave.
    pub(crate) const fn from_number(number: u32) -> Self {
        debug_assert!(number != 0, "no frame has the number 0");
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// There is no frame left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfFrames;

/// A stack of free frames, made once; taking and giving back never allocate.
///
/// A frame that is given back is zero, since whoever gives a table up looks at its entries anyway: most of
/// them are zero already. So only a frame that was never handed out has to be cleared.
#[derive(Debug)]
pub struct Pool {
    free: Vec<u32>,
    size: usize,
    least: usize,
    /// The frames from this number on were never handed out.
    fresh: u32,
}

impl Pool {
    /// A pool of `size` frames, numbered from 1, all free.
    #[must_use]
    pub fn new(size: u32) -> Self {
        let free = (1..=size).rev().collect();
        Self { free, size: size as usize, least: size as usize, fresh: 1 }
    }

    /// Takes a frame, which is zero.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] when none is free.
    pub fn alloc(&mut self, memory: &impl Memory) -> Result<PageId, OutOfFrames> {
        let page = PageId(self.free.pop().ok_or(OutOfFrames)?);
        self.least = self.least.min(self.free.len());
        if page.0 >= self.fresh {
            // Frames that were given back lie above those that never were taken.
            self.fresh = page.0 + 1;
            memory.clear(page);
        }
        memory.hand_out(page);
        Ok(page)
    }

    /// Gives a frame back, which is zero. No table entry and no TLB names it any more.
    pub fn free(&mut self, page: PageId) {
        debug_assert!(!self.free.contains(&page.0), "{page:?} is free already");
        self.free.push(page.0);
    }

    /// How many frames are free.
    #[must_use]
    pub fn available(&self) -> usize {
        self.free.len()
    }

    /// Whether `page` is free.
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn is_free(&self, page: PageId) -> bool {
        self.free.contains(&page.0)
    }

    /// How many frames there are.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// How many frames were in use at once, at most.
    #[must_use]
    pub const fn peak(&self) -> usize {
        self.size - self.least
    }
}
