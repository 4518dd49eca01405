//! What a PC's kernel is told when it starts, whatever the protocol.

use std::ops::Range;

use zerocopy::{Immutable, IntoBytes};

/// Memory that a kernel may use (E820 "available").
const AVAILABLE: u32 = 1;
/// Memory that it may not.
const RESERVED: u32 = 2;

/// The end of low memory: from there to 1 MiB are the firmware's and the display's addresses on every
/// PC.
pub(crate) const LOW_END: u64 = 0x9_fc00;
/// Where memory goes on.
pub(crate) const HIGH_START: u64 = 0x10_0000;

/// The name of the loader.
pub(crate) const LOADER: &str = "umbra";

/// A range of addresses, and what is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    /// Its first byte.
    pub(crate) start: u64,
    /// Bytes.
    pub(crate) size: u64,
    /// What is there, as E820 numbers it.
    pub(crate) kind: u32,
}

/// The memory map of a PC with so much RAM.
pub(crate) fn memory_map(ram: u64) -> [Region; 3] {
    let region = |range: Range<u64>, kind| Region {
        start: range.start,
        size: range.end.saturating_sub(range.start),
        kind,
    };
    [
        region(0..LOW_END, AVAILABLE),
        region(LOW_END..HIGH_START, RESERVED),
        region(HIGH_START..ram, AVAILABLE),
    ]
}

/// What a kernel is told.
#[derive(Clone, Debug)]
pub(crate) struct Told<'a> {
    /// Bytes of RAM.
    pub(crate) ram: u64,
    /// Its command line.
    pub(crate) arguments: &'a str,
    /// Where its initial RAM disk is.
    pub(crate) initrd: Option<Range<u64>>,
}

/// Structures that point at one another, in memory from an address on.
pub(crate) struct Area {
    at: u64,
    bytes: Vec<u8>,
}

impl Area {
    /// Nothing yet but room for the first structure.
    pub(crate) fn new<T>(at: u64) -> Self {
        Self { at, bytes: vec![0; size_of::<T>().next_multiple_of(8)] }
    }

    /// Adds bytes and says where they are.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> u64 {
        let at = self.at + self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        at
    }

    /// Adds a string with its end and says where it is.
    pub(crate) fn add_text(&mut self, text: &str) -> u64 {
        self.add(&[text.as_bytes(), b"\0"].concat())
    }

    /// All of it, with the first structure in its place.
    pub(crate) fn finish(mut self, first: &(impl IntoBytes + Immutable)) -> Vec<u8> {
        let first = first.as_bytes();
        self.bytes[..first.len()].copy_from_slice(first);
        self.bytes
    }
}
