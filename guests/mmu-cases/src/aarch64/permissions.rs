//! Cases about who may do what: AP, PXN, the table's own limits, PAN, the access flag.

use core::arch::asm;

use rt::fault::Cause::{NotAccessed, NotPresent, Permission};
use rt::space::Access;
use rt::{check, entry, tlb};

use crate::aarch64::access::{
    call, function_returning, read_as_user, synchronize_code, write_as_user,
};
use crate::aarch64::bits::{
    ACCESSED, CONTIGUOUS, NO_USER_TABLE, PXN, PXN_TABLE, READ_ONLY_TABLE, USER,
};
use crate::access::{read, write};
use crate::arena::{Arena, get, mark, page, set, slot};
use crate::{Case, pages};

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("read-only", pages::read_only),
    ("user-access", user_access),
    ("privileged-access-never", privileged_access_never),
    ("execute-never", execute_never),
    ("table-limits", table_limits),
    ("access-flag", access_flag),
    ("contiguous-hint", contiguous_hint),
    ("global-pages", pages::global_pages),
];

/// EL0's rights, used by the instructions that borrow them.
fn user_access() {
    let mut arena = Arena::new(1);
    let (entry, value) = (arena.entry(0), arena.value(0));
    check!(read_as_user(page(0)) == Err(Permission), "EL0 reads EL1's page");
    check!(read_as_user(page(20)) == Err(NotPresent), "EL0 reads what is not there");
    set(entry, value | USER);
    tlb::page(1, page(0));
    check!(read_as_user(page(0)) == Ok(mark(0)), "EL0 cannot read its page");
    check!(write_as_user(page(0), mark(0)) == Ok(0), "EL0 cannot write its page");
    check!(read(page(0)) == Ok(mark(0)), "EL1 cannot read EL0's page");
    set(entry, entry::with_write(value | USER, false));
    tlb::page(1, page(0));
    check!(read_as_user(page(0)) == Ok(mark(0)), "EL0 cannot read its page");
    check!(write_as_user(page(0), 1) == Err(Permission), "EL0 writes a read-only page");
    check!(write(page(0), 1) == Err(Permission), "EL1 writes EL0's read-only page");
    set(entry, value);
    tlb::page(1, page(0));
    check!(read_as_user(page(0)) == Err(Permission), "EL0 reads EL1's page again");
    arena.space.destroy();
}

/// PSTATE.PAN keeps EL1 from EL0's pages.
fn privileged_access_never() {
    let mut arena = Arena::new(1);
    let value = arena.value(0);
    set(arena.entry(0), value | USER);
    tlb::page(1, page(0));
    check!(read(page(0)) == Ok(mark(0)), "EL1 cannot read EL0's page");
    // SAFETY: PSTATE.PAN: nothing of the guest's own is EL0's.
    unsafe { asm!(".arch_extension pan", "msr pan, #1", options(nostack)) };
    let with = [read(page(0)), write(page(0), 1), read_as_user(page(0)), read(page(1))];
    // SAFETY: as above.
    unsafe { asm!(".arch_extension pan", "msr pan, #0", options(nostack)) };
    let expected = [Err(Permission), Err(Permission), Ok(mark(0)), Ok(mark(1))];
    check!(with == expected, "with PAN set: {with:?}");
    check!(read(page(0)) == Ok(mark(0)), "PAN is still set");
    arena.space.destroy();
}

/// PXN keeps EL1 from executing, and so does a page that EL0 may write.
fn execute_never() {
    let mut arena = Arena::new(1);
    check!(write(page(0), function_returning(7)) == Ok(0), "a page cannot be written");
    synchronize_code(page(0));
    let (entry, value) = (arena.entry(0), arena.value(0));
    check!(call(page(0)) == Err(Permission), "a page with PXN is executed");
    set(entry, value & !PXN);
    tlb::page(1, page(0));
    check!(call(page(0)) == Ok(7), "a page without PXN is not executed");
    check!(write(page(0), function_returning(8)) == Ok(0), "code cannot be written");
    synchronize_code(page(0));
    check!(call(page(0)) == Ok(8), "changed code does not count");
    set(entry, value & !PXN | USER);
    tlb::page(1, page(0));
    check!(call(page(0)) == Err(Permission), "EL1 executes what EL0 may write");
    set(entry, entry::with_write(value & !PXN | USER, false));
    tlb::page(1, page(0));
    check!(call(page(0)) == Ok(8), "EL1 does not execute what EL0 may read");
    check!(call(page(20)) == Err(NotPresent), "what is not there is executed");
    arena.space.destroy();
}

/// What a table descriptor forbids, nothing below it allows.
fn table_limits() {
    let mut arena = Arena::new(1);
    check!(write(page(0), function_returning(9)) == Ok(0), "a page cannot be written");
    synchronize_code(page(0));
    let value = (arena.value(0) & !PXN) | USER;
    let read_only = entry::with_write(value, false);
    let links = [slot(arena.space.root(), 1), slot(arena.upper(), 0), slot(arena.lower(), 0)];
    for link in links {
        let plain = get(link);
        set(arena.entry(0), value);
        set(link, plain | READ_ONLY_TABLE);
        tlb::space(1);
        check!(write(page(0), 1) == Err(Permission), "APTable[1] does not forbid writes");
        check!(write_as_user(page(0), 1) == Err(Permission), "nor for EL0");
        check!(read_as_user(page(0)) == read(page(0)), "it forbids reads");
        set(link, plain | NO_USER_TABLE);
        tlb::space(1);
        check!(read_as_user(page(0)) == Err(Permission), "APTable[0] does not keep EL0 out");
        check!(write(page(0), function_returning(9)) == Ok(0), "it forbids writes");
        set(arena.entry(0), read_only);
        set(link, plain | PXN_TABLE);
        tlb::space(1);
        check!(call(page(0)) == Err(Permission), "PXNTable does not forbid execution");
        check!(read(page(0)).is_ok(), "it forbids reads");
        set(link, plain);
        tlb::space(1);
        check!(call(page(0)) == Ok(9), "a limit that is gone still counts");
    }
    arena.space.destroy();
}

/// A page whose access flag is clear faults until it is set, without any invalidation.
fn access_flag() {
    let mut arena = Arena::new(1);
    let (entry, value) = (arena.entry(0), arena.value(0));
    for _ in 0..3 {
        set(entry, value & !ACCESSED);
        tlb::page(1, page(0));
        check!(read(page(0)) == Err(NotAccessed), "a page without access flag can be read");
        check!(write(page(0), 1) == Err(NotAccessed), "a page without access flag can be written");
        check!(get(entry) == value & !ACCESSED, "somebody else set the access flag");
        set(entry, value);
        tlb::publish();
        check!(read(page(0)) == Ok(mark(0)), "a page with access flag cannot be read");
    }
    arena.space.destroy();
}

/// Sixteen pages in a row that say so.
fn contiguous_hint() {
    let mut arena = Arena::new(1);
    let frames = crate::arena::two_blocks();
    let first = 32;
    for index in 0..16 {
        let value = entry::page(frames.plus(index), Access::ReadWrite) | CONTIGUOUS;
        set(arena.entry(first + index), value);
    }
    tlb::publish();
    let expected = |index| read(page(first + index)) == Ok(mark(index));
    check!((0..16).all(expected), "pages in a row are not there");
    (0..16).for_each(|index| set(arena.entry(first + index), 0));
    rt::tlb::pages(1, page(first), 16);
    let gone = |index| read(page(first + index)) == Err(NotPresent);
    check!((0..16).all(gone), "pages in a row are still there");
    arena.space.destroy();
}
