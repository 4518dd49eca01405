//! Multiboot, version 1: how GRUB and QEMU start a kernel on a PC.
//!
//! The kernel has a header in its first 8 KiB. It begins in 32-bit protected mode with paging off, a
//! magic number in EAX and in EBX the address of the information (Multiboot Specification 0.6.96, "The
//! layout of Multiboot header" and "Boot information format").

use anyhow::{Context as _, Result, ensure};
use zerocopy::{Immutable, IntoBytes};

use crate::image::{Image, Protocol, Segment};
use crate::pc::{self, Area, Told};

/// What a header begins with.
const HEADER_MAGIC: u32 = 0x1bad_b002;
/// Where a header may stand.
const SEARCHED: usize = 8192;
/// Header flag: the addresses in the header count, not those of a file format.
const HAS_ADDRESSES: u32 = 1 << 16;

/// What a kernel finds in EAX.
pub(crate) const MAGIC: u32 = 0x2bad_b002;

/// Information flags: sizes of memory, a command line, modules, a memory map, the loader's name.
const MEMORY: u32 = 1 << 0;
const COMMAND_LINE: u32 = 1 << 2;
const MODULES: u32 = 1 << 3;
const MEMORY_MAP: u32 = 1 << 6;
const LOADER_NAME: u32 = 1 << 9;

/// A kernel's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Where the file goes, if the header says so.
    pub(crate) placement: Option<Placement>,
}

/// Where a file goes that is no more than bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// Where the header stands in the file.
    offset: usize,
    /// The header's own address.
    header: u32,
    /// Where the part that is loaded begins.
    load: u32,
    /// Where it ends; 0: with the file.
    load_end: u32,
    /// Where the zeros behind it end; 0: there are none.
    bss_end: u32,
    /// Where the kernel begins.
    entry: u32,
}

