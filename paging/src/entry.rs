//! What a descriptor means, in no format's words.

use crate::addr::{Frame, HostPhys, Space};

/// A descriptor of a table that translates into the space `O`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry<O: Space> {
    /// Not present, or reserved, which the architecture treats alike: no access succeeds.
    Hole,
    /// The next table.
    Table(Frame<O>),
    /// A page or block, by its first frame.
    Leaf(Frame<O>),
}

/// A descriptor that the shadow engine wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shadowed {
    /// The hardware finds nothing and faults into the guest, which needs no exit.
    Absent,
    /// Not known yet: whatever uses it exits.
    Unknown,
    /// The next shadow table.
    Table(Frame<HostPhys>),
    /// Guest RAM, by its first frame.
    Leaf {
        /// Where the RAM is.
        to: Frame<HostPhys>,
        /// Whether a store to it exits although the guest's tables allow it.
        protected: bool,
    },
    /// A device or nothing: what the guest's tables allow exits, what they refuse faults natively.
    Device,
}
