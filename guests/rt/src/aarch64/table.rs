//! Tables: the entries of VMSAv8-64 stage 1 (4 KiB granule, 48 bits), and the identity map.

use core::cell::UnsafeCell;
use core::ops::Range;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{
    ID_AA64MMFR0_EL1, MAIR_EL1, ReadWriteable, Readable, SCTLR_EL1, TCR_EL1, TTBR0_EL1, TTBR1_EL1,
    Writeable,
};

use crate::space::{Access, Frame};

/// Levels of a walk; the root is level `LEVELS - 1`, pages are level 0.
pub(crate) const LEVELS: u32 = 4;

/// The entry is valid.
const VALID: u64 = 1 << 0;
/// It is a table, or at level 0 a page; otherwise a block.
const TABLE: u64 = 1 << 1;
/// AttrIndx: normal memory, the other value of [`MAIR_EL1`] that is used.
const NORMAL: u64 = 1 << 2;
/// AP\[2\]: read-only.
const READ_ONLY: u64 = 1 << 7;
/// SH: inner shareable.
const INNER_SHAREABLE: u64 = 3 << 8;
/// AF: the page was accessed.
const ACCESSED: u64 = 1 << 10;
/// nG: the translation belongs to one ASID.
const NOT_GLOBAL: u64 = 1 << 11;
/// PXN: EL1 executes nothing there.
const NO_EXECUTE: u64 = 1 << 53;
/// UXN: EL0 executes nothing there.
const USER_NO_EXECUTE: u64 = 1 << 54;
/// The output address of a page or the next table.
const ADDRESS: u64 = ((1 << 48) - 1) & !((1 << 12) - 1);

/// The index into a table of `level` for `va`.
#[inline(always)]
pub(crate) const fn index(va: u64, level: u32) -> usize {
    ((va >> (12 + 9 * level)) & 511) as usize
}

/// An entry that points to the next table.
#[inline(always)]
pub const fn table(next: Frame) -> u64 {
    next.address() | VALID | TABLE
}

/// An entry for a page of data that belongs to one address space.
#[inline(always)]
pub const fn page(frame: Frame, access: Access) -> u64 {
    let base = frame.address() | VALID | TABLE | NORMAL | INNER_SHAREABLE | NOT_GLOBAL;
    let base = base | ACCESSED | NO_EXECUTE | USER_NO_EXECUTE;
    match access {
        Access::ReadWrite => base,
        Access::ReadOnly => base | READ_ONLY,
        Access::Untouched => base & !ACCESSED,
    }
}

/// An entry of level 1 for 2 MiB of data that belong to one address space.
#[inline(always)]
pub const fn block(first: Frame, access: Access) -> u64 {
    page(first, access) & !TABLE
}

/// Whether an entry is valid.
#[inline(always)]
pub const fn is_present(entry: u64) -> bool {
    entry & VALID != 0
}

/// Whether the page was read and written, as far as it is noted.
#[inline(always)]
pub const fn is_used(entry: u64) -> bool {
    entry & ACCESSED != 0
}

/// Whether a page's entry forbids writes.
#[inline(always)]
pub const fn is_read_only(entry: u64) -> bool {
    entry & READ_ONLY != 0
}

/// The entry with writes allowed or not.
#[inline(always)]
pub const fn with_write(entry: u64, allowed: bool) -> u64 {
    if allowed { entry & !READ_ONLY } else { entry | READ_ONLY }
}

/// The frame of a page or of the next table.
#[inline(always)]
pub const fn target(entry: u64) -> Frame {
    Frame::at(entry & ADDRESS)
}

/// One table.
#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; 512]>);

// SAFETY: written by `turn_on` alone, which is called once.
unsafe impl Sync for Table {}

impl Table {
    /// A table without valid entries.
    const fn empty() -> Self {
        Self(UnsafeCell::new([0; 512]))
    }

    /// Its frame; physical and virtual addresses are equal here.
    fn frame(&self) -> Frame {
        Frame::at(self.0.get().addr() as u64)
    }

    /// Writes one entry.
    ///
    /// # Safety
    ///
    /// Before the MMU is on, by `turn_on` alone.
    unsafe fn set(&self, index: usize, entry: u64) {
        // SAFETY: by the caller nobody else reads or writes it.
        let entries = unsafe { &mut *self.0.get() };
        entries[index] = entry;
    }
}

/// The root of the identity map.
static ROOT: Table = Table::empty();
/// Its level 2: blocks of 1 GiB.
static GIBS: Table = Table::empty();
/// Level 1 of the devices below RAM.
static DEVICES: Table = Table::empty();
/// Level 1 of the last GiB of RAM, where that is not whole.
static TAIL: Table = Table::empty();
/// The root of the upper half, until a guest loads its own.
static UPPER: Table = Table::empty();

