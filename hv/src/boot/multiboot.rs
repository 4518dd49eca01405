//! The memory map that a multiboot loader gives: how a PC describes itself.
//!
//! Multiboot Specification 0.6.96, "Boot information format", `mmap_*`: entries of a size, which does
//! not count itself, and as many bytes.

use paging::addr::PAGE_SIZE;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned, little_endian};

use super::Range;

/// How many ranges are kept. UEFI leaves many, most of them small.
const MAX_RANGES: usize = 16;

/// Where memory begins that no firmware of a PC uses.
const LOW_END: u64 = 1 << 20;

/// An entry of the map.
#[repr(C)]
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
struct Entry {
    base: little_endian::U64,
    length: little_endian::U64,
    kind: little_endian::U32,
}

/// Usable RAM.
const AVAILABLE: u32 = 1;

/// The largest ranges of RAM above 1 MiB, whole pages each.
#[derive(Clone, Copy, Debug)]
pub struct Ram {
    ranges: [Range; MAX_RANGES],
    count: usize,
}

impl Ram {
    /// Reads a map.
    #[must_use]
    pub fn read(map: &[u8]) -> Self {
        let mut ram = Self { ranges: [Range { start: 0, end: 0 }; MAX_RANGES], count: 0 };
        let mut rest = map;
        while let Some((entry, behind)) = split(rest) {
            rest = behind;
            let range = entry.filter(|entry| entry.kind == AVAILABLE).and_then(|entry| {
                let end = entry.base.get().checked_add(entry.length.get())?;
                let start = entry.base.get().max(LOW_END).checked_next_multiple_of(PAGE_SIZE)?;
                let end = end & !(PAGE_SIZE - 1);
                (start < end).then_some(Range { start, end })
            });
            if let Some(range) = range {
                ram.keep(range);
            }
        }
        ram
    }

    /// Keeps `range`, if need be instead of the smallest.
    fn keep(&mut self, range: Range) {
        if let Some(place) = self.ranges.get_mut(self.count) {
            *place = range;
            self.count += 1;
            return;
        }
        let smallest = self.ranges.iter_mut().min_by_key(|range| range.size());
        if let Some(place) = smallest.filter(|place| place.size() < range.size()) {
            *place = range;
        }
    }

    /// The ranges, in no order.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        &self.ranges[..self.count]
    }
}

/// The first entry, if it is long enough to be one, and what follows it.
fn split(map: &[u8]) -> Option<(Option<&Entry>, &[u8])> {
    let (size, rest) = little_endian::U32::read_from_prefix(map).ok()?;
    let (bytes, rest) = rest.split_at_checked(size.get() as usize)?;
    Some((Entry::ref_from_prefix(bytes).ok().map(|(entry, _)| entry), rest))
}
