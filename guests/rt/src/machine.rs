//! The machine, as its loader and its firmware describe it.

use core::fmt;
use core::ops::Range;

pub use crate::arch::machine::Conduit;

/// What a guest may want to know about its machine.
#[derive(Debug)]
pub struct Machine {
    /// Its RAM.
    pub ram: Range<u64>,
    /// What of it is read as long as the guest runs; empty if nothing is.
    pub reserved: Range<u64>,
    /// The guest's arguments.
    pub arguments: &'static str,
    /// How whoever is below is called.
    pub conduit: Conduit,
    /// Whether Umbra made it.
    pub umbra: bool,
}

/// What a description of a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineError {
    /// It is none.
    NoDescription,
    /// It has no RAM that makes sense.
    NoMemory,
}

impl fmt::Display for MachineError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NoDescription => "not the description of a machine",
            Self::NoMemory => "no range of RAM for the image",
        })
    }
}

impl Machine {
    /// The end of the RAM from `start` on that nothing stands in: what is reserved may be the last
    /// thing in RAM, or stand before `start`.
    pub(crate) fn free_until(&self, start: u64) -> u64 {
        let Range { start: first, end } = self.reserved;
        if end > start { first.min(self.ram.end) } else { self.ram.end }
    }

    /// Bytes of RAM.
    pub fn ram_size(&self) -> u64 {
        self.ram.end - self.ram.start
    }
}
