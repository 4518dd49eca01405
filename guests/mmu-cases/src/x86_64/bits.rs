//! Bits of entries, registers and CPUID that the runtime has no word for.

use core::arch::x86_64::{__cpuid, __cpuid_count};

/// R/W: writes are allowed.
pub(crate) const WRITABLE: u64 = 1 << 1;
/// U/S: user mode may access.
pub(crate) const USER: u64 = 1 << 2;
/// PWT.
pub(crate) const WRITE_THROUGH: u64 = 1 << 3;
/// PCD.
pub(crate) const NO_CACHE: u64 = 1 << 4;
/// A.
pub(crate) const ACCESSED: u64 = 1 << 5;
/// D.
pub(crate) const DIRTY: u64 = 1 << 6;
/// PS: a page of 2 MiB or 1 GiB, where a table could be.
pub(crate) const LARGE: u64 = 1 << 7;
/// PAT of a page of 4 KiB.
pub(crate) const PAT: u64 = 1 << 7;
/// PAT of a larger page.
pub(crate) const LARGE_PAT: u64 = 1 << 12;
/// G: the page is the same in every address space.
pub(crate) const GLOBAL: u64 = 1 << 8;
/// Bits that the processor ignores.
pub(crate) const IGNORED: u64 = (0b111 << 9) | (0x7f << 52);
/// XD: nothing is executed there.
pub(crate) const NO_EXECUTE: u64 = 1 << 63;

/// CR0.PE.
pub(crate) const CR0_PE: u64 = 1 << 0;
/// CR0.PG.
pub(crate) const CR0_PG: u64 = 1 << 31;
/// CR0.WP: read-only pages are read-only for the kernel as well.
pub(crate) const CR0_WP: u64 = 1 << 16;
/// CR0.NW.
pub(crate) const CR0_NW: u64 = 1 << 29;
/// CR4.PAE.
pub(crate) const CR4_PAE: u64 = 1 << 5;
/// CR4.PGE: global pages.
pub(crate) const CR4_PGE: u64 = 1 << 7;
/// CR4.PCIDE: address spaces have tags.
pub(crate) const CR4_PCIDE: u64 = 1 << 17;
/// CR4.SMEP: the kernel does not execute user mode's pages.
pub(crate) const CR4_SMEP: u64 = 1 << 20;
/// CR4.SMAP: the kernel does not access user mode's pages.
pub(crate) const CR4_SMAP: u64 = 1 << 21;
/// CR4, a bit that means nothing.
pub(crate) const CR4_RESERVED: u64 = 1 << 63;
/// CR3, with tags: what is known of the space stays.
pub(crate) const CR3_KEEP: u64 = 1 << 63;

/// The MSR IA32_EFER.
pub(crate) const EFER: u32 = 0xc000_0080;
/// EFER.LME.
pub(crate) const EFER_LME: u64 = 1 << 8;
/// EFER.NXE: entries may forbid execution.
pub(crate) const EFER_NXE: u64 = 1 << 11;
/// The MSR IA32_PAT.
pub(crate) const PAT_MSR: u32 = 0x277;

/// The entry of a page as that of a larger one.
pub(crate) const fn block(page: u64) -> u64 {
    page | LARGE
}

/// The entry of a page that all address spaces share.
pub(crate) const fn global(page: u64) -> u64 {
    page | GLOBAL
}

/// The entry of a page that can be executed.
pub(crate) const fn executable(page: u64) -> u64 {
    page & !NO_EXECUTE
}

/// Whether there are pages of 1 GiB.
pub(crate) fn has_gib_blocks() -> bool {
    __cpuid(0x8000_0001).edx & 1 << 26 != 0
}

/// Whether CPUID leaf 7 has a bit of EBX.
fn has(bit: u32) -> bool {
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx & 1 << bit != 0
}

/// Whether there is SMEP.
pub(crate) fn has_smep() -> bool {
    has(7)
}

/// Whether there is SMAP.
pub(crate) fn has_smap() -> bool {
    has(20)
}

/// Whether there is INVPCID.
pub(crate) fn has_invpcid() -> bool {
    has(10)
}

/// Whether address spaces can have tags.
pub(crate) fn has_pcid() -> bool {
    __cpuid(1).ecx & 1 << 17 != 0
}

/// How many bits physical addresses have.
pub(crate) fn physical_bits() -> u32 {
    __cpuid(0x8000_0008).eax & 0xff
}
