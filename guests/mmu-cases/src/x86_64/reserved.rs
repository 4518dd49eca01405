//! Cases about reserved and ignored bits, and what the error code says of them.

use rt::exception::{FETCH, PROTECTION, RESERVED, WRITE};
use rt::space::Access;
use rt::{check, entry, tlb};

use super::access::{call, msr, page_fault, read, set_msr, write};
use super::bits::{
    EFER, EFER_NXE, IGNORED, LARGE, NO_EXECUTE, block, executable, has_gib_blocks, physical_bits,
};
use super::user::links;
use crate::Case;
use crate::arena::{Arena, get, mark, page, set, slot, two_blocks};

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("reserved-bits", reserved_bits),
    ("reserved-in-large-pages", reserved_in_large_pages),
    ("reserved-but-not-present", reserved_but_not_present),
    ("ignored-bits", ignored_bits),
    ("execute-disable-off", execute_disable_off),
    ("error-codes", error_codes),
];

/// A reserved bit of an entry that is present.
const MARKED: u64 = PROTECTION | RESERVED;

/// Checks that an entry that reaches page 0 is refused, for reads and for writes.
fn expect_refused(what: &str) {
    let tried = [read(page(0)), write(page(0), 1)];
    let expected = [page_fault(MARKED, page(0)), page_fault(MARKED | WRITE, page(0))];
    check!(tried == expected, "{what}: {tried:x?}");
}

/// Address bits that the processor lacks, at every level, and PS where there are no such pages.
fn reserved_bits() {
    let mut arena = Arena::new(1);
    let [root, upper, lower] = links(&arena);
    let leaf = arena.entry(0);
    for bit in [physical_bits(), 51] {
        for link in [root, upper, lower, leaf] {
            let plain = get(link);
            set(link, plain | 1 << bit);
            tlb::space(1);
            expect_refused("an address beyond the processor's");
            set(link, plain);
            tlb::space(1);
            check!(read(page(0)) == Ok(mark(0)), "a bit that is gone still counts");
        }
    }
    let mut large = [Some(root), (!has_gib_blocks()).then_some(upper)];
    for link in large.iter_mut().flatten() {
        let plain = get(*link);
        set(*link, plain | LARGE);
        tlb::space(1);
        expect_refused("a page that is too large");
        set(*link, plain);
        tlb::space(1);
        check!(read(page(0)) == Ok(mark(0)), "a size that is gone still counts");
    }
    arena.space.destroy();
}

/// Address bits below a large page's alignment, above PAT.
fn reserved_in_large_pages() {
    let arena = Arena::new(1);
    let value = block(entry::page(two_blocks(), Access::ReadWrite));
    let mut tries = [Some((slot(arena.lower(), 0), value, 13..21)), None];
    if has_gib_blocks() {
        tries[1] = Some((slot(arena.upper(), 0), block(1 | NO_EXECUTE), 13..30));
    }
    for (link, value, bits) in tries.into_iter().flatten() {
        let plain = get(link);
        for bit in [bits.start, bits.end - 1] {
            set(link, value | 1 << bit);
            tlb::space(1);
            expect_refused("a large page that is not aligned");
        }
        set(link, plain);
        tlb::space(1);
        check!(read(page(0)) == Ok(mark(0)), "a bit that is gone still counts");
    }
    arena.space.destroy();
}

/// Nothing is reserved in an entry that is not present.
fn reserved_but_not_present() {
    let mut arena = Arena::new(1);
    let links = links(&arena);
    let leaf = arena.entry(0);
    for link in links.into_iter().chain([leaf]) {
        let plain = get(link);
        for junk in [!1, 1 << 51, 0x7fff_ffff_ffff_fffe, NO_EXECUTE] {
            set(link, junk);
            tlb::space(1);
            let tried = [read(page(0)), write(page(0), 1), call(page(0), 0, 0)];
            let expected = [0, WRITE, FETCH].map(|error| page_fault(error, page(0)));
            check!(tried == expected, "{junk:#x}: {tried:x?}");
        }
        set(link, plain);
        tlb::space(1);
    }
    check!(read(page(0)) == Ok(mark(0)), "a page is lost");
    arena.space.destroy();
}

/// What the processor ignores changes nothing, and stays.
fn ignored_bits() {
    let mut arena = Arena::new(1);
    let links = links(&arena);
    let leaf = arena.entry(0);
    for link in links.into_iter().chain([leaf]) {
        set(link, get(link) | IGNORED);
    }
    tlb::space(1);
    check!(read(page(0)) == Ok(mark(0)), "a page cannot be read");
    check!(write(page(0), 5) == Ok(0), "a page cannot be written");
    for link in links.into_iter().chain([leaf]) {
        check!(get(link) & IGNORED == IGNORED, "an ignored bit was changed: {:#x}", get(link));
    }
    arena.space.destroy();
}

/// With EFER.NXE clear XD is reserved, and every page can be executed.
fn execute_disable_off() {
    let mut arena = Arena::new(1);
    set(arena.entry(1), executable(arena.value(1)));
    tlb::space(1);
    let old = msr(EFER);
    for _ in 0..2 {
        set_msr(EFER, old & !EFER_NXE);
        tlb::all();
        let tried = [read(page(0)), write(page(0), 1), read(page(1)), read(page(20))];
        set_msr(EFER, old);
        tlb::all();
        let expected = [
            page_fault(MARKED, page(0)),
            page_fault(MARKED | WRITE, page(0)),
            Ok(mark(1)),
            page_fault(0, page(20)),
        ];
        check!(tried == expected, "without NXE: {tried:x?}");
        check!(read(page(0)) == Ok(mark(0)), "with NXE a page is lost");
    }
    arena.space.destroy();
}

/// Error codes, and CR2 to the byte, of accesses within a page and across two.
fn error_codes() {
    let mut arena = Arena::new(1);
    let read_only = entry::with_write(arena.value(1), false);
    set(arena.entry(1), read_only);
    set(arena.entry(3), 0);
    tlb::space(1);
    let at = |index: u64, byte: i64| page(index).wrapping_add_signed(byte);
    let tries = [
        (read(at(3, 0x123)), page_fault(0, at(3, 0x123))),
        (write(at(3, 0xff8), 1), page_fault(WRITE, at(3, 0xff8))),
        (write(at(1, 0x7), 1), page_fault(PROTECTION | WRITE, at(1, 0x7))),
        // The second page of two that an access needs.
        (read(at(3, -4)), page_fault(0, at(3, 0))),
        (write(at(3, -1), 1), page_fault(WRITE, at(3, 0))),
        (write(at(1, -5), 1), page_fault(PROTECTION | WRITE, at(1, 0))),
        // The first one.
        (read(at(4, -4)), page_fault(0, at(4, -4))),
        (write(at(4, -7), 1), page_fault(WRITE, at(4, -7))),
        (write(at(2, -2), 1), page_fault(PROTECTION | WRITE, at(2, -2))),
    ];
    for (index, (tried, expected)) in tries.into_iter().enumerate() {
        check!(tried == expected, "try {index}: {tried:x?}, not {expected:x?}");
    }
    check!(read(page(0)) == Ok(mark(0)), "a write that faulted wrote");
    check!(read(page(2)) == Ok(mark(2)), "a write that faulted wrote");
    arena.space.destroy();
}
