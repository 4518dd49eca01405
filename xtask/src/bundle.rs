//! The file that QEMU boots: the hypervisor, and behind it the machine and its memory.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use hv_abi::bundle::{Device, Header, MAGIC, Segment, VERSION};
use zerocopy::IntoBytes as _;

use crate::cli::Block;
use crate::devicetree;
use crate::elf::Elf;
use crate::image::{self, IMAGE_SIZE_AT, Image};
use crate::manifest::{Machine, RAM_UNIT};

/// The hypervisor's symbol behind its last byte.
const END: &str = "__bundle";
/// What every part of a bundle is aligned to.
const ALIGN: usize = 8;
/// What an initial RAM disk is aligned to.
const PAGE: u64 = 4096;

/// How a machine is run, apart from what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// log2 of the largest block that maps guest RAM.
    pub(crate) block_shift: u32,
    /// One exit in how many is measured.
    pub(crate) sample: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { block_shift: Block::Middle.shift(), sample: 1 }
    }
}

/// Makes the bundle of `machine` with `image` and, if there is one, `initrd` in its memory.
///
/// The device tree stands in the last 2 MiB of RAM and the RAM disk right below, as far from the
/// image as can be: images grow upwards.
pub(crate) fn make(
    machine: &Machine,
    image: &Image,
    initrd: Option<Vec<u8>>,
    settings: Settings,
) -> Result<Vec<u8>> {
    let ram = machine.ram();
    let tree_at = ram.end - RAM_UNIT;
    let disk = initrd.map(|bytes| place_below(tree_at, bytes)).transpose()?;
    let lowest = disk.as_ref().map_or(tree_at, |disk| disk.gpa);
    ensure!(
        lowest >= ram.start && image.takes.end <= lowest,
        "RAM of {} MiB is too small for the image ({:#x}..{:#x}), the RAM disk and the device tree: give the \
         guest more with --mem",
        machine.memory >> 20,
        image.takes.start,
        image.takes.end,
    );
    let disk_range = disk.as_ref().map(|disk| disk.gpa..disk.gpa + disk.bytes.len() as u64);
    let tree = devicetree::make(machine, disk_range.as_ref())?;
    ensure!(
        tree.len() as u64 <= RAM_UNIT,
        "the device tree is larger than 2 MiB: shorten the arguments"
    );
    let mut segments = image.segments.clone();
    segments.extend(disk);
    segments.push(image::Segment { gpa: tree_at, bytes: tree });
    Ok(encode(machine, image, &segments, tree_at, settings))
}

fn place_below(end: u64, bytes: Vec<u8>) -> Result<image::Segment> {
    let start = end.checked_sub(bytes.len() as u64).context("the RAM disk is larger than RAM")?;
    Ok(image::Segment { gpa: start / PAGE * PAGE, bytes })
}

fn encode(
    machine: &Machine,
    image: &Image,
    segments: &[image::Segment],
    argument: u64,
    settings: Settings,
) -> Vec<u8> {
    let mut offset = size_of::<Header>()
        + machine.devices.len() * size_of::<Device>()
        + segments.len() * size_of::<Segment>();
    let table: Vec<_> = segments
        .iter()
        .map(|segment| {
            let entry = Segment {
                gpa: segment.gpa,
                offset: offset as u64,
                length: segment.bytes.len() as u64,
            };
            offset = (offset + segment.bytes.len()).next_multiple_of(ALIGN);
            entry
        })
        .collect();
    let header = Header {
        magic: MAGIC,
        version: VERSION,
        devices: machine.devices.len() as u32,
        segments: table.len() as u32,
        sample: settings.sample,
        length: offset as u64,
        ram_base: machine.base,
        ram_size: machine.memory,
        entry: image.entry,
        argument,
        block_shift: settings.block_shift,
        table_frames: machine.table_frames,
        cpus: machine.cpus,
        reserved: 0,
        name: padded(&machine.name),
        image: padded(&image.name),
    };
    let mut bytes = header.as_bytes().to_vec();
    for device in &machine.devices {
        let entry = Device {
            kind: device.kind.number(),
            interrupt: device.interrupt,
            base: device.base,
            size: device.size,
        };
        bytes.extend_from_slice(entry.as_bytes());
    }
    bytes.extend_from_slice(table.as_bytes());
    for segment in segments {
        bytes.extend_from_slice(&segment.bytes);
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
    }
    bytes
}

