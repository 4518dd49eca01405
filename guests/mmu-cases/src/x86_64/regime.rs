//! Cases about the registers: the upper half, memory types, paging off and on.

use rt::space::{Access, FRAME, Frame, Space, UPPER};
use rt::{check, entry, space, tlb};

use super::access::{msr, page_fault, read, set_msr, write};
use super::bits::{LARGE_PAT, NO_CACHE, PAT, PAT_MSR, WRITE_THROUGH, block};
use crate::Case;
use crate::arena::{Arena, mark, page, set, slot, two_blocks};

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("upper-half", upper_half),
    ("memory-types", memory_types),
    ("paging-off-and-on", paging_off_and_on),
];

unsafe extern "C" {
    static inside_start: u8;
    static inside_end: u8;
    fn inside_call(
        slot: u64,
        page: u64,
        one: u64,
        other: u64,
        turns: u64,
        code: u64,
        stack: u64,
    ) -> u64;
    fn store_unpaged(at: u64, value: u64);
}

/// Copies the code of `inside.s` to `frame`, runs it at `code` with the page `stack` as its stack,
/// and lets it change the entry at `slot` of the page `page` to `values` in turn; returns the sum of
/// what the page gave.
pub(crate) fn run_inside(
    frame: Frame,
    code: u64,
    stack: u64,
    slot: u64,
    page: u64,
    values: [u64; 2],
    turns: u64,
) -> u64 {
    let source = &raw const inside_start;
    let bytes = (&raw const inside_end).addr() - source.addr();
    // SAFETY: the code is shorter than a page; the frame is the caller's.
    unsafe { source.copy_to_nonoverlapping(frame.words().cast(), bytes) };
    // SAFETY: the code changes this entry alone, and the caller-saved registers.
    unsafe { inside_call(slot, page, values[0], values[1], turns, code, stack + FRAME) }
}

/// Pages of the upper half come, change and go, at its first address and at the last.
fn upper_half() {
    let arena = Arena::new(1);
    let mut upper = Space::upper();
    for at in [UPPER, UPPER + 5 * FRAME, !(FRAME - 1)] {
        let entry = upper.entry(at);
        upper.activate_upper();
        for turn in 0..3 {
            check!(read(at) == page_fault(0, at), "a page of the upper half is there already");
            set(entry, arena.value(turn));
            check!(read(at) == Ok(mark(turn)), "a page of the upper half is not there");
            check!(write(at, mark(turn)) == Ok(0), "a page of the upper half cannot be written");
            set(entry, 0);
            tlb::page(1, at);
        }
    }
    let last = !(FRAME - 1);
    set(upper.entry(last), arena.value(2));
    check!(read(last) == Ok(mark(2)), "the last page is not there");
    space::deactivate_upper();
    check!(read(last) == page_fault(0, last), "the upper half is still there");
    upper.destroy();
    arena.space.destroy();
}

/// Every memory type that an entry can name leads to the same memory, whatever PAT makes of it.
fn memory_types() {
    /// Write-back in each of the eight places.
    const ALL_WRITE_BACK: u64 = 0x0606_0606_0606_0606;
    let mut arena = Arena::new(1);
    let (frames, link) = (two_blocks(), slot(arena.lower(), 2));
    let large = page(2 * 512);
    let old = msr(PAT_MSR);
    for pat in [old, ALL_WRITE_BACK] {
        set_msr(PAT_MSR, pat);
        tlb::all();
        check!(msr(PAT_MSR) == pat, "PAT reads {:#x}", msr(PAT_MSR));
        for kind in 0..8 {
            let bit = |index: u32, value: u64| if kind & 1 << index != 0 { value } else { 0 };
            let common = bit(0, WRITE_THROUGH) | bit(1, NO_CACHE);
            set(arena.entry(0), arena.value(0) | common | bit(2, PAT));
            set(link, block(entry::page(frames, Access::ReadWrite)) | common | bit(2, LARGE_PAT));
            tlb::space(1);
            check!(read(page(0)) == Ok(mark(0)), "type {kind} leads elsewhere");
            check!(read(large) == Ok(mark(0)), "type {kind} of a large page leads elsewhere");
            check!(read(large + 511 * FRAME) == Ok(mark(511)), "and at its end");
            check!(write(page(0), mark(0)) == Ok(0), "type {kind} cannot be written");
        }
    }
    set_msr(PAT_MSR, old);
    tlb::all();
    arena.space.destroy();
}

/// Paging goes off and on; what is stored meanwhile stays, an entry included.
fn paging_off_and_on() {
    let mut arena = Arena::new(1);
    let (entry, value) = (arena.entry(0).addr() as u64, arena.value(8));
    // SAFETY: what is stored is data of the arena's, or an entry of its own pages.
    let store = |at: u64, value: u64| unsafe { store_unpaged(at, value) };
    for turn in 0..3 {
        store(arena.frame.plus(1).address(), turn);
        check!(read(page(1)) == Ok(turn), "what was stored without paging is lost");
        store(entry, 0);
        check!(read(page(0)) == page_fault(0, page(0)), "a cleared entry still counts");
        store(entry, value);
        check!(read(page(0)) == Ok(mark(8)), "an entry that was made does not count");
    }
    arena.space.destroy();
}
