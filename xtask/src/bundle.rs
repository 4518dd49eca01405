//! The file that an emulator boots: the hypervisor, and behind it the machine and its memory.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use hv_abi::bundle::{Device, Header, MAGIC, Segment, VERSION};
use zerocopy::IntoBytes as _;

use crate::arch::Arch;
use crate::cli::{Block, What};
use crate::elf::Elf;
use crate::image::{self, IMAGE_SIZE_AT, Image, Protocol};
use crate::manifest::{Machine, RAM_UNIT};
use crate::pc::{self, Told};
use crate::{devicetree, multiboot, pvh};

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

impl Settings {
    /// Those that the options ask for.
    pub(crate) const fn of(what: &What) -> Self {
        Self { block_shift: what.block.shift(), sample: what.sample }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { block_shift: Block::DEFAULT.shift(), sample: 1 }
    }
}

/// What a machine tells its image, and how.
struct Message {
    /// The bytes, and where they are.
    segment: image::Segment,
    /// The boot CPU's first argument.
    argument: u64,
}

/// Makes the bundle of `machine` with `image` and, if there is one, `initrd` in its memory.
///
/// The RAM disk stands as far from the image as can be: images grow upwards. So does the device
/// tree, behind it, in the last 2 MiB of RAM; a PC's structures stand in low memory, where kernels
/// expect such things.
pub(crate) fn make(
    machine: &Machine,
    image: &Image,
    initrd: Option<Vec<u8>>,
    settings: Settings,
) -> Result<Vec<u8>> {
    let ram = machine.ram();
    let end = match image.protocol {
        Protocol::DeviceTree => ram.end - RAM_UNIT,
        Protocol::Pvh | Protocol::Multiboot => ram.end,
    };
    let disk = initrd.map(|bytes| place_below(end, bytes)).transpose()?;
    let lowest = disk.as_ref().map_or(end, |disk| disk.gpa);
    ensure!(
        lowest >= ram.start && image.takes.end <= lowest,
        "RAM of {} MiB is too small for the image ({:#x}..{:#x}), the RAM disk and the device tree: give the \
         guest more with --mem",
        machine.memory >> 20,
        image.takes.start,
        image.takes.end,
    );
    let disk_range = disk.as_ref().map(|disk| disk.gpa..disk.gpa + disk.bytes.len() as u64);
    let message = match image.protocol {
        Protocol::DeviceTree => tree(machine, end, disk_range.as_ref())?,
        Protocol::Pvh | Protocol::Multiboot => structures(machine, image, disk_range)?,
    };
    let mut segments = image.segments.clone();
    segments.extend(disk);
    segments.push(message.segment);
    Ok(encode(machine, image, &segments, message.argument, settings))
}

/// The device tree, for the address `gpa`.
fn tree(machine: &Machine, gpa: u64, disk: Option<&Range<u64>>) -> Result<Message> {
    let bytes = devicetree::make(machine, disk)?;
    ensure!(
        bytes.len() as u64 <= RAM_UNIT,
        "the device tree is larger than 2 MiB: shorten the arguments"
    );
    Ok(Message { segment: image::Segment { gpa, bytes }, argument: gpa })
}

