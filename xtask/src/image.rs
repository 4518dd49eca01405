//! A guest's image: what it is, where its bytes go, and how it wants to be started.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::arch::Arch;
use crate::elf::{self, Elf};
use crate::manifest::RAM_UNIT;
use crate::{multiboot, pvh};

/// Where the magic number of an arm64 Image stands in it (Linux, "Booting AArch64 Linux").
const ARM64_MAGIC_AT: Range<usize> = 56..60;
/// That number.
const ARM64_MAGIC: &[u8] = b"ARM\x64";
/// Where its `text_offset` stands.
const TEXT_OFFSET_AT: Range<usize> = 8..16;
/// Where its `image_size` stands.
pub(crate) const IMAGE_SIZE_AT: Range<usize> = 16..24;
/// Where an image without header goes, from the base of RAM; QEMU does the same.
const FLAT_OFFSET: u64 = 0x8_0000;

/// Bytes, and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Guest-physical address.
    pub(crate) gpa: u64,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

/// How an image is told about its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// By a device tree.
    DeviceTree,
    /// By PVH's start information.
    Pvh,
    /// By multiboot information.
    Multiboot,
}

/// An image, ready to be placed.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// The name of its file, without its ending.
    pub(crate) name: String,
    /// What is loaded.
    pub(crate) segments: Vec<Segment>,
    /// Where the boot CPU begins.
    pub(crate) entry: u64,
    /// All the memory it takes.
    pub(crate) takes: Range<u64>,
    /// How it is told about its machine.
    pub(crate) protocol: Protocol,
}

impl Image {
    /// Reads `file` for a machine whose RAM is `ram`.
    pub(crate) fn read(file: &Path, arch: Arch, ram: &Range<u64>) -> Result<Self> {
        let shown = file.display();
        let data = fs::read(file).with_context(|| format!("cannot read the image {shown}"))?;
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let mut image = Self::parse(&data, arch, ram)
            .with_context(|| format!("the image {shown} cannot be booted"))?;
        image.name = stem.unwrap_or_default();
        ensure!(
            ram.contains(&image.takes.start) && image.takes.end <= ram.end,
            "the image {shown} takes {:#x}..{:#x}, and the guest's RAM is {:#x}..{:#x}: {}",
            image.takes.start,
            image.takes.end,
            ram.start,
            ram.end,
            if image.takes.start < ram.start {
                "link it elsewhere"
            } else {
                "give the guest more with --mem"
            },
        );
        Ok(image)
    }

    fn parse(data: &[u8], arch: Arch, ram: &Range<u64>) -> Result<Self> {
        ensure!(!data.is_empty(), "it is empty");
        let elf = data.starts_with(elf::MAGIC).then(|| Elf::parse(data)).transpose()?;
        if let Some(elf) = &elf {
            let (of, wanted) = (elf.arch.name(), arch.name());
            ensure!(elf.arch == arch, "it is an ELF file for {of}, and the machine is {wanted}");
        }
        match (arch, elf) {
            (Arch::Aarch64, Some(elf)) => {
                let entry = elf.entry;
                Self::from_elf(elf, entry, Protocol::DeviceTree)
            }
            (Arch::Aarch64, None) if data.get(ARM64_MAGIC_AT) == Some(ARM64_MAGIC) => {
                Self::from_arm64(data, ram.start)
            }
            (Arch::Aarch64, None) => {
                Ok(Self::placed(data, ram.start.saturating_add(FLAT_OFFSET), 0))
            }
            (Arch::X86_64, elf) => Self::from_pc(data, elf),
        }
    }

