//! Telling the TLB: by VPID on Intel, by ASID on AMD, or by nothing at all.
//!
//! Each root of a shadow has a hardware tag. What is stale of the tag in use is invalidated at once. Of all
//! other tags it is only noted that something was, and such a tag is invalidated as a whole when its root is
//! loaded next: the walk over all tags that "under every tag" would ask for never happens.
//!
//! A VT-x without VPID empties the TLB at each entry and exit, so nothing is ever stale there.

use alloc::boxed::Box;

use paging::addr::{GuestPhys, GuestVirt, HostVirt};
use paging::mem::{Stale, Tag, Tlb};
use paging::shadow::MOST_CONTEXTS;
use x86_64::VirtAddr;
use x86_64::instructions::tlb;

use crate::svm::asid;
use crate::vmx::vpid;

/// The TLB entries of the hypervisor on this CPU.
#[derive(Debug, Default)]
pub struct Own;

impl Tlb<HostVirt> for Own {
    fn flush(&mut self, stale: Stale<HostVirt>) {
        match stale {
            Stale::Address(at) => tlb::flush(VirtAddr::new_truncate(at.bits())),
            Stale::Root(_) | Stale::All => tlb::flush_all(),
        }
    }

    /// Stores are seen in order by the walks that follow them: Intel SDM vol. 3, "Memory Ordering".
    fn publish(&mut self) {}
}

/// The tag for what is translated without a root of the guest's: paging off, or nested tables.
pub const NO_ROOT: Tag = Tag(0);

/// How translations of a guest are invalidated.
#[derive(Clone, Copy, Debug)]
pub enum Flusher {
    /// They do not outlive an exit.
    None,
    /// INVVPID and INVEPT.
    Vpid(vpid::Kinds),
    /// INVLPGA and the control of the next VMRUN.
    Asid(&'static asid::Control),
}

/// How many tags there are: those of roots, and [`NO_ROOT`].
pub const TAGS: usize = MOST_CONTEXTS as usize + 1;

/// The TLB of the CPU on which a guest runs.
#[derive(Debug)]
pub struct GuestTlb {
    flusher: Flusher,
    /// The tag in use.
    current: Tag,
    /// How often something was stale under every tag.
    epoch: u64,
    /// For each tag the epoch in which it was last in use, of which it knows all; 0 if everything under it is
    /// stale.
    seen: Box<[u64; TAGS]>,
}

impl GuestTlb {
    /// The TLB of the guest that `flusher` belongs to, with nothing in it.
    #[must_use]
    pub fn new(flusher: Flusher) -> Self {
        let new = Self { flusher, current: NO_ROOT, epoch: 1, seen: Box::new([0; TAGS]) };
        new.forget_current();
        new
    }

    /// The root with `tag` is used from now on.
    #[inline]
    pub fn switch(&mut self, tag: Tag) {
        self.seen[place(self.current)] = self.epoch;
        self.current = tag;
        if self.seen[place(tag)] != self.epoch {
            self.forget_current();
        }
    }

    /// Forgets everything under the tag in use.
    fn forget_current(&self) {
        match self.flusher {
            Flusher::None => {}
            Flusher::Vpid(kinds) => kinds.forget(self.current),
            Flusher::Asid(control) => control.forget_all(),
        }
    }

    /// Something is stale under every tag; the one in use is told by the caller.
    #[inline(always)]
    const fn age(&mut self) {
        self.epoch += 1;
    }
}

/// Where a tag stands among all.
#[inline(always)]
fn place(tag: Tag) -> usize {
    usize::from(tag.0).min(TAGS - 1)
}

impl Tlb<GuestVirt> for GuestTlb {
    #[inline(always)]
    fn flush(&mut self, stale: Stale<GuestVirt>) {
        match (stale, self.flusher) {
            (_, Flusher::None) => {}
            (Stale::Address(at), Flusher::Vpid(kinds)) => {
                self.age();
                kinds.forget_address(self.current, at);
            }
            (Stale::Address(at), Flusher::Asid(control)) => {
                self.age();
                control.forget_address(at);
            }
            (Stale::Root(tag), _) if tag != self.current => self.seen[place(tag)] = 0,
            (Stale::Root(_), _) => self.forget_current(),
            (Stale::All, _) => {
                self.age();
                self.forget_current();
            }
        }
    }

    /// Stores are seen by walks in their order.
    #[inline]
    fn publish(&mut self) {}
}

impl Tlb<GuestPhys> for GuestTlb {
    fn flush(&mut self, _stale: Stale<GuestPhys>) {
        match self.flusher {
            Flusher::None => {}
            Flusher::Vpid(kinds) => kinds.forget_nested(),
            Flusher::Asid(control) => control.forget_all(),
        }
    }

    fn publish(&mut self) {}
}
