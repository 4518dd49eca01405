//! TLB maintenance for the hypervisor's own map.

use paging::addr::HostVirt;
use paging::mem::{Stale, Tlb};
use x86_64::VirtAddr;
use x86_64::instructions::tlb;

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