    /// PVH first: what else a file with its note has in it is for other loaders.
    fn from_pc(data: &[u8], elf: Option<Elf>) -> Result<Self> {
        let header = multiboot::Header::find(data);
        let pvh = elf.as_ref().and_then(pvh::entry);
        match (elf, pvh, header) {
            (Some(elf), Some(entry), _) => Self::from_elf(elf, entry, Protocol::Pvh),
            (elf, None, Some(header)) => match (header.placement, elf) {
                (Some(placement), _) => placement.image(data),
                (None, Some(elf)) => {
                    let entry = elf.entry;
                    Self::from_elf(elf, entry, Protocol::Multiboot)
                }
                (None, None) => {
                    bail!("it has a multiboot header without addresses, and is no ELF file")
                }
            },
            (_, _, None) => bail!(
                "it has neither a PVH note (XEN_ELFNOTE_PHYS32_ENTRY) nor a multiboot header in its first 8 KiB: \
                 nothing says where it begins"
            ),
            (None, Some(_), _) => bail!("it is no ELF file"),
        }
    }

    fn from_elf(elf: Elf, entry: u64, protocol: Protocol) -> Result<Self> {
        let start = elf.loads.iter().map(|load| load.at).min().unwrap_or_default();
        let end = elf.loads.iter().map(|load| load.at + load.size).max().unwrap_or_default();
        ensure!(
            (start..end).contains(&entry),
            "its entry {entry:#x} lies outside what is loaded, {start:#x}..{end:#x}"
        );
        let segments = elf
            .loads
            .into_iter()
            .filter(|load| !load.bytes.is_empty())
            .map(|load| Segment { gpa: load.at, bytes: load.bytes })
            .collect();
        Ok(Self { name: String::new(), segments, entry, takes: start..end, protocol })
    }

    /// Its header names the distance from a 2 MiB boundary, and how much memory it wants. One that
    /// names no size is from before it was asked to, and goes where a flat binary goes.
    fn from_arm64(data: &[u8], ram_base: u64) -> Result<Self> {
        let field = |at: Range<usize>| -> Result<u64> {
            let bytes = data.get(at).context("it is cut off in its header")?;
            Ok(u64::from_le_bytes(bytes.try_into()?))
        };
        let size = field(IMAGE_SIZE_AT)?;
        let offset = if size == 0 { FLAT_OFFSET } else { field(TEXT_OFFSET_AT)? };
        let at = ram_base
            .next_multiple_of(RAM_UNIT)
            .checked_add(offset)
            .context("its text_offset is absurd")?;
        Ok(Self::placed(data, at, size))
    }

    fn placed(data: &[u8], at: u64, size: u64) -> Self {
        let size = size.max(data.len() as u64);
        Self {
            name: String::new(),
            segments: vec![Segment { gpa: at, bytes: data.to_vec() }],
            entry: at,
            takes: at..at.saturating_add(size),
            protocol: Protocol::DeviceTree,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAM: Range<u64> = 0x4000_0000..0x4400_0000;

    #[test]
    fn a_flat_binary_goes_behind_half_a_mebibyte() {
        let image = Image::parse(b"anything", Arch::Aarch64, &RAM).unwrap();
        assert_eq!(image.entry, 0x4008_0000);
        assert_eq!(image.segments, [Segment { gpa: 0x4008_0000, bytes: b"anything".to_vec() }]);
    }

    #[test]
    fn an_arm64_image_goes_where_its_header_says() {
        let mut data = vec![0; 64];
        data[TEXT_OFFSET_AT].copy_from_slice(&0x1000_u64.to_le_bytes());
        data[IMAGE_SIZE_AT].copy_from_slice(&0x20_0000_u64.to_le_bytes());
        data[ARM64_MAGIC_AT].copy_from_slice(ARM64_MAGIC);
        let image = Image::parse(&data, Arch::Aarch64, &RAM).unwrap();
        assert_eq!(image.entry, 0x4000_1000);
        assert_eq!(image.takes, 0x4000_1000..0x4020_1000);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for arch in Arch::ALL {
            assert!(Image::parse(b"", arch, &RAM).is_err());
            assert!(Image::parse(b"\x7fELFnonsense", arch, &RAM).is_err());
        }
        assert!(Image::parse(b"anything", Arch::X86_64, &RAM).is_err());
    }
}
