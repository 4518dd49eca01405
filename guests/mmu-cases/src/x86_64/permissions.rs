//! Cases about who may do what: U/S, R/W, XD at every level, WP, SMEP, SMAP; and what the processor
//! notes, A and D.

use core::arch::asm;

use rt::exception::{FETCH, PROTECTION, USER as BY_USER, WRITE};
use rt::space::{Access, Frame};
use rt::{check, entry, tlb};

use super::access::{
    call, cr0, cr4, forbidden_fetch, function_returning, no_fetch, page_fault, read, set_cr0,
    set_cr4, write,
};
use super::bits::{
    ACCESSED, CR0_WP, CR4_SMAP, CR4_SMEP, DIRTY, NO_EXECUTE, USER, WRITABLE, block, executable,
    has_gib_blocks, has_smap, has_smep,
};
use super::user::{self, links};
use crate::arena::{Arena, get, mark, page, set, slot, two_blocks};
use crate::{Case, pages};

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("read-only", pages::read_only),
    ("user-mode", user_mode),
    ("user-levels", user_levels),
    ("write-protect", write_protect),
    ("execute-never", execute_never),
    ("level-limits", level_limits),
    ("smep", smep),
    ("smap", smap),
    ("accessed-and-dirty", accessed_and_dirty),
    ("accessed-and-dirty-large", accessed_and_dirty_large),
    ("global-pages", pages::global_pages),
];

/// The protection of an existing page keeps user mode from something.
const KEPT: u64 = PROTECTION | BY_USER;

/// User mode reads, writes and executes what U/S, R/W and XD let it.
fn user_mode() {
    let mut arena = user::arena();
    let (entry, value) = (arena.entry(0), arena.value(0));
    check!(user::read(page(0)) == page_fault(KEPT, page(0)), "user mode reads the kernel's page");
    check!(user::write(page(0), 1) == page_fault(KEPT | WRITE, page(0)), "or writes it");
    check!(user::read(page(20)) == page_fault(BY_USER, page(20)), "it reads what is not there");
    let absent = page_fault(BY_USER | WRITE, page(20));
    check!(user::write(page(20), 1) == absent, "it writes what is not there");
    let kernel = rt::machine().ram.start + (2 << 20);
    check!(user::read(kernel) == page_fault(KEPT, kernel), "it reads the kernel");
    set(entry, value | USER);
    tlb::page(1, page(0));
    check!(user::read(page(0)) == Ok(mark(0)), "user mode cannot read its page");
    check!(user::write(page(0), 7) == Ok(0), "user mode cannot write its page");
    check!(read(page(0)) == Ok(7), "the kernel does not see what it wrote");
    check!(user::jump(page(0)) == page_fault(KEPT | FETCH, page(0)), "it executes data");
    set(entry, entry::with_write(value | USER, false));
    tlb::page(1, page(0));
    check!(user::read(page(0)) == Ok(7), "user mode cannot read a read-only page");
    check!(user::write(page(0), 1) == page_fault(KEPT | WRITE, page(0)), "it can write it");
    check!(write(page(0), 1) == page_fault(PROTECTION | WRITE, page(0)), "the kernel writes it");
    set(entry, executable(value));
    tlb::page(1, page(0));
    check!(user::jump(page(0)) == page_fault(KEPT | FETCH, page(0)), "it executes the kernel");
    arena.space.destroy();
}

/// User mode needs U/S, and R/W to write, at every level.
fn user_levels() {
    let mut arena = user::arena();
    set(arena.entry(0), arena.value(0) | USER);
    tlb::page(1, page(0));
    for link in links(&arena) {
        let plain = get(link);
        set(link, plain & !WRITABLE);
        tlb::space(1);
        check!(user::write(page(0), 1) == page_fault(KEPT | WRITE, page(0)), "R/W of a table");
        check!(write(page(0), 1) == page_fault(PROTECTION | WRITE, page(0)), "for the kernel");
        check!(user::read(page(0)) == Ok(mark(0)), "a table's R/W forbids reads");
        set(link, plain & !USER);
        tlb::space(1);
        let code = page(15);
        check!(user::read(page(0)) == page_fault(KEPT | FETCH, code), "U/S of a table");
        check!(write(page(0), mark(0)) == Ok(0), "a table's U/S keeps the kernel out");
        set(link, plain);
        tlb::space(1);
        check!(user::write(page(0), mark(0)) == Ok(0), "a limit that is gone still counts");
    }
    arena.space.destroy();
}

