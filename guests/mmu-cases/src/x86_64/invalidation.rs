//! Cases about invalidation: each form does what it promises, and what needs none gets none.

use core::arch::asm;

use rt::exception::{PROTECTION, WRITE};
use rt::space::Access;
use rt::{check, entry, tlb};

use super::access::{cr3, cr4, page_fault, read, set_cr3, set_cr4, write};
use super::bits::{ACCESSED, CR4_PGE, DIRTY, block, global, has_invpcid};
use crate::arena::{Arena, get, mark, page, set, slot, two_blocks};
use crate::{Case, pages};

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("invlpg", invlpg),
    ("invlpg-large", invlpg_large),
    ("invlpg-of-nothing", invlpg_of_nothing),
    ("invpcid", invpcid),
    ("root-reload", root_reload),
    ("global-pages-off", global_pages_off),
    ("made-without-invalidation", made_without_invalidation),
    ("widened-without-invalidation", widened_without_invalidation),
    ("spaces-apart", pages::spaces_apart),
    ("space-reused", pages::asid_reused),
];

/// INVLPG of an address.
fn invalidate(va: u64) {
    // SAFETY: an invalidation.
    unsafe { asm!("invlpg [{}]", in(reg) va, options(nostack)) };
}

/// Changes page 2 and invalidates it by `form`: it must be gone, and then be elsewhere.
fn try_form(arena: &mut Arena, name: &str, form: impl Fn(u64)) {
    let (entry, first, other) = (arena.entry(2), arena.value(2), arena.value(9));
    check!(read(page(2)) == Ok(mark(2)), "{name}: page 2 is lost");
    set(entry, 0);
    form(page(2));
    check!(read(page(2)) == page_fault(0, page(2)), "{name}: page 2 is still there");
    set(entry, other);
    check!(read(page(2)) == Ok(mark(9)), "{name}: page 2 is not frame 9");
    // From one frame to another at once, which this processor allows.
    set(entry, first);
    form(page(2));
    check!(read(page(2)) == Ok(mark(2)), "{name}: page 2 is not frame 2 again");
    check!(read(page(3)) == Ok(mark(3)), "{name}: page 3 is lost");
}

/// INVLPG of any address in a page, global or not.
fn invlpg() {
    let mut arena = Arena::new(1);
    try_form(&mut arena, "invlpg", invalidate);
    try_form(&mut arena, "invlpg of the last byte", |va| invalidate(va + 0xfff));
    let (entry, value) = (arena.entry(2), arena.value(2));
    set(entry, global(value));
    invalidate(page(2));
    check!(read(page(2)) == Ok(mark(2)), "a global page is not there");
    set(entry, 0);
    invalidate(page(2));
    check!(read(page(2)) == page_fault(0, page(2)), "a global page is still there");
    arena.space.destroy();
}

/// INVLPG of one address forgets all of a large page.
fn invlpg_large() {
    let arena = Arena::new(1);
    let (frames, link) = (two_blocks(), slot(arena.lower(), 2));
    let at = |index: u64| page(2 * 512 + index);
    let value = |first| block(entry::page(frames.plus(first), Access::ReadWrite));
    for turn in 0..3 {
        set(link, value(0));
        invalidate(at(turn));
        check!((0..512).all(|index| read(at(index)) == Ok(mark(index))), "the page is not there");
        set(link, value(512));
        invalidate(at(511 - turn));
        let moved = (0..512).all(|index| read(at(index)) == Ok(mark(512 + index)));
        check!(moved, "the page is not the second");
        set(link, 0);
        invalidate(at(100 * turn));
        check!((0..512).all(|index| read(at(index)).is_err()), "the page is still there");
    }
    arena.space.destroy();
}

/// INVLPG of what is not mapped, or no address at all, does nothing and does not fault.
fn invlpg_of_nothing() {
    let arena = Arena::new(1);
    for va in [page(20), page(0) + (300 << 30), 1 << 47, 1 << 63, u64::MAX, !0 << 47, 0] {
        invalidate(va);
        check!(read(page(0)) == Ok(mark(0)), "INVLPG of {va:#x} took another page");
    }
    arena.space.destroy();
}

