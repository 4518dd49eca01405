//! The host-state area: what an exit puts into this CPU's registers.
//!
//! It is what they hold when a guest is made, so the hypervisor's map, segments and vectors are final by
//! then. Intel SDM vol. 3, "Host-State Area" (25.5).

use core::arch::asm;

use x86_64::PrivilegeLevel;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::{sgdt, sidt};
use x86_64::registers::control::{Cr0, Cr3, Cr4, Efer};
use x86_64::structures::gdt::SegmentSelector;

use super::vmcs::Field;

/// The task register.
fn task() -> SegmentSelector {
    let selector: u16;
    // SAFETY: STR reads a register.
    unsafe { asm!("str {:x}", out(reg) selector, options(nomem, nostack, preserves_flags)) };
    SegmentSelector::new(selector >> 3, PrivilegeLevel::Ring0)
}

/// The base in the descriptor of a task state segment: bits 16 to 39 and 56 to 63 of its first word, and the
/// lower half of the second.
const fn base([low, high]: [u64; 2]) -> u64 {
    low >> 16 & 0xff_ffff | (low >> 56) << 24 | high << 32
}

/// Fills the area. `efer`: exits load EFER.
///
/// # Safety
///
/// The hypervisor's map, its segments and its vectors stay as they are from now on.
pub(super) unsafe fn fill(efer: bool) {
    let (gdt, task) = (sgdt(), task());
    let descriptor = gdt.base.as_ptr::<u64>().wrapping_add(usize::from(task.index()));
    // SAFETY: TR was loaded from this descriptor, which takes two words of the table.
    let descriptor = unsafe { descriptor.cast::<[u64; 2]>().read() };
    let (root, low) = Cr3::read_raw();
    let fields = [
        (Field::HostCr0, Cr0::read_raw()),
        (Field::HostCr3, root.start_address().as_u64() | u64::from(low)),
        (Field::HostCr4, Cr4::read_raw()),
        (Field::HostCsSelector, CS::get_reg().0.into()),
        (Field::HostSsSelector, SS::get_reg().0.into()),
        (Field::HostDsSelector, DS::get_reg().0.into()),
        (Field::HostEsSelector, ES::get_reg().0.into()),
        (Field::HostFsSelector, 0),
        (Field::HostGsSelector, 0),
        (Field::HostTrSelector, task.0.into()),
        (Field::HostFsBase, 0),
        (Field::HostGsBase, 0),
        (Field::HostTrBase, base(descriptor)),
        (Field::HostGdtrBase, gdt.base.as_u64()),
        (Field::HostIdtrBase, sidt().base.as_u64()),
        (Field::HostSysenterCs, 0),
        (Field::HostSysenterEsp, 0),
        (Field::HostSysenterEip, 0),
    ];
    for (field, value) in fields {
        // SAFETY: this is what the registers hold, and by the caller will hold. The hypervisor has no use
        // for FS, GS and SYSENTER.
        unsafe { field.write(value) };
    }
    if efer {
        // SAFETY: the same.
        unsafe { Field::HostEfer.write(Efer::read_raw()) };
    }
}
