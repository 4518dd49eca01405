//! Blocks that could be whole again, and are left split for a while.
//!
//! A guest that ends one address space and begins another gives a frame back as a table and takes one near by. To
//! join the block between the two would be to split it again at once. So a block whose last table goes
//! joins a short queue, from which a new table takes it. It is joined when the queue is full of younger ones, or
//! when room is made: no more than [`BLOCKS`] are split without need.

use crate::addr::Level;

/// How many blocks are left split.
pub(super) const BLOCKS: usize = 8;

/// A block: its level, and where it is among the records of that level.
pub(super) type Block = (Level, usize);

/// The queue, the oldest block first.
#[derive(Debug)]
pub(super) struct Idle([Option<Block>; BLOCKS]);

impl Idle {
    /// Nothing.
    pub(super) const NONE: Self = Self([None; BLOCKS]);

    /// The last table in `block` went. Returns the block that is to be joined for it.
    pub(super) fn push(&mut self, block: Block) -> Option<Block> {
        self.0.rotate_left(1);
        self.0[BLOCKS - 1].replace(block)
    }

    /// There is a table in `block`.
    #[inline]
    pub(super) fn remove(&mut self, block: Block) {
        if let Some(place) = self.0.iter().position(|it| *it == Some(block)) {
            self.0[place] = None;
            self.0[..=place].rotate_right(1);
        }
    }

    /// Takes the oldest block.
    pub(super) fn pop(&mut self) -> Option<Block> {
        self.0.iter_mut().find_map(Option::take)
    }

    /// Whether `block` is left split.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn has(&self, block: Block) -> bool {
        self.0.contains(&Some(block))
    }
}