/// INVPCID of each type.
fn invpcid() {
    if !has_invpcid() {
        return;
    }
    let mut arena = Arena::new(1);
    for kind in 0..4_u64 {
        try_form(&mut arena, "invpcid", |va| {
            let descriptor = [0, va];
            // SAFETY: an invalidation.
            unsafe {
                asm!("invpcid {}, [{}]", in(reg) kind, in(reg) descriptor.as_ptr(),
                    options(nostack));
            }
        });
    }
    arena.space.destroy();
}

/// The root is loaded again, with each of the bits that only concern caches.
fn root_reload() {
    let mut arena = Arena::new(1);
    let root = cr3();
    for bits in [0, 1 << 3, 1 << 4, 3 << 3] {
        try_form(&mut arena, "a load of the root", |_| set_cr3(root | bits));
        check!(cr3() == root | bits, "CR3 reads {:#x}", cr3());
    }
    set_cr3(root);
    check!(read(page(20)) == page_fault(0, page(20)), "a page too many");
    rt::space::activate_kernel();
    set(arena.entry(20), arena.value(4));
    arena.space.activate();
    check!(read(page(20)) == Ok(mark(4)), "what was made meanwhile does not count");
    arena.space.destroy();
}

/// Global pages are forgotten when CR4.PGE changes, and nothing is global without it.
fn global_pages_off() {
    let mut arena = Arena::new(1);
    let old = cr4();
    for _ in 0..2 {
        set(arena.entry(2), global(arena.value(2)));
        check!(read(page(2)) == Ok(mark(2)), "a global page is not there");
        set(arena.entry(2), global(arena.value(5)));
        set_cr4(old & !CR4_PGE);
        check!(read(page(2)) == Ok(mark(5)), "a global page outlives PGE");
        set(arena.entry(2), global(arena.value(2)));
        arena.space.activate();
        check!(read(page(2)) == Ok(mark(2)), "a page is global without PGE");
        set_cr4(old);
        check!(read(page(2)) == Ok(mark(2)), "a page is lost with PGE");
        set(arena.entry(2), 0);
        invalidate(page(2));
    }
    arena.space.destroy();
}

/// What was not present and is needs no invalidation, at any level, even after faults.
fn made_without_invalidation() {
    let mut arena = Arena::new(1);
    let links = super::user::links(&arena);
    let leaf = arena.entry(0);
    for link in links.into_iter().chain([leaf]) {
        for _ in 0..3 {
            let plain = get(link);
            set(link, 0);
            tlb::space(1);
            for _ in 0..2 {
                check!(read(page(0)) == page_fault(0, page(0)), "a page is still there");
                check!(write(page(0), 1) == page_fault(WRITE, page(0)), "a page is still there");
            }
            set(link, plain);
            check!(read(page(0)) == Ok(mark(0)), "a page that was made is not there");
            check!(write(page(0), mark(0)) == Ok(0), "a page that was made cannot be written");
        }
    }
    arena.space.destroy();
}

/// Rights that were added need no invalidation either: at most one fault comes too many. Marks that
/// were taken away are set again once the page is forgotten.
fn widened_without_invalidation() {
    let mut arena = Arena::new(1);
    let (entry, value) = (arena.entry(0), arena.value(0));
    for turn in 0..3 {
        set(entry, entry::with_write(value, false));
        tlb::page(1, page(0));
        let fault = page_fault(PROTECTION | WRITE, page(0));
        check!(write(page(0), 1) == fault, "a read-only page is written");
        set(entry, value & !(ACCESSED | DIRTY));
        let first = write(page(0), turn);
        check!(first == fault || first == Ok(0), "a page with new rights: {first:x?}");
        check!(write(page(0), turn) == Ok(0), "a page with new rights is kept twice");
        check!(read(page(0)) == Ok(turn), "what was written is lost");
        check!(get(entry) & DIRTY != 0, "a write was not noted");
        set(entry, 0);
        tlb::page(1, page(0));
        check!(write(page(0), mark(0)) == page_fault(WRITE, page(0)), "a page is still there");
        set(entry, value);
        check!(write(page(0), mark(0)) == Ok(0), "a page that was made cannot be written");
    }
    arena.space.destroy();
}
