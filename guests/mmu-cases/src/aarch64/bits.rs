//! Bits of VMSAv8-64 descriptors and registers that the runtime has no word for.

/// The entry of a page as that of a block, where bit 1 is clear.
pub(crate) const fn block(page: u64) -> u64 {
    page & !(1 << 1)
}

/// The entry of a page that all address spaces share.
pub(crate) const fn global(page: u64) -> u64 {
    page & !NOT_GLOBAL
}

/// The entry of a page that can be executed.
pub(crate) const fn executable(page: u64) -> u64 {
    page & !PXN
}

/// Whether there are blocks of 1 GiB.
pub(crate) const fn has_gib_blocks() -> bool {
    true
}

/// AP\[1\]: EL0 may access.
pub(crate) const USER: u64 = 1 << 6;
/// AF.
pub(crate) const ACCESSED: u64 = 1 << 10;
/// nG.
pub(crate) const NOT_GLOBAL: u64 = 1 << 11;
/// The contiguous hint.
pub(crate) const CONTIGUOUS: u64 = 1 << 52;
/// PXN.
pub(crate) const PXN: u64 = 1 << 53;
/// PXNTable: nothing below executes at EL1.
pub(crate) const PXN_TABLE: u64 = 1 << 59;
/// APTable\[0\]: EL0 accesses nothing below.
pub(crate) const NO_USER_TABLE: u64 = 1 << 61;
/// APTable\[1\]: nothing below can be written.
pub(crate) const READ_ONLY_TABLE: u64 = 1 << 62;

/// TCR_EL1.T1SZ, in place.
pub(crate) const T1SZ: u64 = 0x3f << 16;
/// TCR_EL1.T1SZ for 39 bits.
pub(crate) const T1SZ_39: u64 = 25 << 16;
/// TCR_EL1.T0SZ, in place.
pub(crate) const T0SZ: u64 = 0x3f;
/// TCR_EL1.T0SZ for 39 bits.
pub(crate) const T0SZ_39: u64 = 25;
/// TCR_EL1.EPD1: no walks of the upper half.
pub(crate) const EPD1: u64 = 1 << 23;
/// TCR_EL1.TBI0: the top byte of an address of the lower half is ignored.
pub(crate) const TBI0: u64 = 1 << 37;
/// TTBRn_EL1.CnP.
pub(crate) const COMMON: u64 = 1;
/// PAR_EL1.F: the translation failed.
pub(crate) const PAR_FAILED: u64 = 1;
/// PAR_EL1.PA.
pub(crate) const PAR_ADDRESS: u64 = ((1 << 48) - 1) & !0xfff;
