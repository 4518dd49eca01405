//! The device tree: how firmware describes an Arm machine.

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node, Property};

use super::{BootError, Range};

/// What the hypervisor needs to know of the machine that it runs on.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// Its largest range of RAM.
    pub ram: Range,
    /// The serial line's registers.
    pub serial: Range,
    /// The serial line's INTID.
    pub serial_interrupt: u32,
    /// The GIC's distributor.
    pub distributor: Range,
    /// The GIC's redistributors.
    pub redistributor: Range,
}

/// The first INTID of a shared interrupt, which device trees count from 0.
const FIRST_SHARED: u32 = 32;

impl Host {
    /// Reads the device tree.
    ///
    /// # Errors
    ///
    /// [`BootError::Lacks`] names what it does not have.
    pub fn read(tree: Fdt<'_>) -> Result<Self, BootError> {
        let compatible = |wanted: &'static str| {
            tree.root().children().find(|node| {
                node.compatible().is_some_and(|mut names| names.any(|name| name == wanted))
            })
        };
        let memory = tree
            .root()
            .children()
            .filter(|node| node.name_without_address() == "memory")
            .filter_map(|node| register(node, 0))
            .max_by_key(Range::size)
            .ok_or(BootError::Lacks("the device tree has no memory node"))?;
        let serial = compatible("arm,pl011").ok_or(BootError::Lacks("the machine has no PL011"))?;
        let gic = compatible("arm,gic-v3").ok_or(BootError::Lacks("the machine has no GICv3"))?;
        let no_registers = BootError::Lacks("a device has no registers in the device tree");
        Ok(Self {
            ram: memory,
            serial: register(serial, 0).ok_or(no_registers)?,
            serial_interrupt: cell(serial, "interrupts", 1).unwrap_or(0) + FIRST_SHARED,
            distributor: register(gic, 0).ok_or(no_registers)?,
            redistributor: register(gic, 1).ok_or(no_registers)?,
        })
    }
}

/// Cell `index` of a property.
fn cell(node: FdtNode<'_>, property: &str, index: usize) -> Option<u32> {
    let property = node.property(property)?;
    let bytes = property.value().get(4 * index..4 * index + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Range `index` of `reg`, with addresses and sizes of two cells, as at the root of such trees.
fn register(node: FdtNode<'_>, index: usize) -> Option<Range> {
    let number = |place: usize| {
        let high = cell(node, "reg", place)?;
        let low = cell(node, "reg", place + 1)?;
        Some(u64::from(high) << 32 | u64::from(low))
    };
    Range::new(number(4 * index)?, number(4 * index + 2)?)
}
