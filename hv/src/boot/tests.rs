//! Memory maps, and where things go in them.

use std::vec::Vec;

use hv_abi::bundle::{self, Header};
use paging::addr::Level;
use zerocopy::{FromZeros, IntoBytes};

use super::multiboot::Ram;
use super::{BootError, Bundle, Range, plan};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

fn range(start: u64, end: u64) -> Range {
    Range { start, end }
}

/// A map of entries `(base, length, kind)`, each `padding` bytes longer than it must be.
fn map(entries: &[(u64, u64, u32)], padding: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (base, length, kind) in entries {
        bytes.extend((20 + padding as u32).to_le_bytes());
        bytes.extend(base.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.resize(bytes.len() + padding, 0xff);
    }
    bytes
}

#[test]
fn a_map_gives_whole_pages_of_ram_above_1_mib() {
    let entries = [
        (0, 0x9_fc00, 1),
        (0xf_0000, 0x1_0000, 2),
        (MIB, 0x7fed_fe00, 1),
        (0xfffc_0000, 0x4_0000, 2),
        (4 * GIB, 2 * GIB, 1),
        (8 * GIB, 100, 1),
        (u64::MAX, 2, 1),
    ];
    for padding in [0, 4, 7] {
        let ram = Ram::read(&map(&entries, padding));
        assert_eq!(ram.ranges(), [range(MIB, 0x7ffd_f000), range(4 * GIB, 6 * GIB)]);
    }
}

#[test]
fn a_map_that_is_cut_off_ends_there() {
    let mut bytes = map(&[(MIB, MIB, 1), (4 * MIB, MIB, 1)], 0);
    bytes.pop();
    assert_eq!(Ram::read(&bytes).ranges(), [range(MIB, 2 * MIB)]);
    assert!(Ram::read(&[1, 0, 0, 0, 0]).ranges().is_empty());
    assert!(Ram::read(&[]).ranges().is_empty());
}

#[test]
fn of_many_ranges_the_largest_are_kept() {
    let entries: Vec<_> = (1..40).map(|number| (number * GIB, number % 20 * MIB, 1)).collect();
    let ram = Ram::read(&map(&entries, 0));
    assert_eq!(ram.ranges().len(), 16);
    assert!(ram.ranges().iter().all(|range| range.size() >= 12 * MIB));
}

/// Where a guest of `size` bytes goes.
fn guest(ram: &[Range], size: u64) -> Result<Range, BootError> {
    let mut header = Header::new_zeroed();
    header.magic = bundle::MAGIC;
    header.version = bundle::VERSION;
    header.length = size_of::<Header>() as u64;
    header.ram_size = size;
    header.cpus = 1;
    header.block_shift = Level::BLOCK_2M.shift();
    let bundle = Bundle::read(header.as_bytes())?;
    let image = range(MIB, 3 * MIB);
    let plan = plan(ram, &[image], 4 * GIB, &bundle)?;
    let parts = [image, plan.guest, plan.pool, plan.heap];
    assert!(plan.heap.end <= 4 * GIB);
    for (number, part) in parts.iter().enumerate() {
        assert!(parts[..number].iter().all(|other| !other.overlaps(part)), "{parts:x?}");
        assert!(ram.iter().any(|ram| ram.start <= part.start && part.end <= ram.end));
    }
    Ok(plan.guest)
}

#[test]
fn a_large_guest_stands_at_a_multiple_of_1_gib_where_it_can() {
    let low = range(MIB, 2 * GIB - MIB);
    let high = range(4 * GIB, 6 * GIB);
    assert_eq!(guest(&[low, high], GIB), Ok(range(5 * GIB, 6 * GIB)));
    assert_eq!(guest(&[low, high], 2 * GIB), Ok(range(4 * GIB, 6 * GIB)));
    assert_eq!(guest(&[low], GIB), Ok(range(GIB - 2 * MIB, 2 * GIB - 2 * MIB)));
    assert_eq!(guest(&[low, high], 64 * MIB), Ok(range(6 * GIB - 64 * MIB, 6 * GIB)));
    assert_eq!(guest(&[low, high], 3 * GIB), Err(BootError::TooLittleMemory));
}

#[test]
fn where_the_image_stands_need_not_be_room_for_the_rest() {
    let around = range(MIB, 8 * MIB);
    let low = range(9 * MIB, 200 * MIB);
    let high = range(4 * GIB, 5 * GIB);
    assert_eq!(guest(&[around, low, high], GIB), Ok(high));
    assert_eq!(guest(&[around, high], GIB), Err(BootError::TooLittleMemory));
    assert_eq!(guest(&[around, range(4 * GIB, 6 * GIB)], GIB), Err(BootError::TooLittleMemory));
}
