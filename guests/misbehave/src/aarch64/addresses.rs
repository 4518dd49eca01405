//! Where things are, and what can be done to them.

use core::arch::asm;

use rt::space::{self, Access, Frame, Space, USER};
use rt::{entry, tlb};

use crate::addresses::outside;

/// A physical address at which the machine has nothing.
pub(crate) const NOWHERE: u64 = 0x0b00_0000;
/// Where a device is: the UART.
pub(crate) const DEVICE: u64 = 0x0900_0000;

/// Has its root outside of RAM.
pub(crate) fn root_beyond() {
    let [address, _] = outside();
    // SAFETY: what happens is for others to say.
    unsafe { asm!("msr ttbr0_el1, {}", "isb", "tlbi vmalle1", "dsb sy", "isb", in(reg) address) };
}

/// Writes two registers of a device with one instruction, which no hypervisor is told about.
pub(crate) fn device_pair() {
    // SAFETY: the UART's registers at 0x20: unused, and its baud rate.
    unsafe { asm!("stp wzr, wzr, [{}]", in(reg) DEVICE + 0x20, options(nostack)) };
}

/// Executes a device.
pub(crate) fn device_code() {
    /// PXN.
    const EXECUTE_NEVER: u64 = 1 << 53;
    let mut space = Space::new(1);
    let value = entry::page(Frame::at(DEVICE), Access::ReadOnly) & !EXECUTE_NEVER;
    // SAFETY: nothing of the guest's own is there.
    unsafe { space::store(space.entry(USER), value) };
    tlb::publish();
    space.activate();
    // SAFETY: what happens is for others to say.
    unsafe { asm!("blr {}", in(reg) USER, out("x30") _) };
}
