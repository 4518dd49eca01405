//! The hypervisor's own map: an identity of just what it uses.

use paging::addr::{Addr, HostPhys, HostVirt, Hpa, Level};
use paging::attrs::{Attrs, Memory as MemoryKind};
use paging::format::Format;
use paging::mem::{Memory, Tlb};
use paging::tree::{MapError, Tools, Tree};

/// A range of host memory and how the hypervisor may use it.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Its first byte, a multiple of 4 KiB.
    pub start: Hpa,
    /// Its size, a multiple of 4 KiB.
    pub size: u64,
    /// How it may be used.
    pub attrs: Attrs,
}

impl Region {
    /// Code, or data that nobody writes.
    #[must_use]
    pub const fn fixed(start: Hpa, size: u64, execute: bool) -> Self {
        let attrs = Attrs { write: false, execute, memory: MemoryKind::Normal };
        Self { start, size, attrs }
    }

    /// Data that the hypervisor reads and writes.
    #[must_use]
    pub const fn data(start: Hpa, size: u64) -> Self {
        let attrs = Attrs { write: true, execute: false, memory: MemoryKind::Normal };
        Self { start, size, attrs }
    }

    /// Registers of a device.
    #[must_use]
    pub const fn device(start: Hpa, size: u64) -> Self {
        let attrs = Attrs { write: true, execute: false, memory: MemoryKind::Device };
        Self { start, size, attrs }
    }
}

/// An identity of `regions`, in leaves no larger than `largest`.
///
/// # Errors
///
/// See [`MapError`]: the regions overlap or are misaligned, or the pool is too small.
pub fn identity<F: Format, M: Memory, T: Tlb<HostVirt>>(
    tools: &mut Tools<'_, M, T>,
    regions: &[Region],
    largest: Level,
) -> Result<Tree<F, HostVirt, HostPhys>, MapError> {
    let mut tree = Tree::new(Level::TOP, tools.memory, tools.pool)?;
    for region in regions {
        let at = Addr::from_bits(region.start.bits());
        tree.map(tools, (at, region.start, region.size), region.attrs, largest)?;
    }
    Ok(tree)
}
