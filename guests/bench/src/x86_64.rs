//! What the rows are called on x86-64, and the rows that only this processor has.

use rt::quick::{self, Handler};
use rt::samples::Samples;
use rt::space::{self, Access, USER};
use rt::{check, entry, exact, phase};

use crate::tables::{ANCHOR, page, space_of, touch};
use crate::{GUEST, OPERATIONS};

/// The row of the hypercall.
pub(crate) const CALL: &str = "call";
/// The row of the interrupt controller, and its name.
pub(crate) const CONTROLLER: [&str; 2] = ["apic", "controller-read"];

/// CPUID.
pub(crate) fn exits(cost: u64) {
    let mut samples = Samples::with_capacity(OPERATIONS as usize);
    phase("cpuid", OPERATIONS, || {
        (0..OPERATIONS).for_each(|_| samples.add(exact::cpuid() - cost - exact::MOVES));
    });
    samples.print(GUEST, "cpuid", "null-cpuid");
}

/// See the functions.
pub(crate) fn tables(cost: u64) {
    protection_fault(cost);
    first_uses(cost);
}

/// A write to a read-only page, whose fault the guest keeps to itself.
fn protection_fault(cost: u64) {
    let count = ANCHOR + 1;
    let (space, entries, frame) = space_of(3, count);
    for number in 0..count {
        let value = entry::page(frame.plus(number), Access::ReadOnly);
        // SAFETY: an entry of the leaf table, which nobody uses yet.
        unsafe { space::store(entries.wrapping_add(number as usize), value) };
    }
    space.activate();
    check!((0..count).all(|number| touch(number) == number), "a page lost its number");
    let mut samples = Samples::with_capacity(OPERATIONS as usize);
    let region = quick::Region { start: USER, entries, first: 0, asid: space.asid() };
    // SAFETY: the handler that skips an instruction stores no entries.
    unsafe { quick::install(Handler::Skip, &region) };
    phase("protection", OPERATIONS, || {
        for number in 0..OPERATIONS {
            // SAFETY: the handler skips the write.
            samples.add(unsafe { exact::store(page(number), 0) } - cost);
        }
    });
    quick::remove();
    check!((0..count).all(|number| touch(number) == number), "a write that faulted wrote");
    space.destroy();
    samples.print(GUEST, "protection", "protection-fault");
}

/// The first read of a page whose leaf entry alone is not in use yet, and the first write: the
/// processor notes each in the entry.
fn first_uses(cost: u64) {
    let count = ANCHOR + 1;
    let (space, entries, frame) = space_of(4, count);
    for number in 0..ANCHOR {
        let value = entry::page(frame.plus(number), Access::Untouched);
        // SAFETY: an entry of the leaf table, which nobody uses yet.
        unsafe { space::store(entries.wrapping_add(number as usize), value) };
    }
    space.activate();
    check!(touch(ANCHOR) == ANCHOR, "the last page lost its number");
    let mut reads = Samples::with_capacity(OPERATIONS as usize);
    phase("first-read", OPERATIONS, || {
        for number in 0..OPERATIONS {
            // SAFETY: the page is mapped.
            let (ticks, read) = unsafe { exact::load(page(number)) };
            check!(read == number, "page {number} reads {read}");
            reads.add(ticks - cost);
        }
    });
    let mut writes = Samples::with_capacity(OPERATIONS as usize);
    phase("first-write", OPERATIONS, || {
        for number in 0..OPERATIONS {
            // SAFETY: as above; it holds its number already.
            writes.add(unsafe { exact::store(page(number), number) } - cost);
        }
    });
    for number in 0..OPERATIONS {
        // SAFETY: an entry of the leaf table.
        let value = unsafe { space::load(entries.wrapping_add(number as usize)) };
        check!(entry::is_used(value), "the uses of page {number} were not noted");
    }
    space.destroy();
    reads.print(GUEST, "first-read", "leaf-fill");
    writes.print(GUEST, "first-write", "leaf-dirty");
}
