//! Kinds of paging that long mode does not have, or that are not built.

use core::arch::{asm, global_asm};

use rt::space::{self, Frame, Space};
use rt::{check, entry, frames, println};

global_asm!(include_str!("paging.s"));

/// CR4.PSE: pages of 4 MiB.
const PSE: u64 = 1 << 4;
/// CR4.PAE.
const PAE: u64 = 1 << 5;
/// CR4.LA57.
const FIVE_LEVELS: u64 = 1 << 12;

unsafe extern "C" {
    fn paging_visit(root: u64, control: u64, word: *const u32) -> u32;
}

/// What is read with the other paging.
static WORD: u32 = 0x5eed_1234;

/// Leaves long mode, reads a word with the paging of `root` and CR4 `control`, and comes back.
fn visit(root: Frame, control: u64) {
    // SAFETY: the tables map what the code needs to itself.
    let read = unsafe { paging_visit(root.address(), control, &raw const WORD) };
    check!(read == WORD, "the word reads {read:#x}");
    println!("@ misbehave visited={control:#x}");
}

/// 32-bit paging, in pages of 4 MiB.
pub(crate) fn with_32_bits() {
    /// Present, writable, 4 MiB.
    const PAGE: u32 = 0b1000_0011;
    let root = frames::take();
    for index in 0..1024_u32 {
        let slot = root.words().cast::<u32>().wrapping_add(index as usize);
        // SAFETY: an entry of a table that nobody uses yet.
        unsafe { slot.write_volatile(index << 22 | PAGE) };
    }
    visit(root, PSE);
}

/// PAE paging, with the lower tables of the identity map.
pub(crate) fn with_pae() {
    let root = frames::take();
    let space = Space::new(1);
    // SAFETY: the identity map's entry.
    let upper = entry::target(unsafe { space::load(space.root().words()) });
    for index in 0..4 {
        // SAFETY: an entry of the identity map.
        let table = entry::target(unsafe { space::load(upper.words().wrapping_add(index)) });
        // SAFETY: an entry of a table that nobody uses yet: present, and no more.
        unsafe { space::store(root.words().wrapping_add(index), table.address() | 1) };
    }
    visit(root, PAE);
}

/// A fifth level, which cannot be asked for in long mode.
pub(crate) fn with_5_levels() {
    // SAFETY: the runtime reports the exception and ends the guest.
    unsafe {
        asm!("mov {old}, cr4", "or {old}, {bit}", "mov cr4, {old}", old = out(reg) _,
            bit = const FIVE_LEVELS, options(nostack));
    }
}
