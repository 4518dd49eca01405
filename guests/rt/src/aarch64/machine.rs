//! The machine, as the device tree describes it.

use core::ops::Range;

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node, Property};

use crate::machine::{Machine, MachineError};

/// How firmware (PSCI) and the hypervisor are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduit {
    /// By HVC.
    #[default]
    Hvc,
    /// By SMC.
    Smc,
}

/// What the node `/hypervisor` is compatible with under Umbra.
const UMBRA: &str = "umbra,umbra";

/// Reads the device tree at `tree`.
///
/// # Safety
///
/// If a device tree's magic number stands there, a device tree does, and nobody ever writes it.
pub(crate) unsafe fn read(tree: *const u8) -> Result<Machine, MachineError> {
    let start = tree.addr() as u64;
    // SAFETY: by the caller.
    let tree = unsafe { Fdt::from_raw(tree) }.map_err(|_| MachineError::NoDescription)?;
    let conduit = text(tree.find_node("/psci"), "method");
    Ok(Machine {
        reserved: start..start + tree.data().len() as u64,
        ram: ram(tree).ok_or(MachineError::NoMemory)?,
        arguments: text(tree.find_node("/chosen"), "bootargs").unwrap_or_default(),
        conduit: if conduit == Some("smc") { Conduit::Smc } else { Conduit::Hvc },
        umbra: text(tree.find_node("/hypervisor"), "compatible") == Some(UMBRA),
    })
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
