//! Frames: the 4 KiB pages of RAM that a guest makes tables and data of.
//!
//! Frames that nobody has touched yet are handed out in ascending order; frames that were given back
//! are handed out again, the last one first, unless the guest asks for fresh ones. The list stands
//! beside the frames and not in them, so that giving back a frame touches nothing that may still
//! be a table to somebody.

use alloc::vec::Vec;

use spin::Mutex;

use crate::space::{FRAME, Frame};

/// All frames that are not in use.
struct Pool {
    /// The first frame that was never handed out, and the end of RAM.
    fresh: u64,
    /// See `fresh`.
    end: u64,
    /// Numbers of the frames that were given back.
    free: Vec<u32>,
    /// Whether those are handed out.
    reuse: bool,
}

/// The pool.
static POOL: Mutex<Pool> = Mutex::new(Pool { fresh: 0, end: 0, free: Vec::new(), reuse: true });

/// Bytes that the list of free frames takes when all RAM is in it.
pub(crate) const fn list_size(ram_size: u64) -> u64 {
    ram_size / FRAME * size_of::<u32>() as u64
}

/// Hands out RAM from `start` to `end`.
pub(crate) fn start(start: u64, end: u64) {
    let fresh = start.next_multiple_of(FRAME);
    let mut pool = POOL.lock();
    pool.fresh = fresh;
    pool.end = end;
    pool.free.reserve_exact((end.saturating_sub(fresh) / FRAME) as usize);
}

/// How many frames were never handed out.
pub fn fresh_left() -> u64 {
    let pool = POOL.lock();
    (pool.end - pool.fresh) / FRAME
}

/// Ends the guest, with a message, unless `count` frames were never handed out.
pub fn require(count: u64) {
    let left = fresh_left();
    if left < count {
        crate::println!(
            "rt: this guest needs {} MiB more memory: it wants {count} frames, {left} are left",
            ((count - left) * FRAME).div_ceil(1 << 20),
        );
        crate::exit(crate::status::UNSUITABLE);
    }
}

/// Whether frames that were given back are handed out again. They are, unless told otherwise.
pub fn reuse(reuse: bool) {
    POOL.lock().reuse = reuse;
}

/// Hands out a frame, its content whatever it was. Without one left the guest ends.
#[inline]
pub fn take() -> Frame {
    let mut pool = POOL.lock();
    if pool.reuse
        && let Some(number) = pool.free.pop()
    {
        return Frame::at(u64::from(number) * FRAME);
    }
    drop(pool);
    take_contiguous(1)
}

/// Hands out `count` frames in a row that were never handed out; returns the first.
pub fn take_contiguous(count: u64) -> Frame {
    let mut pool = POOL.lock();
    if (pool.end - pool.fresh) / FRAME < count {
        drop(pool);
        crate::println!("rt: out of memory: {count} more frames wanted");
        crate::exit(crate::status::UNSUITABLE);
    }
    let frame = Frame::at(pool.fresh);
    pool.fresh += count * FRAME;
    frame
}

/// Takes a frame back.
#[inline]
pub fn give_back(frame: Frame) {
    POOL.lock().free.push((frame.address() / FRAME) as u32);
}
