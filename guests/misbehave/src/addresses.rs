//! Addresses at which there is nothing, or not what is expected.

use rt::space::{self, Access, FRAME, Frame, Space, USER};
use rt::{entry, tlb};

use crate::arch::addresses::{DEVICE, NOWHERE};

/// Behind the end of RAM, and far from it.
pub(crate) fn outside() -> [u64; 2] {
    [rt::machine().ram.end + 16 * FRAME, 1 << 39]
}

/// A space whose first page is at a physical address.
fn space_with(address: u64) -> Space {
    let mut space = Space::new(1);
    // SAFETY: nothing of the guest's own is there.
    unsafe { space.map(USER, Frame::at(address), Access::ReadWrite) };
    space.activate();
    space
}

/// Writes the first page.
fn write() {
    // SAFETY: what happens is for others to say.
    unsafe { (USER as *mut u64).write_volatile(0) };
}

/// Writes to no device.
pub(crate) fn nowhere() {
    let _space = space_with(NOWHERE);
    write();
}

/// Writes outside of RAM.
pub(crate) fn beyond() {
    for address in outside() {
        let space = space_with(address);
        write();
        space.destroy();
    }
}

/// Has a table outside of RAM.
pub(crate) fn table_beyond() {
    let [address, _] = outside();
    with_table_at(address);
}

/// Has a table where a device is.
pub(crate) fn table_device() {
    with_table_at(DEVICE);
}

/// Has a leaf table at a physical address, and uses it.
fn with_table_at(address: u64) {
    let mut space = Space::new(1);
    space.entry(USER);
    let lower = entry::target(entry_of(entry::target(entry_of(space.root(), 1)), 0));
    let value = entry::table(Frame::at(address));
    // SAFETY: the first entry of a table that nobody uses.
    unsafe { space::store(lower.words(), value) };
    tlb::publish();
    space.activate();
    write();
}

/// An entry of a table of the guest's.
fn entry_of(table: Frame, index: usize) -> u64 {
    // SAFETY: one of the guest's tables.
    unsafe { space::load(table.words().wrapping_add(index)) }
}