/// CR0.WP makes read-only pages read-only for the kernel, and so does it again.
fn write_protect() {
    let mut arena = user::arena();
    let read_only = entry::with_write(arena.value(0), false);
    set(arena.entry(0), read_only);
    set(arena.entry(1), entry::with_write(arena.value(1), false) | USER);
    set(arena.entry(2), read_only & !(ACCESSED | DIRTY));
    tlb::space(1);
    let old = cr0();
    for _ in 0..2 {
        set_cr0(old & !CR0_WP);
        for index in [0, 1, 2] {
            check!(write(page(index), mark(index)) == Ok(0), "without WP page {index} is kept");
        }
        let user = user::write(page(1), 1);
        check!(user == page_fault(KEPT | WRITE, page(1)), "without WP user mode writes");
        set_cr0(old);
        for index in [0, 1, 2] {
            let fault = page_fault(PROTECTION | WRITE, page(index));
            check!(write(page(index), 1) == fault, "with WP page {index} is written");
            check!(read(page(index)).is_ok(), "with WP page {index} cannot be read");
        }
    }
    let used = get(arena.entry(2)) & (ACCESSED | DIRTY);
    check!(used == ACCESSED | DIRTY, "a write without WP is not noted");
    arena.space.destroy();
}

/// XD keeps code from being executed.
fn execute_never() {
    let mut arena = Arena::new(1);
    let (entry, value) = (arena.entry(0), arena.value(0));
    check!(write(page(0), function_returning(7)) == Ok(0), "a page cannot be written");
    check!(call(page(0), 0, 0) == forbidden_fetch(page(0)), "a page with XD is executed");
    set(entry, executable(value));
    tlb::page(1, page(0));
    check!(call(page(0), 0, 0) == Ok(7), "a page without XD is not executed");
    check!(write(page(0), function_returning(8)) == Ok(0), "code cannot be written");
    check!(call(page(0), 0, 0) == Ok(8), "changed code does not count");
    set(entry, value);
    tlb::page(1, page(0));
    check!(call(page(0), 0, 0) == forbidden_fetch(page(0)), "a page with XD is executed");
    check!(call(page(20), 0, 0) == no_fetch(0, page(20)), "what is not there is executed");
    arena.space.destroy();
}

/// What an entry of an upper level forbids the kernel, nothing below it allows.
fn level_limits() {
    let mut arena = Arena::new(1);
    check!(write(page(0), function_returning(9)) == Ok(0), "a page cannot be written");
    set(arena.entry(0), executable(arena.value(0)));
    tlb::page(1, page(0));
    for link in links(&arena) {
        let plain = get(link);
        set(link, plain & !WRITABLE);
        tlb::space(1);
        check!(write(page(0), 1) == page_fault(PROTECTION | WRITE, page(0)), "R/W of a table");
        check!(call(page(0), 0, 0) == Ok(9), "it forbids execution");
        set(link, plain | NO_EXECUTE);
        tlb::space(1);
        check!(call(page(0), 0, 0) == forbidden_fetch(page(0)), "XD of a table does not count");
        check!(write(page(0), function_returning(9)) == Ok(0), "it forbids writes");
        set(link, plain);
        tlb::space(1);
        check!(call(page(0), 0, 0) == Ok(9), "a limit that is gone still counts");
    }
    arena.space.destroy();
}

/// CR4.SMEP keeps the kernel from executing user mode's pages.
fn smep() {
    if !has_smep() {
        return;
    }
    let mut arena = user::arena();
    check!(write(page(0), function_returning(5)) == Ok(0), "a page cannot be written");
    set(arena.entry(0), executable(arena.value(0)) | USER);
    set(arena.entry(1), executable(arena.value(1)));
    check!(write(page(1), function_returning(6)) == Ok(0), "a page cannot be written");
    tlb::space(1);
    let old = cr4();
    for _ in 0..2 {
        check!(call(page(0), 0, 0) == Ok(5), "without SMEP the kernel cannot execute");
        set_cr4(old | CR4_SMEP);
        let results = [call(page(0), 0, 0), call(page(1), 0, 0), read(page(0))];
        let user = user::read(page(0));
        set_cr4(old);
        let expected = [forbidden_fetch(page(0)), Ok(6), Ok(function_returning(5))];
        check!(results == expected, "with SMEP: {results:x?}");
        check!(user == Ok(function_returning(5)), "with SMEP user mode: {user:x?}");
    }
    arena.space.destroy();
}

