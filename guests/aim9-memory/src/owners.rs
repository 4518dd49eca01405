//! Owners: how many address spaces share a frame.

use alloc::vec::Vec;

use rt::frames;
use rt::space::{FRAME, Frame};
use spin::Mutex;

/// For each frame of RAM, how many owners it has beside the first.
static OTHERS: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The frame's place in [`OTHERS`].
fn index(frame: Frame) -> usize {
    ((frame.address() - rt::machine().ram.start) / FRAME) as usize
}

/// Makes room for every frame of RAM.
pub(crate) fn start() {
    OTHERS.lock().resize((rt::machine().ram_size() / FRAME) as usize, 0);
}

/// One more space shares the frame.
pub(crate) fn share(frame: Frame) {
    OTHERS.lock()[index(frame)] += 1;
}

/// Whether more than one space has the frame.
pub(crate) fn is_shared(frame: Frame) -> bool {
    OTHERS.lock()[index(frame)] > 0
}

/// One space less has the frame; without any it is given back.
pub(crate) fn release(frame: Frame) {
    let mut others = OTHERS.lock();
    match &mut others[index(frame)] {
        0 => frames::give_back(frame),
        others => *others -= 1,
    }
}
