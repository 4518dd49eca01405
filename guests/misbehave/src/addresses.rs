//! Addresses at which there is nothing, or not what is expected.

use core::arch::asm;

use rt::space::{self, Access, FRAME, Frame, Space, USER};
use rt::{entry, tlb};

/// A physical address at which the machine has nothing.
const NOWHERE: u64 = 0x0b00_0000;
/// Where the UART is.
const UART: u64 = 0x0900_0000;

/// Behind the end of RAM, and far from it.
fn outside() -> [u64; 2] {
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
    with_table_at(UART);
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

/// Has its root outside of RAM.
pub(crate) fn root_beyond() {
    let [address, _] = outside();
    // SAFETY: what happens is for others to say.
    unsafe { asm!("msr ttbr0_el1, {}", "isb", "tlbi vmalle1", "dsb sy", "isb", in(reg) address) };
}

/// Writes two registers of a device with one instruction, which no hypervisor is told about.
pub(crate) fn device_pair() {
    // SAFETY: the UART's registers at 0x20: unused, and its baud rate.
    unsafe { asm!("stp wzr, wzr, [{}]", in(reg) UART + 0x20, options(nostack)) };
}

/// Executes a device.
pub(crate) fn device_code() {
    /// PXN.
    const EXECUTE_NEVER: u64 = 1 << 53;
    let mut space = Space::new(1);
    let value = entry::page(Frame::at(UART), Access::ReadOnly) & !EXECUTE_NEVER;
    // SAFETY: nothing of the guest's own is there.
    unsafe { space::store(space.entry(USER), value) };
    tlb::publish();
    space.activate();
    // SAFETY: what happens is for others to say.
    unsafe { asm!("blr {}", in(reg) USER, out("x30") _) };
}