/// CR4.SMAP keeps the kernel from user mode's pages, unless EFLAGS.AC is set.
fn smap() {
    if !has_smap() {
        return;
    }
    let mut arena = user::arena();
    set(arena.entry(0), arena.value(0) | USER);
    tlb::space(1);
    let old = cr4();
    for _ in 0..2 {
        check!(read(page(0)) == Ok(mark(0)), "without SMAP the kernel cannot read");
        set_cr4(old | CR4_SMAP);
        let without = [read(page(0)), write(page(0), 1), read(page(1)), user::read(page(0))];
        // SAFETY: EFLAGS.AC, which nothing else here asks for.
        unsafe { asm!("stac", options(nostack)) };
        let with = [read(page(0)), write(page(0), mark(0))];
        // SAFETY: as above.
        unsafe { asm!("clac", options(nostack)) };
        let again = read(page(0));
        set_cr4(old);
        let kept = page_fault(PROTECTION, page(0));
        let expected = [kept, page_fault(PROTECTION | WRITE, page(0)), Ok(mark(1)), Ok(mark(0))];
        check!(without == expected, "with SMAP: {without:x?}");
        check!(with == [Ok(mark(0)), Ok(0)], "with SMAP and AC: {with:x?}");
        check!(again == kept, "with SMAP and without AC again: {again:x?}");
    }
    arena.space.destroy();
}

/// What the processor noted in an entry.
fn noted(entry: *mut u64) -> u64 {
    get(entry) & (ACCESSED | DIRTY)
}

/// Reads set A at every level, writes set D in the leaf, and nothing else does.
fn accessed_and_dirty() {
    let mut arena = Arena::new(1);
    let (leaf, upper) = (arena.entry(0), links(&arena));
    for turn in 0..3 {
        set(leaf, arena.value(0) & !(ACCESSED | DIRTY));
        upper.iter().for_each(|link| set(*link, get(*link) & !ACCESSED));
        tlb::space(1);
        check!(noted(leaf) == 0, "a page that nobody used is used, turn {turn}");
        check!(read(page(0)) == Ok(mark(0)), "a page without A cannot be read");
        check!(noted(leaf) == ACCESSED, "a read sets {:#x}", noted(leaf));
        for link in upper {
            check!(noted(link) & ACCESSED != 0, "a read does not set A of a table");
        }
        check!(write(page(0), mark(0)) == Ok(0), "a page without D cannot be written");
        check!(noted(leaf) == ACCESSED | DIRTY, "a write sets {:#x}", noted(leaf));
        // A page that is known loses its marks, and gets them again.
        set(leaf, get(leaf) & !DIRTY);
        tlb::page(1, page(0));
        check!(read(page(0)) == Ok(mark(0)), "a page whose D was cleared cannot be read");
        check!(noted(leaf) == ACCESSED, "a read sets D");
        check!(write(page(0), mark(0)) == Ok(0), "a page whose D was cleared cannot be written");
        check!(noted(leaf) == ACCESSED | DIRTY, "a write does not set D again");
        // The first use is a write.
        set(leaf, arena.value(0) & !(ACCESSED | DIRTY));
        tlb::page(1, page(0));
        check!(write(page(0), mark(0)) == Ok(0), "a page without A cannot be written");
        check!(noted(leaf) == ACCESSED | DIRTY, "a first write sets {:#x}", noted(leaf));
    }
    // A write that faults notes no write.
    set(leaf, entry::with_write(arena.value(0), false) & !(ACCESSED | DIRTY));
    tlb::page(1, page(0));
    check!(write(page(0), 1) == page_fault(PROTECTION | WRITE, page(0)), "R/W does not count");
    check!(noted(leaf) & DIRTY == 0, "a write that faulted was noted");
    arena.space.destroy();
}

/// The same with pages of 2 MiB and 1 GiB.
fn accessed_and_dirty_large() {
    /// Bytes of the largest pages.
    const GIB: u64 = 1 << 30;
    let arena = Arena::new(1);
    let frames = two_blocks();
    let fresh = |frame| block(entry::page(frame, Access::ReadWrite)) & !(ACCESSED | DIRTY);
    let fourth = arena.frame.plus(4).address();
    let gib = Frame::at(fourth & !(GIB - 1));
    let tries = [
        (slot(arena.lower(), 2), fresh(frames), page(2 * 512 + 3), mark(3)),
        (slot(arena.upper(), 2), fresh(gib), page(0) + 2 * GIB + fourth % GIB, mark(4)),
    ];
    let count = if has_gib_blocks() { 2 } else { 1 };
    for (entry, value, va, expected) in tries.into_iter().take(count) {
        set(entry, value);
        tlb::publish();
        check!(read(va) == Ok(expected), "a large page cannot be read");
        check!(noted(entry) == ACCESSED, "a read sets {:#x}", noted(entry));
        check!(write(va, expected) == Ok(0), "a large page cannot be written");
        check!(noted(entry) == ACCESSED | DIRTY, "a write sets {:#x}", noted(entry));
        set(entry, 0);
        tlb::page(1, va);
        check!(read(va) == page_fault(0, va), "a large page is still there");
    }
    arena.space.destroy();
}
