//! Cases about pages and spaces that every processor has.

use rt::fault::Cause::{NotPresent, Permission};
use rt::space::FRAME;
use rt::{check, entry, tlb};

use crate::access::{read, write};
use crate::arch;
use crate::arena::{Arena, mark, page, set};

/// Writes are allowed, taken away, given back.
pub(crate) fn read_only() {
    let mut arena = Arena::new(1);
    let (entry, value) = (arena.entry(0), arena.value(0));
    for turn in 0..3 {
        set(entry, entry::with_write(value, false));
        tlb::page(1, page(0));
        check!(read(page(0)) == Ok(mark(0)), "a read-only page cannot be read");
        check!(write(page(0), 1) == Err(Permission), "a read-only page can be written");
        check!(read(page(0)) == Ok(mark(0)), "a write that faulted wrote, turn {turn}");
        set(entry, value);
        tlb::page(1, page(0));
        check!(write(page(0), mark(0)) == Ok(0), "a page cannot be written again");
    }
    arena.space.destroy();
}

/// A page that is the same in every address space is found in all of them.
pub(crate) fn global_pages() {
    let mut first = Arena::new(1);
    let value = arch::bits::global(first.value(3));
    set(first.entry(40), value);
    let mut second = Arena::new(2);
    set(second.entry(40), value);
    tlb::publish();
    for _ in 0..3 {
        first.space.activate();
        check!(read(page(40)) == Ok(mark(3)), "a global page is lost");
        second.space.activate();
        check!(read(page(40)) == Ok(mark(3)), "a global page is lost");
        check!(read(page(40) + FRAME) == Err(NotPresent), "a page too many");
    }
    set(first.entry(40), 0);
    set(second.entry(40), 0);
    tlb::all();
    check!(read(page(40)) == Err(NotPresent), "a global page is still there");
    first.space.activate();
    check!(read(page(40)) == Err(NotPresent), "a global page is still there");
    second.space.destroy();
    first.space.destroy();
}

/// Two spaces with the same pages elsewhere; one changes while the other runs.
pub(crate) fn spaces_apart() {
    let mut first = Arena::new(1);
    let mut second = Arena::new(2);
    set(second.entry(0), 0);
    tlb::page(2, page(0));
    set(second.entry(0), second.value(5));
    tlb::publish();
    for turn in 0..4 {
        first.space.activate();
        check!(read(page(0)) == Ok(mark(turn % 2)), "turn {turn}: the first space's page is not");
        second.space.activate();
        check!(read(page(0)) == Ok(mark(5)), "turn {turn}: the second space's page is not");
        let (entry, value) = (first.entry(0), first.value((turn + 1) % 2));
        set(entry, 0);
        tlb::page(1, page(0));
        check!(read(page(0)) == Ok(mark(5)), "the first space's page went in the second");
        set(entry, value);
        tlb::publish();
    }
    first.space.destroy();
    second.space.activate();
    check!(read(page(0)) == Ok(mark(5)), "the second space went with the first");
    second.space.destroy();
}

/// A tag is given to another space once it was invalidated.
pub(crate) fn asid_reused() {
    for turn in 0..4 {
        let mut arena = Arena::new(7);
        let index = 30 + turn % 2;
        check!(read(page(30)) == Err(NotPresent), "a page of the space before");
        check!(read(page(31)) == Err(NotPresent), "a page of the space before");
        set(arena.entry(index), arena.value(turn));
        tlb::publish();
        check!(read(page(30 + turn % 2)) == Ok(mark(turn)), "a page is lost");
        check!(read(page(index) + 2 * FRAME) == Err(NotPresent), "a page too many");
        arena.space.destroy();
    }
}
