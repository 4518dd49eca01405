//! An arena that user mode can be let into.

use rt::descriptor::set_gate;
use rt::tlb;

use super::access::{self, Attempt};
use super::bits::{USER, executable};
use crate::arena::{Arena, get, page, set, slot};

/// The vector that user mode calls by.
const CALL: u8 = 0x40;
/// The page with user mode's code.
const CODE: u64 = 15;

unsafe extern "C" {
    static user_return: u8;
    static user_code_read: u8;
    static user_code_write: u8;
    static user_code_end: u8;
}

/// The entries of the upper levels, from the root down.
pub(crate) fn links(arena: &Arena) -> [*mut u64; 3] {
    [slot(arena.space.root(), 1), slot(arena.upper(), 0), slot(arena.lower(), 0)]
}

/// An arena whose upper levels let user mode in, and whose last page has code for it.
pub(crate) fn arena() -> Arena {
    let mut arena = Arena::new(1);
    for link in links(&arena) {
        set(link, get(link) | USER);
    }
    let source = &raw const user_code_read;
    let bytes = (&raw const user_code_end).addr() - source.addr();
    // SAFETY: the code is shorter than a page; the frame is the arena's.
    unsafe { source.copy_to_nonoverlapping(arena.frame.plus(CODE).words().cast(), bytes) };
    set(arena.entry(CODE), executable(arena.value(CODE)) | USER);
    tlb::space(1);
    // SAFETY: the code behind the gate ends user mode.
    unsafe { set_gate(CALL, (&raw const user_return).addr() as u64, 3) };
    arena
}

/// Reads eight bytes in user mode.
pub(crate) fn read(va: u64) -> Attempt {
    access::user(page(CODE), 0, va)
}

/// Writes eight bytes in user mode; gives 0.
pub(crate) fn write(va: u64, value: u64) -> Attempt {
    let offset = (&raw const user_code_write).addr() - (&raw const user_code_read).addr();
    access::user(page(CODE) + offset as u64, value, va)
}

/// Jumps somewhere in user mode.
pub(crate) fn jump(va: u64) -> Attempt {
    access::user(va, 0, page(0))
}
