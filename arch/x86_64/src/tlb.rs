//! Telling the TLB: by VPID on Intel, by ASID on AMD, or by nothing at all.
//!
//! Each root of a shadow has a hardware tag. What is stale of the tag in use is invalidated at once. Of all
//! other tags it is only noted that something was, and such a tag is invalidated as a whole when its root is
//! loaded next: the walk over all tags that "under every tag" would ask for never happens.
//!
//! A VT-x without VPID empties the TLB at each entry and exit, so nothing is ever stale there.

use paging::addr::{GuestPhys, GuestVirt, HostVirt};
use paging::mem::{Stale, Tag, Tlb};
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

/// How many tags there may be, with tag 0, which is no root's: as many as a word has bits.
pub const TAGS: usize = u64::BITS as usize;

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

/// The TLB of the CPU on which a guest runs.
#[derive(Debug)]
pub struct GuestTlb {
    flusher: Flusher,
    /// The tag in use.
    current: Tag,
    /// A bit for each tag but that one.
    others: u64,
    /// A bit for each tag under which something is stale.
    stale: u64,
}

impl GuestTlb {
    /// The TLB of the guest that `flusher` belongs to.
    #[must_use]
    pub const fn new(flusher: Flusher) -> Self {
        Self { flusher, current: NO_ROOT, others: !bit(NO_ROOT), stale: u64::MAX }
    }

    /// The root with `tag`, which is below [`TAGS`], is used from now on.
    #[inline]
    pub fn switch(&mut self, tag: Tag) {
        self.current = tag;
        self.others = !bit(tag);
        if self.stale & bit(tag) != 0 {
            self.stale &= self.others;
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
        self.stale = self.others;
    }
}

/// The bit of a tag.
const fn bit(tag: Tag) -> u64 {
    1 << (tag.0 as usize % TAGS)
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
            (Stale::Root(tag), _) if tag != self.current => self.stale |= bit(tag),
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
