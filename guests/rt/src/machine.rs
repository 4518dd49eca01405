//! The machine, as the device tree describes it.

use core::fmt;
use core::ops::Range;

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node, Property};

/// How firmware (PSCI) is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// By HVC.
    Hvc,
    /// By SMC.
    Smc,
}

/// What a guest may want to know about its machine.
#[derive(Debug)]
pub struct Machine {
    /// Its RAM.
    pub ram: Range<u64>,
    /// Where the device tree stands, which is read as long as the guest runs.
    pub tree: Range<u64>,
    /// The guest's arguments.
    pub arguments: &'static str,
    /// How to turn it off.
    pub psci: Conduit,
    /// Whether Umbra made it.
    pub umbra: bool,
}

/// What a device tree may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineError {
    /// It is no device tree.
    NotATree,
    /// It has no memory node that makes sense.
    NoMemory,
}

impl fmt::Display for MachineError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NotATree => "not a device tree",
            Self::NoMemory => "no memory node with a range of RAM",
        })
    }
}

/// What the node `/hypervisor` is compatible with under Umbra.
const UMBRA: &str = "umbra,umbra";

impl Machine {
    /// Reads the device tree at `tree`.
    ///
    /// # Safety
    ///
    /// If a device tree's magic number stands there, a device tree does, and nobody ever writes it.
    pub(crate) unsafe fn read(tree: *const u8) -> Result<Self, MachineError> {
        let start = tree.addr() as u64;
        // SAFETY: by the caller.
        let tree = unsafe { Fdt::from_raw(tree) }.map_err(|_| MachineError::NotATree)?;
        let conduit = text(tree.find_node("/psci"), "method");
        Ok(Self {
            tree: start..start + tree.data().len() as u64,
            ram: ram(tree).ok_or(MachineError::NoMemory)?,
            arguments: text(tree.find_node("/chosen"), "bootargs").unwrap_or_default(),
            psci: if conduit == Some("smc") { Conduit::Smc } else { Conduit::Hvc },
            umbra: text(tree.find_node("/hypervisor"), "compatible") == Some(UMBRA),
        })
    }

    /// The end of the RAM from `start` on that nothing stands in: the device tree may be the last
    /// thing in RAM, or stand before `start`.
    pub(crate) fn free_until(&self, start: u64) -> u64 {
        if self.tree.end > start { self.tree.start.min(self.ram.end) } else { self.ram.end }
    }

    /// Bytes of RAM.
    pub fn ram_size(&self) -> u64 {
        self.ram.end - self.ram.start
    }
}

/// A property that is one string.
fn text(node: Option<FdtNode<'static>>, property: &str) -> Option<&'static str> {
    node?.property(property)?.value_as().ok()
}

/// The first range of the memory node, whose addresses and sizes have two cells each.
fn ram(tree: Fdt<'static>) -> Option<Range<u64>> {
    let memory = tree.find_node("/memory")?;
    let property = memory.property("reg")?;
    let (start, rest) = property.value().split_first_chunk()?;
    let (size, _) = rest.split_first_chunk()?;
    let start = u64::from_be_bytes(*start);
    Some(start..start.checked_add(u64::from_be_bytes(*size))?)
}