/// The interrupt controller and the UART.
const DEVICE_RANGE: Range<u64> = 0x0800_0000..0x0a00_0000;

/// 1 GiB and 2 MiB, the sizes of blocks.
const GIB: u64 = 1 << 30;
/// See [`GIB`].
const MIB2: u64 = 1 << 21;

/// The root of the kernel's own address space: the identity map alone.
pub(crate) fn kernel_root() -> Frame {
    ROOT.frame()
}

/// Makes the identity map and turns MMU and caches on.
///
/// RAM is global, writable and executable, in the largest blocks that fit.
///
/// # Safety
///
/// Called once, with the MMU off; `ram` is RAM, aligned to 1 GiB at its start.
pub(crate) unsafe fn turn_on(ram: &Range<u64>) {
    let block = VALID | ACCESSED;
    let memory = block | NORMAL | INNER_SHAREABLE | USER_NO_EXECUTE;
    let device = block | NO_EXECUTE | USER_NO_EXECUTE;
    // SAFETY: the MMU is off, and this is `turn_on`; so for the others.
    unsafe { ROOT.set(0, table(GIBS.frame())) };
    // SAFETY: as above.
    unsafe { GIBS.set(0, table(DEVICES.frame())) };
    for at in DEVICE_RANGE.step_by(MIB2 as usize) {
        // SAFETY: as above.
        unsafe { DEVICES.set(index(at, 1), at | device) };
    }
    let whole = ram.start + (ram.end - ram.start) / GIB * GIB;
    for at in (ram.start..whole).step_by(GIB as usize) {
        // SAFETY: as above.
        unsafe { GIBS.set(index(at, 2), at | memory) };
    }
    if whole < ram.end {
        // SAFETY: as above.
        unsafe { GIBS.set(index(whole, 2), table(TAIL.frame())) };
        for at in (whole..ram.end - ram.end % MIB2).step_by(MIB2 as usize) {
            // SAFETY: as above.
            unsafe { TAIL.set(index(at, 1), at | memory) };
        }
    }
    MAIR_EL1.write(
        MAIR_EL1::Attr0_Device::nonGathering_nonReordering_EarlyWriteAck
            + MAIR_EL1::Attr1_Normal_Outer::WriteBack_NonTransient_ReadWriteAlloc
            + MAIR_EL1::Attr1_Normal_Inner::WriteBack_NonTransient_ReadWriteAlloc,
    );
    // 48 bits of physical address at most: more needs LPA2.
    let size = ID_AA64MMFR0_EL1.read(ID_AA64MMFR0_EL1::PARange).min(0b101);
    TCR_EL1.write(
        TCR_EL1::T0SZ.val(16)
            + TCR_EL1::IRGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL1::ORGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL1::SH0::Inner
            + TCR_EL1::TG0::KiB_4
            + TCR_EL1::T1SZ.val(16)
            + TCR_EL1::IRGN1::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL1::ORGN1::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL1::SH1::Inner
            + TCR_EL1::TG1::KiB_4
            + TCR_EL1::IPS.val(size)
            + TCR_EL1::AS::ASID16Bits,
    );
    TTBR0_EL1.set(ROOT.frame().address());
    TTBR1_EL1.set(UPPER.frame().address());
    barrier::isb(barrier::SY);
    super::tlb::all();
    SCTLR_EL1.modify(SCTLR_EL1::M::Enable + SCTLR_EL1::C::Cacheable + SCTLR_EL1::I::Cacheable);
    barrier::isb(barrier::SY);
}

/// Makes `root` the root of the lower half, tagged `asid`.
///
/// # Safety
///
/// `root` is a root table that holds the kernel's entry, so that code and stack stay mapped.
#[inline(always)]
pub unsafe fn load_root(root: Frame, asid: u16) {
    TTBR0_EL1.set((u64::from(asid) << 48) | root.address());
    barrier::isb(barrier::SY);
}

/// Makes `root` the root of the upper half.
///
/// # Safety
///
/// `root` is a root table, and nothing in use is mapped by the old one.
pub(crate) unsafe fn load_upper_root(root: Frame) {
    TTBR1_EL1.set(root.address());
    barrier::isb(barrier::SY);
}

/// Ends the use of the upper half's root.
pub(crate) fn clear_upper_root() {
    TTBR1_EL1.set(UPPER.frame().address());
    barrier::isb(barrier::SY);
    super::tlb::all();
}
