//! Where things are, and what can be done to them.

use core::arch::asm;

use crate::addresses::outside;

/// A physical address at which the machine has nothing.
pub(crate) const NOWHERE: u64 = 0xfd00_0000;
/// Where a device is: the local APIC.
pub(crate) const DEVICE: u64 = 0xfee0_0000;

/// Has its root outside of RAM.
pub(crate) fn root_beyond() {
    let [address, _] = outside();
    load_root(address);
}

/// Has its root where no processor has addresses.
pub(crate) fn root_reserved() {
    load_root(1 << 51);
}

/// Loads the root.
fn load_root(address: u64) {
    // SAFETY: what happens is for others to say.
    unsafe { asm!("mov cr3, {}", in(reg) address, options(nostack)) };
}

/// Writes 512 bytes of registers with one instruction, which nobody emulates for a device.
pub(crate) fn device_wide() {
    // SAFETY: what happens is for others to say.
    unsafe { asm!("fxsave [{}]", in(reg) DEVICE, options(nostack)) };
}

/// Executes a device.
pub(crate) fn device_code() {
    // SAFETY: what happens is for others to say.
    unsafe { asm!("call {}", in(reg) DEVICE) };
}
