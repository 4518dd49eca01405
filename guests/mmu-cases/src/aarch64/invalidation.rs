//! Cases about invalidation: each form does what it promises, and address spaces stay apart.

use core::arch::asm;

use rt::fault::Cause::NotPresent;
use rt::{check, tlb};

use crate::access::read;
use crate::arena::{Arena, mark, page, set};
use crate::{Case, pages};

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("tlbi-by-address", by_address),
    ("tlbi-by-space", by_space),
    ("tlbi-by-range", by_range),
    ("spaces-apart", pages::spaces_apart),
    ("root-reloaded", root_reloaded),
    ("asid-reused", pages::asid_reused),
];

/// Defines a function that makes one form of invalidation, with an operand.
macro_rules! form {
    ($name:ident, $instruction:literal) => {
        /// The form, with its barriers.
        fn $name(operand: u64) {
            // SAFETY: an invalidation.
            unsafe {
                asm!(".arch_extension tlb-rmi", "dsb ishst", concat!("tlbi ", $instruction),
                    "dsb ish", "isb", in(reg) operand, options(nostack));
            }
        }
    };
}

form!(vae1, "vae1, {}");
form!(vaae1, "vaae1, {}");
form!(vale1, "vale1, {}");
form!(vaale1, "vaale1, {}");
form!(vae1is, "vae1is, {}");
form!(vaae1is, "vaae1is, {}");
form!(vale1is, "vale1is, {}");
form!(vaale1is, "vaale1is, {}");
form!(vae1os, "vae1os, {}");
form!(vaale1os, "vaale1os, {}");
form!(aside1, "aside1, {}");
form!(aside1is, "aside1is, {}");
form!(aside1os, "aside1os, {}");
form!(vmalle1, "vmalle1 // {}");
form!(vmalle1is, "vmalle1is // {}");
form!(vmalle1os, "vmalle1os // {}");
form!(rvae1, "rvae1, {}");
form!(rvaae1, "rvaae1, {}");
form!(rvale1, "rvale1, {}");
form!(rvaale1, "rvaale1, {}");
form!(rvae1is, "rvae1is, {}");
form!(rvaae1is, "rvaae1is, {}");
form!(rvale1is, "rvale1is, {}");
form!(rvaale1is, "rvaale1is, {}");
form!(rvae1os, "rvae1os, {}");

/// A form of invalidation.
type Form = fn(u64);

/// The arena's tag in these cases.
const ASID: u64 = 3;

/// Changes a page and invalidates it by `form`: it must be gone, and then be elsewhere.
fn try_form(arena: &mut Arena, name: &str, operand: u64, form: Form) {
    let (entry, first, other) = (arena.entry(2), arena.value(2), arena.value(9));
    check!(read(page(2)) == Ok(mark(2)), "{name}: page 2 is lost");
    set(entry, 0);
    form(operand);
    check!(read(page(2)) == Err(NotPresent), "{name}: page 2 is still there");
    set(entry, other);
    tlb::publish();
    check!(read(page(2)) == Ok(mark(9)), "{name}: page 2 is not frame 9");
    set(entry, 0);
    form(operand);
    set(entry, first);
    tlb::publish();
    check!(read(page(2)) == Ok(mark(2)), "{name}: page 2 is not frame 2 again");
    check!(read(page(3)) == Ok(mark(3)), "{name}: page 3 is lost");
}

/// The operand of the forms by address.
fn address(asid: u64) -> u64 {
    (asid << 48) | (page(2) >> 12)
}

/// Forms by address, of one space and of all, leaf entries and all, and as far as they reach.
fn by_address() {
    let mut arena = Arena::new(ASID as u16);
    let forms: [(&str, Form, u64); 10] = [
        ("vae1", vae1, ASID),
        ("vaae1", vaae1, 0),
        ("vale1", vale1, ASID),
        ("vaale1", vaale1, 0),
        ("vae1is", vae1is, ASID),
        ("vaae1is", vaae1is, 0),
        ("vale1is", vale1is, ASID),
        ("vaale1is", vaale1is, 0),
        ("vae1os", vae1os, ASID),
        ("vaale1os", vaale1os, 0),
    ];
    for (name, form, asid) in forms {
        try_form(&mut arena, name, address(asid), form);
    }
    arena.space.destroy();
}

/// Forms of a whole space, and of all of them.
fn by_space() {
    let mut arena = Arena::new(ASID as u16);
    let forms: [(&str, Form); 6] = [
        ("aside1", aside1),
        ("aside1is", aside1is),
        ("aside1os", aside1os),
        ("vmalle1", vmalle1),
        ("vmalle1is", vmalle1is),
        ("vmalle1os", vmalle1os),
    ];
    for (name, form) in forms {
        try_form(&mut arena, name, ASID << 48, form);
    }
    arena.space.destroy();
}

/// Whether the processor says that it invalidates ranges (ID_AA64ISAR0_EL1.TLB).
fn has_ranges() -> bool {
    let features: u64;
    // SAFETY: reading an identification register changes nothing.
    unsafe { asm!("mrs {}, ID_AA64ISAR0_EL1", out(reg) features, options(nomem, nostack)) };
    (features >> 56) & 0xf >= 2
}

/// Forms of a range: page 2 and the one behind it, at least.
fn by_range() {
    /// The operand's TG: 4 KiB; SCALE and NUM are 0, which is two pages.
    const GRANULE_4K: u64 = 1 << 46;
    if !has_ranges() {
        return;
    }
    let mut arena = Arena::new(ASID as u16);
    let forms: [(&str, Form, u64); 9] = [
        ("rvae1", rvae1, ASID),
        ("rvaae1", rvaae1, 0),
        ("rvale1", rvale1, ASID),
        ("rvaale1", rvaale1, 0),
        ("rvae1is", rvae1is, ASID),
        ("rvaae1is", rvaae1is, 0),
        ("rvale1is", rvale1is, ASID),
        ("rvaale1is", rvaale1is, 0),
        ("rvae1os", rvae1os, ASID),
    ];
    for (name, form, asid) in forms {
        // BADDR is 37 bits wide.
        let operand = (asid << 48) | GRANULE_4K | (page(2) >> 12) & ((1 << 37) - 1);
        try_form(&mut arena, name, operand, form);
    }
    arena.space.destroy();
}

/// A root is loaded again, with and without CnP; entries that were invalid and changed meanwhile
/// count.
fn root_reloaded() {
    let mut arena = Arena::new(1);
    check!(read(page(20)) == Err(NotPresent), "a page too many");
    rt::space::activate_kernel();
    set(arena.entry(20), arena.value(4));
    arena.space.activate();
    check!(read(page(20)) == Ok(mark(4)), "what was made meanwhile does not count");
    let root = arena.space.root().address() | crate::aarch64::bits::COMMON | 1 << 48;
    // SAFETY: the same root, which others share, of which there are none.
    unsafe { asm!("msr ttbr0_el1, {}", "isb", in(reg) root, options(nostack)) };
    check!(read(page(20)) == Ok(mark(4)), "a root with CnP is another");
    arena.space.activate();
    arena.space.destroy();
}
