//! Start-up: from the loader's hands to a known state of the processor.

use core::mem::size_of;

use zerocopy::{FromBytes, Immutable, KnownLayout};

#[cfg(target_os = "none")]
core::arch::global_asm!(include_str!("start.s"));

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
