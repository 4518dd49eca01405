//! Registers of the physical CPU that the hypervisor writes in a guest's stead.

use core::arch::asm;

use x86_64::registers::model_specific::Msr;

/// IA32_PAT: which memory types the bits PWT, PCD and PAT of a table entry choose.
const PAT: u32 = 0x277;

/// IA32_FS_BASE.
const FS_BASE: u32 = 0xc000_0100;
/// IA32_GS_BASE.
const GS_BASE: u32 = 0xc000_0101;

/// The base of FS. It is the guest's, and whether it is canonical is up to the processor: QEMU takes any.
#[must_use]
pub(crate) fn fs_base() -> u64 {
    // SAFETY: every processor with 64-bit mode has this register.
    unsafe { Msr::new(FS_BASE).read() }
}

/// The base of GS, as for FS.
#[must_use]
pub(crate) fn gs_base() -> u64 {
    // SAFETY: the same.
    unsafe { Msr::new(GS_BASE).read() }
}

/// Reads the page attribute table, 8 fields of a byte.
#[must_use]
pub(crate) fn pat() -> u64 {
    // SAFETY: every processor with 64-bit mode has this register.
    unsafe { Msr::new(PAT).read() }
}

/// Whether every field of a page attribute table is a memory type ("Page Attribute Table (PAT)",
/// SDM vol. 3, 12.12.2).
#[must_use]
pub(crate) fn is_pat(value: u64) -> bool {
    value.to_le_bytes().iter().all(|memory_type| matches!(memory_type, 0 | 1 | 4..=7))
}

/// Writes the page attribute table. Nothing if `value` [is none](is_pat).
///
/// The hypervisor's own pages take field 0 or, for devices, field 3. A guest that calls RAM something else
/// in field 0 makes both slow, and no more: memory types are no matter of what is read or written.
pub(crate) fn set_pat(value: u64) {
    if is_pat(value) {
        // SAFETY: the fields are memory types.
        unsafe { Msr::new(PAT).write(value) };
    }
}

/// Writes XCR0.
///
/// # Safety
///
/// CR4.OSXSAVE is set, CPUID offers the components of `value`, they go together as XSETBV demands, and the hypervisor uses
/// none of them.
pub(crate) unsafe fn set_extended_control(value: u64) {
    let (low, high) = (value as u32, (value >> u32::BITS) as u32);
    // SAFETY: the caller's promise; XSETBV changes XCR0 and no memory.
    unsafe {
        asm!("xsetbv", in("ecx") 0, in("eax") low, in("edx") high, options(nomem, nostack));
    }
}
