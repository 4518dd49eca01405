//! Start-up: from the loader's hands to 64-bit mode with a map of its own.

use core::mem::size_of;

use arch::host::{Region, identity};
use paging::addr::Level;
use paging::format::x64::X64;
use paging::mem::Memory;
use paging::pool::Pool;
use paging::tree::{MapError, Tools};
use raw_cpuid::CpuId;
use x86_64::PhysAddr;
use x86_64::registers::control::{Cr3, Cr3Flags, Cr4, Cr4Flags};
use x86_64::structures::paging::PhysFrame;
use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::regs;
use crate::tlb::Own;

#[cfg(target_os = "none")]
core::arch::global_asm!(include_str!("start.s"));

/// What start.s maps: the addresses below. A root of 32 bits is in reach too, as shadows of a guest need
/// that has paging off.
pub const MAPPED: u64 = 4 << 30;

/// What a multiboot loader hands over, as far as it is used here ("Boot information format").
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, KnownLayout)]
struct Information {
    flags: u32,
    unused: [u32; 10],
    map_length: u32,
    map: u32,
}

/// `flags`: there is a memory map.
const HAS_MAP: u32 = 1 << 6;

const _: () = assert!(size_of::<Information>() == 52);

/// The memory map in the multiboot information at `information`, if there is one.
///
/// # Safety
///
/// A multiboot loader put its information there, it is mapped, and nobody has written to it or to what
/// it refers to, nor will while the result is in use.
#[must_use]
pub unsafe fn memory_map<'a>(information: u32) -> Option<&'a [u8]> {
    let at = information as usize as *const Information;
    // SAFETY: by the caller; loaders do not promise an alignment.
    let found = unsafe { at.read_unaligned() };
    if found.flags & HAS_MAP == 0 {
        return None;
    }
    let map = found.map as usize as *const u8;
    // SAFETY: by the caller, what the information says of its map is true.
    Some(unsafe { core::slice::from_raw_parts(map, found.map_length as usize) })
}

/// The largest leaf that this processor's tables may have.
#[must_use]
pub fn largest_leaf() -> Level {
    let features = CpuId::new().get_extended_processor_and_feature_identifiers();
    let gigabytes = features.is_some_and(|features| features.has_1gib_pages());
    if gigabytes { Level::BLOCK_1G } else { Level::BLOCK_2M }
}

/// Lets the hypervisor write XCR0 in a guest's stead, where the processor has it, and gives XCR0 its value
/// after a reset.
pub fn enable_extended_state() {
    /// XCR0: x87, which is always on.
    const AT_RESET: u64 = 1;
    if CpuId::new().get_feature_info().is_some_and(|features| features.has_xsave()) {
        // SAFETY: the processor has XSAVE, and the hypervisor uses none of the state that it is about.
        unsafe { Cr4::update(|cr4| *cr4 |= Cr4Flags::OSXSAVE) };
        // SAFETY: CR4.OSXSAVE is set, and every processor has x87.
        unsafe { regs::set_extended_control(AT_RESET) };
    }
}

/// Makes the hypervisor's map, an identity of `regions`, and uses it.
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
    let mut tools = Tools { memory, pool, tlb: &mut Own };
    let tree = identity::<X64, _, _>(&mut tools, regions, largest_leaf())?;
    let root = PhysAddr::new_truncate(memory.frame_of(tree.root()).start().bits());
    // SAFETY: by the caller the new map covers what is executed and used, at the same addresses.
    unsafe { Cr3::write(PhysFrame::containing_address(root), Cr3Flags::empty()) };
    Ok(())
}
