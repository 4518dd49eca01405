//! PVH: how Xen, and what learnt it from Xen, starts a kernel on a PC.
//!
//! A note in the kernel's ELF file names an entry in 32-bit protected mode with paging off. EBX holds
//! the address of `hvm_start_info`, here of version 1 (Xen, public/arch-x86/hvm/start_info.h and
//! docs/misc/pvh.pandoc).

use zerocopy::{Immutable, IntoBytes};

use crate::elf::Elf;
use crate::pc::{self, Area, Told};

/// The owner of the notes that Xen knows.
const OWNER: &[u8] = b"Xen";
/// The note that names the entry: XEN_ELFNOTE_PHYS32_ENTRY.
const PHYS32_ENTRY: u32 = 18;

/// XEN_HVM_START_MAGIC_VALUE.
const MAGIC: u32 = 0x336e_c578;
/// The first version with a memory map.
const VERSION: u32 = 1;

/// `hvm_start_info`. Addresses of what is not there are 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, IntoBytes, Immutable)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    modules: u32,
    module_list: u64,
    command_line: u64,
    rsdp: u64,
    memory_map: u64,
    memory_map_entries: u32,
    reserved: u32,
}

/// `hvm_modlist_entry`.
#[repr(C)]
#[derive(Clone, Copy, Debug, IntoBytes, Immutable)]
struct Module {
    start: u64,
    size: u64,
    command_line: u64,
    reserved: u64,
}

/// `hvm_memmap_table_entry`.
#[repr(C)]
#[derive(Clone, Copy, Debug, IntoBytes, Immutable)]
struct Region {
    start: u64,
    size: u64,
    kind: u32,
    reserved: u32,
}

const _: () = assert!(size_of::<StartInfo>() == 56);
const _: () = assert!(size_of::<Module>() == 32);
const _: () = assert!(size_of::<Region>() == 24);

/// The entry that a kernel's note names. The note has 4 bytes for it, or 8.
pub(crate) fn entry(elf: &Elf) -> Option<u64> {
    let note = elf.notes.iter().find(|note| note.owner == OWNER && note.kind == PHYS32_ENTRY)?;
    let low = note.content.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes).into());
    note.content.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)).or(low)
}

/// What a kernel is told, for the address `at`.
pub(crate) fn information(at: u64, told: &Told<'_>) -> Vec<u8> {
    let mut area = Area::new::<StartInfo>(at);
    let modules: Vec<_> = told
        .initrd
        .iter()
        .map(|disk| Module {
            start: disk.start,
            size: disk.end - disk.start,
            command_line: 0,
            reserved: 0,
        })
        .collect();
    let module_list = if modules.is_empty() { 0 } else { area.add(modules.as_bytes()) };
    let map = pc::memory_map(told.ram).map(|region| Region {
        start: region.start,
        size: region.size,
        kind: region.kind,
        reserved: 0,
    });
    let info = StartInfo {
        magic: MAGIC,
        version: VERSION,
        flags: 0,
        modules: modules.len() as u32,
        module_list,
        command_line: area.add_text(told.arguments),
        rsdp: 0,
        memory_map: area.add(map.as_bytes()),
        memory_map_entries: map.len() as u32,
        reserved: 0,
    };
    area.finish(&info)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    #[test]
    fn what_is_told_can_be_found() {
        let told = Told { ram: 64 << 20, arguments: "a b", initrd: Some(0x300_0000..0x300_1234) };
        let bytes = information(0x9_e000, &told);
        let find = |at: usize| usize::try_from(word(&bytes, at) - 0x9_e000).unwrap();
        assert_eq!(word(&bytes, 0), u64::from(MAGIC) | 1 << 32);
        assert_eq!(word(&bytes, find(16)), 0x300_0000);
        assert_eq!(word(&bytes, find(16) + 8), 0x1234);
        assert_eq!(&bytes[find(24)..find(24) + 4], b"a b\0");
        let map = find(40);
        let ends: Vec<_> = (0..3)
            .map(|entry| word(&bytes, map + 24 * entry) + word(&bytes, map + 24 * entry + 8))
            .collect();
        assert_eq!(ends, [pc::LOW_END, pc::HIGH_START, 64 << 20]);
    }
}
