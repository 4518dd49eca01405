//! The rows about page tables.

use rt::quick::{self, Handler};
use rt::samples::Samples;
use rt::space::{self, Access, FRAME, Frame, Space, USER};
use rt::{check, entry, exact, frames, phase, println, tlb};

use crate::{GUEST, OPERATIONS};

/// Entries of a table.
const ENTRIES: u64 = 512;
/// Tables of a space whose pages have one leaf table.
const TABLES: u64 = 4;
/// The page that stays mapped while the others' entries change, so that their table stays in use.
pub(crate) const ANCHOR: u64 = ENTRIES - 1;
/// Spaces that a fill row makes.
const FILLS: u16 = 16;

/// Address of a page.
pub(crate) fn page(number: u64) -> *mut u64 {
    (USER + number * FRAME) as *mut u64
}

/// Reads a page.
pub(crate) fn touch(number: u64) -> u64 {
    // SAFETY: the caller's rows read mapped pages only.
    unsafe { page(number).read_volatile() }
}

/// A space with one leaf table of which the first `count` pages are mapped to frames in a row, each
/// of which holds its number.
pub(crate) fn space_of(asid: u16, count: u64) -> (Space, *mut u64, Frame) {
    let frame = frames::take_contiguous(count);
    let mut space = Space::new(asid);
    let entries = space.entry(USER);
    for number in 0..count {
        let frame = frame.plus(number);
        // SAFETY: a frame of ours.
        unsafe { frame.words().write_volatile(number) };
        let value = entry::page(frame, Access::ReadWrite);
        // SAFETY: an entry of the leaf table.
        unsafe { space::store(entries.wrapping_add(number as usize), value) };
    }
    tlb::publish();
    (space, entries, frame)
}

/// A fault on a not-present page that the guest keeps to itself.
pub(crate) fn fault(cost: u64) {
    let (space, entries, _) = space_of(1, 1);
    space.activate();
    check!(touch(0) == 0, "page 0 does not hold its number");
    let mut samples = Samples::with_capacity(OPERATIONS as usize);
    let region = quick::Region { start: USER, entries, first: 0, asid: space.asid() };
    // SAFETY: the handler that skips an instruction stores no entries.
    unsafe { quick::install(Handler::Skip, &region) };
    phase("fault", OPERATIONS, || {
        for number in 1..=OPERATIONS {
            // SAFETY: the handler skips the read.
            let (ticks, _) = unsafe { exact::load(page(number)) };
            samples.add(ticks - cost);
        }
    });
    quick::remove();
    space.destroy();
    samples.print(GUEST, "fault", "true-fault");
}

/// Stores to a leaf table that is in use: one that takes writes away, one that unmaps, one that
/// maps.
pub(crate) fn stores(cost: u64) {
    let (space, entries, frame) = space_of(2, ENTRIES);
    space.activate();
    check!((0..ENTRIES).all(|number| touch(number) == number), "a page lost its number");
    let value = |number| entry::page(frame.plus(number), Access::ReadWrite);
    let row = |row, name, invalidate: bool, value: &dyn Fn(u64) -> u64| {
        let mut samples = Samples::with_capacity(ANCHOR as usize);
        phase(row, ANCHOR, || {
            for number in 0..ANCHOR {
                let slot = entries.wrapping_add(number as usize);
                // SAFETY: an entry of the leaf table.
                samples.add(unsafe { exact::store(slot, value(number)) } - cost);
                if invalidate {
                    tlb::page(space.asid(), page(number).addr() as u64);
                } else {
                    tlb::publish();
                }
                check!(touch(ANCHOR) == ANCHOR, "row {row}: the last page lost its number");
            }
        });
        samples.print(GUEST, row, name);
    };
    row("store-change", "present-to-read-only", true, &|number| {
        entry::with_write(value(number), false)
    });
    row("store-clear", "present-to-absent", true, &|_| 0);
    row("store-make", "absent-to-present", false, &value);
    check!((0..ENTRIES).all(|number| touch(number) == number), "a page lost its number");
    space.destroy();
}

/// The first access in a space that nobody has seen yet, its root loaded before; the access itself,
/// one instruction, is not counted.
pub(crate) fn fill(row: &str, valid: u64, cost: u64) {
    let mut samples = Samples::with_capacity(FILLS.into());
    frames::reuse(false);
    for index in 0..FILLS {
        let (space, ..) = space_of(16 + index, valid);
        space.activate();
        let (ticks, read) = phase(row, 1, || {
            // SAFETY: the page is mapped.
            unsafe { exact::load(page(valid - 1)) }
        });
        check!(read == valid - 1, "row {row}: the last page reads {read}");
        samples.add(ticks - cost - 1);
        space::activate_kernel();
    }
    frames::reuse(true);
    samples.print(GUEST, row, "cold-fill");
    let below = (TABLES - 2) * (ENTRIES - 1) + ENTRIES - valid;
    println!(
        "@ bench fill={row} tables={TABLES} valid={valid} empty={} empty_below_root={below}",
        below + ENTRIES - 2,
    );
}
