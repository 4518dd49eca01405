//! What an access wants and what a mapping gives, in no format's words.

use bitflags::bitflags;

bitflags! {
    /// What a translation lets software do, by privilege.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Rights: u8 {
        /// Unprivileged software may read.
        const USER_READ = 1 << 0;
        /// Unprivileged software may write.
        const USER_WRITE = 1 << 1;
        /// Unprivileged software may execute.
        const USER_EXECUTE = 1 << 2;
        /// Privileged software may read.
        const KERNEL_READ = 1 << 3;
        /// Privileged software may write.
        const KERNEL_WRITE = 1 << 4;
        /// Privileged software may execute.
        const KERNEL_EXECUTE = 1 << 5;
    }
}

/// What an access does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It reads.
    Read,
    /// It writes, or reads and writes.
    Write,
    /// It fetches an instruction.
    Execute,
}

/// An access as the MMU sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// What it does.
    pub kind: Kind,
    /// Whether it is made without privilege.
    pub user: bool,
    /// Whether privileged data accesses to what user software can reach are refused: PAN, SMAP.
    pub guarded: bool,
}

impl Access {
    /// The right that this access needs.
    #[must_use]
    #[inline]
    pub const fn needs(self) -> Rights {
        match (self.kind, self.user) {
            (Kind::Read, true) => Rights::USER_READ,
            (Kind::Write, true) => Rights::USER_WRITE,
            (Kind::Execute, true) => Rights::USER_EXECUTE,
            (Kind::Read, false) => Rights::KERNEL_READ,
            (Kind::Write, false) => Rights::KERNEL_WRITE,
            (Kind::Execute, false) => Rights::KERNEL_EXECUTE,
        }
    }

    /// Whether a mapping that gives `rights` allows it.
    #[must_use]
    #[inline]
    pub fn allowed_by(self, rights: Rights) -> bool {
        let fenced = self.guarded
            && !self.user
            && self.kind != Kind::Execute
            && rights.intersects(Rights::USER_READ | Rights::USER_WRITE);
        rights.contains(self.needs()) && !fenced
    }
}

/// How a mapping of our own treats memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// Write-back cached, inner shareable.
    Normal,
    /// Device registers: no caching, gathering, reordering or early acknowledgement.
    Device,
}

/// The attributes of a mapping of our own, stage 2 or the hypervisor's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attrs {
    /// May it be written?
    pub write: bool,
    /// May it be executed?
    pub execute: bool,
    /// How memory behaves.
    pub memory: Memory,
}
