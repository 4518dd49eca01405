//! 1 GiB of RAM, mapped with 2 MiB pages and touched. The tables lie in that RAM themselves.

use core::array;

use rt::space::{self, Access, FRAME, Frame, Space, USER};
use rt::{check, entry, frames, println};

use crate::{mark, row};

/// Bytes of a block.
const BLOCK: u64 = 2 << 20;
/// Blocks of 1 GiB.
const BLOCKS: u64 = 512;
/// The pages of each block that are read, first all of the one kind and then all of the other: where
/// they are in the block, and the names of row and phase.
const PAGES: [(u64, &str); 2] = [(BLOCK - FRAME, "blocks"), (BLOCK / 2, "blocks-again")];

pub(crate) fn rows() {
    let ram = rt::machine().ram.clone();
    if ram.end < ram.start + (BLOCKS - 1) * BLOCK {
        println!("scale: this guest needs 1 GiB of RAM");
        rt::exit(rt::status::UNSUITABLE);
    }
    let touched = rt::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(BLOCKS);
    let space = mapped(Frame::at(ram.start));
    mark_free();
    space.activate();
    for (offset, name) in PAGES {
        let read = |start: u64, block: u64| {
            // SAFETY: RAM, which `mapped` mapped and so does the identity map.
            unsafe { ((start + block * BLOCK + offset) as *const u64).read_volatile() }
        };
        let expected: [u64; BLOCKS as usize] =
            array::from_fn(|block| read(ram.start, block as u64));
        row(name, name, touched, touched, || {
            for (block, expected) in (0..touched).zip(expected) {
                let word = read(USER, block);
                check!(word == expected, "block {block} reads {word:#x}, not {expected:#x}");
            }
        });
    }
    space.destroy();
}

/// A space that has the GiB from `first` on in blocks.
fn mapped(first: Frame) -> Space {
    let mut space = Space::new(1);
    for block in 0..BLOCKS {
        let slot = space.block_entry(USER + block * BLOCK);
        let frame = first.plus(block * (BLOCK / FRAME));
        // SAFETY: an entry of the space's; what is mapped is only read.
        unsafe { space::store(slot, entry::block(frame, Access::ReadWrite)) };
    }
    rt::tlb::publish();
    space
}

/// Marks the pages that will be read, in all RAM that is free, so that no two blocks look alike.
fn mark_free() {
    let count = frames::fresh_left();
    let first = frames::take_contiguous(count);
    for frame in (0..count).map(|index| first.plus(index)) {
        if PAGES.iter().any(|(offset, _)| frame.address() % BLOCK == *offset) {
            // SAFETY: a frame of ours.
            unsafe { frame.words().write_volatile(mark(frame.address() / FRAME)) };
        }
    }
}
