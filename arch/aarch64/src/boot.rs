//! Start-up: from firmware's hands to an EL2 with its own map.

use core::arch::{asm, global_asm};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{
    MAIR_EL2, MPIDR_EL1, Readable, SCTLR_EL2, TCR_EL2, TTBR0_EL2, Writeable,
};
use arch::host::{Region, identity};
use paging::addr::Level;
use paging::format::vmsa_stage1::Stage1;
use paging::mem::Memory;
use paging::pool::Pool;
use paging::tree::{MapError, Tools};

use crate::regs;
use crate::tlb::{self, Broadcast};

global_asm!(include_str!("start.s"));

/// MAIR: normal memory, write-back, read- and write-allocating, in and out.
const NORMAL: u64 = 0xff;
/// MAIR: device memory, nGnRE.
const DEVICE: u64 = 0x04;

/// Makes the hypervisor's map, an identity of `regions`, and turns the MMU and the caches on.
///
/// # Errors
///
/// See [`MapError`]: the regions overlap or are misaligned, or the pool is too small.
///
/// # Safety
///
/// `regions` cover everything that the hypervisor touches from here on, its own image and stack among
/// them, with rights that suffice; `memory` and `pool` are not used for anything else.
pub unsafe fn map<M: Memory>(
    memory: &M,
    pool: &mut Pool,
    regions: &[Region],
) -> Result<(), MapError> {
    let mut tools = Tools { memory, pool, tlb: &mut Broadcast };
    let tree = identity::<Stage1, _, _>(&mut tools, regions, Level::BLOCK_1G)?;
    MAIR_EL2.set(NORMAL | DEVICE << 8);
    TCR_EL2.write(
        TCR_EL2::PS::Bits_40
            + TCR_EL2::TG0::KiB_4
            + TCR_EL2::SH0::Inner
            + TCR_EL2::ORGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL2::IRGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL2::T0SZ.val(16),
    );
    TTBR0_EL2.set(memory.frame_of(tree.root()).start().bits());
    barrier::isb(barrier::SY);
    tlb::forget_all();
    tlb::forget_hypervisor();
    // SAFETY: by the caller the new map covers what is executed and used, at the same addresses.
    unsafe {
        asm!(
            "ic iallu",
            "dsb sy",
            "isb",
            "msr sctlr_el2, {sctlr}",
            "isb",
            sctlr = in(reg) SCTLR_EL2_RES1
                | (SCTLR_EL2::M::Enable + SCTLR_EL2::C::Cacheable + SCTLR_EL2::I::Cacheable
                    + SCTLR_EL2::SA::Enable + SCTLR_EL2::WXN::Enable).value,
            options(nostack),
        );
    }
    Ok(())
}

/// Makes what was copied to `bytes` visible to instruction fetches, and to a guest whose caches are
/// off.
pub fn publish_code(bytes: &[u8]) {
    /// CTR_EL0.DminLine: log2 of the words in the smallest data cache line.
    const LINE_SHIFT: u32 = 16;
    let line = 4_u64 << (regs::cache_type() >> LINE_SHIFT & 0xf);
    let range = bytes.as_ptr_range();
    let mut at = range.start as u64 & !(line - 1);
    while at < range.end as u64 {
        // SAFETY: cleaning a line of memory that is mapped changes nothing.
        unsafe { asm!("dc civac, {}", in(reg) at, options(nostack)) };
        at += line;
    }
    // SAFETY: forgetting instructions changes nothing.
    unsafe { asm!("dsb sy", "ic ialluis", "dsb ish", "isb", options(nostack)) };
}

/// SCTLR_EL2: bits that are RES1 without VHE.
const SCTLR_EL2_RES1: u64 = 0x30c5_0830;

/// The affinity of the CPU that runs this, as the interrupt controller routes to it.
#[must_use]
pub fn affinity() -> u64 {
    /// MPIDR_EL1: Aff3 and Aff2 to Aff0.
    const AFFINITY: u64 = 0xff_00ff_ffff;
    MPIDR_EL1.get() & AFFINITY
}