/// What a PC's kernel is told, at the end of low memory: EBX is its address, EAX says what it is.
fn structures(machine: &Machine, image: &Image, initrd: Option<Range<u64>>) -> Result<Message> {
    let overlaps = |range: &Range<u64>| {
        let segment = |segment: &image::Segment| {
            segment.gpa < range.end && range.start < segment.gpa + segment.bytes.len() as u64
        };
        image.segments.iter().any(segment)
    };
    ensure!(
        !overlaps(&(pc::LOW_END..pc::HIGH_START)),
        "the image has something between {:#x} and 1 MiB, where a PC has no RAM: link it elsewhere",
        pc::LOW_END
    );
    let told = Told { ram: machine.memory, arguments: &machine.arguments, initrd };
    let is_multiboot = image.protocol == Protocol::Multiboot;
    let make = if is_multiboot { multiboot::information } else { pvh::information };
    let magic = if is_multiboot { multiboot::MAGIC } else { 0 };
    let size = make(0, &told).len() as u64;
    let gpa = pc::LOW_END
        .checked_sub(size)
        .context("the arguments do not fit in low memory: shorten them")?
        / PAGE
        * PAGE;
    ensure!(
        !overlaps(&(gpa..pc::LOW_END)),
        "the image takes {gpa:#x}..{:#x}, where its start information goes: link it elsewhere",
        pc::LOW_END
    );
    let segment = image::Segment { gpa, bytes: make(gpa, &told) };
    Ok(Message { segment, argument: u64::from(magic) << 32 | gpa })
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
        ram_base: machine.base(),
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
/// On Arm the file is an arm64 Image, whose header says how much memory it takes; the loader puts the
/// device tree behind that, so it must say that the bundle is part of it. On a PC its multiboot header
/// says that all of the file counts.
pub(crate) fn write(hypervisor: &Path, bundle: &[u8], file: &Path) -> Result<()> {
    let elf = Elf::read(hypervisor)?;
    let end = elf
        .address_of(END)
        .with_context(|| format!("{} has no symbol {END}", hypervisor.display()))?;
    let mut bytes = elf.flat(end)?;
    bytes.extend_from_slice(bundle);
    if elf.arch == Arch::Aarch64 {
        state_size(&mut bytes, IMAGE_SIZE_AT);
    }
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

    fn machine(arch: Arch) -> Machine {
        Machine::read(&paths::guests().join(arch.manifest()), arch).unwrap()
    }

    fn image(end: u64) -> Image {
        let segments = vec![image::Segment { gpa: 0x4008_0000, bytes: vec![7; 13] }];
        Image {
            name: "an image".to_owned(),
            segments,
            entry: 0x4008_0000,
            takes: 0x4008_0000..end,
            protocol: Protocol::DeviceTree,
        }
    }

    #[test]
    fn a_bundle_holds_what_was_put_in() {
        let bytes = make(
            &machine(Arch::Aarch64),
            &image(0x4009_0000),
            Some(vec![9; 5000]),
            Settings::default(),
        )
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
        let mut machine = machine(Arch::Aarch64);
        machine.memory = 4 << 20;
        assert!(make(&machine, &image(0x4009_0000), None, Settings::default()).is_ok());
        assert!(make(&machine, &image(0x4030_0000), None, Settings::default()).is_err());
        assert!(
            make(&machine, &image(0x4009_0000), Some(vec![0; 3 << 20]), Settings::default())
                .is_err()
        );
    }

    #[test]
    fn a_pcs_image_is_told_in_low_memory() {
        let segments = vec![image::Segment { gpa: 0x20_0000, bytes: vec![7; 13] }];
        let mut image = Image {
            name: "pc".to_owned(),
            segments,
            entry: 0x20_0000,
            takes: 0x20_0000..0x30_0000,
            protocol: Protocol::Multiboot,
        };
        let argument = |image: &Image| {
            let bytes = make(&machine(Arch::X86_64), image, None, Settings::default()).unwrap();
            Header::read_from_prefix(&bytes).unwrap().0.argument
        };
        let (eax, ebx) = (argument(&image) >> 32, argument(&image) & 0xffff_ffff);
        assert_eq!(eax, u64::from(multiboot::MAGIC));
        assert!(ebx.is_multiple_of(PAGE) && ebx < pc::LOW_END);
        image.protocol = Protocol::Pvh;
        assert!(argument(&image) < pc::LOW_END);
        image.segments[0].gpa = ebx;
        assert!(make(&machine(Arch::X86_64), &image, None, Settings::default()).is_err());
        image.segments[0].gpa = pc::HIGH_START - 1;
        assert!(make(&machine(Arch::X86_64), &image, None, Settings::default()).is_err());
    }

    #[test]
    fn the_header_states_the_whole_length() {
        let mut bytes = vec![0; 100];
        state_size(&mut bytes, IMAGE_SIZE_AT);
        assert_eq!(bytes[16], 100);
    }
}