/// A name as a record can carry it: ASCII without spaces, cut to fit.
fn padded(name: &str) -> [u8; 32] {
    let mut field = [0; 32];
    for (to, from) in field.iter_mut().zip(name.bytes()) {
        *to = if from.is_ascii_graphic() { from } else { b'_' };
    }
    field
}

/// Puts `bundle` behind the hypervisor and writes the whole to `file`.
///
/// The hypervisor's file is an arm64 Image, whose header says how much memory it takes; the loader
/// puts the device tree behind that, so it must say that the bundle is part of it.
pub(crate) fn write(hypervisor: &Path, bundle: &[u8], file: &Path) -> Result<()> {
    let elf = Elf::read(hypervisor)?;
    let end = elf
        .address_of(END)
        .with_context(|| format!("{} has no symbol {END}", hypervisor.display()))?;
    let mut bytes = elf.flat(end)?;
    bytes.extend_from_slice(bundle);
    state_size(&mut bytes, IMAGE_SIZE_AT);
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

fn state_size(bytes: &mut [u8], at: Range<usize>) {
    let length = bytes.len() as u64;
    if let Some(field) = bytes.get_mut(at) {
        let stated = field.try_into().map_or(0, u64::from_le_bytes);
        field.copy_from_slice(&stated.max(length).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromBytes as _;

    use super::*;
    use crate::paths;

    fn machine() -> Machine {
        Machine::read(&paths::guests().join("machine.toml")).unwrap()
    }

    fn image(end: u64) -> Image {
        let segments = vec![image::Segment { gpa: 0x4008_0000, bytes: vec![7; 13] }];
        Image { name: "an image".to_owned(), segments, entry: 0x4008_0000, takes: 0x4008_0000..end }
    }

    #[test]
    fn a_bundle_holds_what_was_put_in() {
        let bytes = make(&machine(), &image(0x4009_0000), Some(vec![9; 5000]), Settings::default())
            .unwrap();
        let (header, rest) = Header::read_from_prefix(&bytes).unwrap();
        assert_eq!((header.magic, header.version), (MAGIC, VERSION));
        assert_eq!(header.length, bytes.len() as u64);
        assert_eq!(header.argument, 0x8000_0000 - RAM_UNIT);
        assert!(header.image.starts_with(b"an_image\0"));
        assert_eq!((header.devices, header.segments), (3, 3));
        let table = &rest[3 * size_of::<Device>()..];
        let disk = Segment::read_from_prefix(&table[size_of::<Segment>()..]).unwrap().0;
        assert_eq!(disk.gpa, header.argument - 8192);
        let at = usize::try_from(disk.offset).unwrap();
        assert!(at.is_multiple_of(ALIGN) && bytes[at..at + 5000].iter().all(|&byte| byte == 9));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut machine = machine();
        machine.memory = 4 << 20;
        assert!(make(&machine, &image(0x4009_0000), None, Settings::default()).is_ok());
        assert!(make(&machine, &image(0x4030_0000), None, Settings::default()).is_err());
        assert!(
            make(&machine, &image(0x4009_0000), Some(vec![0; 3 << 20]), Settings::default())
                .is_err()
        );
    }

    #[test]
    fn the_header_states_the_whole_length() {
        let mut bytes = vec![0; 100];
        state_size(&mut bytes, IMAGE_SIZE_AT);
        assert_eq!(bytes[16], 100);
    }
}