impl Header {
    /// Finds the header of a kernel.
    pub(crate) fn find(data: &[u8]) -> Option<Self> {
        let searched = &data[..data.len().min(SEARCHED)];
        let word = |at: usize| {
            let bytes = data.get(at..at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let is_header = |at: &usize| {
            let sum = |words: [Option<u32>; 3]| {
                words.into_iter().try_fold(0_u32, |sum, word| Some(sum.wrapping_add(word?)))
            };
            word(*at) == Some(HEADER_MAGIC)
                && sum([word(*at), word(at + 4), word(at + 8)]) == Some(0)
        };
        let offset = (0..searched.len()).step_by(4).find(is_header)?;
        let placement = || {
            Some(Placement {
                offset,
                header: word(offset + 12)?,
                load: word(offset + 16)?,
                load_end: word(offset + 20)?,
                bss_end: word(offset + 24)?,
                entry: word(offset + 28)?,
            })
        };
        let placed = word(offset + 4)? & HAS_ADDRESSES != 0;
        Some(Self { placement: placed.then(placement).flatten() })
    }
}

impl Placement {
    /// The image whose file is `data`.
    pub(crate) fn image(self, data: &[u8]) -> Result<Image> {
        let absurd = "the addresses in its multiboot header contradict each other";
        let before = self.header.checked_sub(self.load).context(absurd)? as usize;
        let from = self.offset.checked_sub(before).context(absurd)?;
        let rest = data.len() - from;
        let length = match self.load_end {
            0 => rest,
            end => end.checked_sub(self.load).context(absurd)? as usize,
        };
        let bytes = data.get(from..from + length).context(absurd)?.to_vec();
        let load = u64::from(self.load);
        let end = (load + length as u64).max(self.bss_end.into());
        let entry = u64::from(self.entry);
        ensure!(
            (load..end).contains(&entry),
            "its entry {entry:#x} lies outside what is loaded, {load:#x}..{end:#x}"
        );
        Ok(Image {
            name: String::new(),
            segments: vec![Segment { gpa: load, bytes }],
            entry,
            takes: load..end,
            protocol: Protocol::Multiboot,
        })
    }
}

/// The information, as far as its last part that is used.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable)]
struct Information {
    flags: u32,
    low_kibibytes: u32,
    high_kibibytes: u32,
    boot_device: u32,
    command_line: u32,
    modules: u32,
    module_list: u32,
    symbols: [u32; 4],
    memory_map_size: u32,
    memory_map: u32,
    drives: [u32; 2],
    configuration: u32,
    loader_name: u32,
}

/// An initial RAM disk.
#[repr(C)]
#[derive(Clone, Copy, Debug, IntoBytes, Immutable)]
struct Module {
    start: u32,
    end: u32,
    command_line: u32,
    reserved: u32,
}

/// A part of the memory map.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, IntoBytes, Immutable)]
struct Region {
    /// Bytes of the rest.
    size_of_rest: u32,
    start: u64,
    size: u64,
    kind: u32,
}

const _: () = assert!(size_of::<Information>() == 68);
const _: () = assert!(size_of::<Region>() == 24);

/// What a kernel is told, for the address `at`. Everything it is told of stands below 4 GiB, since a
/// PC's RAM does.
pub(crate) fn information(at: u64, told: &Told<'_>) -> Vec<u8> {
    let mut area = Area::new::<Information>(at);
    let modules: Vec<_> = told
        .initrd
        .iter()
        .map(|disk| Module {
            start: disk.start as u32,
            end: disk.end as u32,
            command_line: 0,
            reserved: 0,
        })
        .collect();
    let map = pc::memory_map(told.ram).map(|region| Region {
        size_of_rest: (size_of::<Region>() - size_of::<u32>()) as u32,
        start: region.start,
        size: region.size,
        kind: region.kind,
    });
    let has_modules = if modules.is_empty() { 0 } else { MODULES };
    let information = Information {
        flags: MEMORY | COMMAND_LINE | MEMORY_MAP | LOADER_NAME | has_modules,
        low_kibibytes: (pc::LOW_END >> 10) as u32,
        high_kibibytes: (told.ram.saturating_sub(pc::HIGH_START) >> 10) as u32,
        command_line: area.add_text(told.arguments) as u32,
        modules: modules.len() as u32,
        module_list: area.add(modules.as_bytes()) as u32,
        memory_map_size: size_of_val(&map) as u32,
        memory_map: area.add(map.as_bytes()) as u32,
        loader_name: area.add_text(pc::LOADER) as u32,
        ..Information::default()
    };
    area.finish(&information)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(flags: u32, addresses: [u32; 5]) -> Vec<u8> {
        let head = [HEADER_MAGIC, flags, 0_u32.wrapping_sub(HEADER_MAGIC).wrapping_sub(flags)];
        let words = [[0; 2].as_slice(), &head, &addresses, &[7; 8]].concat();
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn a_file_goes_where_its_header_says() {
        let data = file(HAS_ADDRESSES, [0x10_0008, 0x10_0004, 0, 0x20_0000, 0x10_0028]);
        let image = Header::find(&data).unwrap().placement.unwrap().image(&data).unwrap();
        assert_eq!((image.entry, image.takes), (0x10_0028, 0x10_0004..0x20_0000));
        assert_eq!(image.segments[0].gpa, 0x10_0004);
        assert_eq!(image.segments[0].bytes, data[4..]);
    }

    #[test]
    fn a_header_that_is_none_is_refused() {
        assert_eq!(Header::find(b""), None);
        assert_eq!(Header::find(&file(0, [0; 5])[8..18]), None);
        let mut data = file(0, [0; 5]);
        assert_eq!(Header::find(&data), Some(Header { placement: None }));
        data[12] ^= 1;
        assert_eq!(Header::find(&data), None);
        let absurd = file(HAS_ADDRESSES, [0x10_0008, 0x10_0000 - 64, 0, 0, 0x10_0000]);
        let absurd_placement = Header::find(&absurd).unwrap().placement.unwrap();
        assert!(absurd_placement.image(&absurd).is_err());
    }
}
