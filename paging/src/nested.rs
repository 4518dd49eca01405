//! Nested paging: the layout projected into a tree that the hardware walks behind the guest's own.
//!
//! All RAM is mapped at once, so the guest causes faults only where a device or nothing is. With
//! its MMU off, a guest that is otherwise shadowed runs on the same tree: paging that is off is
//! nothing but the layout.

use probe::{Event, Probe};

use crate::addr::{GuestPhys, HostPhys, Level};
use crate::attrs::{Attrs, Memory as MemoryKind};
use crate::fault::{Fault, GuestFault, Verdict};
use crate::format::Format;
use crate::layout::Layout;
use crate::mem::{Memory, Tlb};
use crate::pool::PageId;
use crate::tree::{MapError, Tools, Tree};

/// A VM's layout as a tree in the format `F`.
#[derive(Debug)]
pub struct Nested<F> {
    tree: Tree<F, GuestPhys, HostPhys>,
}

impl<F: Format> Nested<F> {
    /// Maps all RAM of `layout` in leaves no larger than `largest`, below a root at level `top`.
    ///
    /// # Errors
    ///
    /// See [`MapError`].
    pub fn new<M: Memory, T: Tlb<GuestPhys>>(
        tools: &mut Tools<'_, M, T>,
        layout: &Layout,
        top: Level,
        largest: Level,
    ) -> Result<Self, MapError> {
        let mut tree = Tree::new(top, tools.memory, tools.pool)?;
        let attrs = Attrs { write: true, execute: true, memory: MemoryKind::Normal };
        let (at, to) = (layout.ram().start(), layout.backing().start());
        let size = layout.frames() * Level::PAGE.size();
        tree.map(tools, (at, to, size), attrs, largest)?;
        Ok(Self { tree })
    }

    /// The root table.
    #[must_use]
    pub const fn root(&self) -> PageId {
        self.tree.root()
    }

    /// The tree itself.
    #[must_use]
    pub const fn tree(&self) -> &Tree<F, GuestPhys, HostPhys> {
        &self.tree
    }

    /// Gives the tree's tables back.
    pub fn free<M: Memory, T: Tlb<GuestPhys>>(self, tools: &mut Tools<'_, M, T>) {
        self.tree.free(tools);
    }
}

/// What a fault of the nested tree calls for. `is_device` tells where a device is.
pub fn fault(
    probe: &mut impl Probe,
    fault: Fault,
    is_device: impl FnOnce(crate::addr::Gpa) -> bool,
) -> Verdict {
    let span = probe.start();
    match fault {
        Fault::Device { at } if is_device(at) => {
            probe.stop_as(Event::NestedFault, Event::NestedMmio, span);
            Verdict::Device(at)
        }
        _ => {
            probe.stop_as(Event::NestedFault, Event::NestedRejected, span);
            Verdict::Reflect(GuestFault::Abort)
        }
    }
}
