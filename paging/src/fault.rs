//! Faults, and what is to be done about them: the language between an MMU and its hypervisor.

use crate::addr::{Gpa, Gva, Level};
use crate::attrs::Access;

/// A fault that the guest's own tables or machine give its access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GuestFault {
    /// An entry on the way is not present, or reserved where the architecture treats that alike.
    Translation(Level),
    /// An entry on the way is present and has a bit that is reserved, which x86 tells apart.
    Reserved(Level),
    /// An address on the way is larger than the machine's physical addresses.
    AddressSize(Level),
    /// The leaf's accessed flag is clear and software manages it.
    AccessFlag(Level),
    /// The leaf refuses the access.
    Permission(Level),
    /// Nothing answers at the guest-physical address of a table.
    WalkAbort(Level),
    /// Nothing answers at the guest-physical address of the access itself.
    Abort,
}

/// What the hardware reported when it could not use our tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Our tables have no entry there.
    Missing {
        /// The access.
        at: Gva,
    },
    /// The access reached something that is not RAM.
    Device {
        /// Where, of which the page is meant.
        at: Gpa,
    },
    /// A store reached RAM that we keep read-only.
    Protected {
        /// The access.
        at: Gva,
        /// The byte that it reached.
        gpa: Gpa,
    },
    /// The access met a fault of our tables, and which is for a walk to say: x86, whose page faults come
    /// before anything tells ours from the guest's.
    Page {
        /// Where.
        at: Gva,
        /// What was wanted.
        access: Access,
        /// Whether every entry on the way was present.
        present: bool,
    },
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Run the guest again: the access will succeed, or fault in the guest.
    Resume,
    /// Give the guest this fault.
    Reflect(GuestFault),
    /// Emulate a device.
    Device(Gpa),
    /// Carry out the guest's store to one of its own tables.
    Store(Gpa),
}
