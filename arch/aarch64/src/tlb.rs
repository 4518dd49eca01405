//! TLB maintenance: which instruction forgets what.
//!
//! Arm DDI 0487, "TLB maintenance instructions" (D8.17.5). All forms reach the CPUs of the inner
//! shareable domain. Those for the EL1&0 regime apply to the VMID in VTTBR_EL2, which is the current
//! VM's whenever the hypervisor handles one of its exits.

use core::arch::asm;

use paging::addr::{Addr, GuestPhys, GuestVirt, HostVirt, Space, Window};
use paging::mem::{Stale, Tlb};

/// The TLB entries of this machine's VMs and of the hypervisor.
#[derive(Debug, Default)]
pub struct Broadcast;

/// Bits 55:12 of an address: what an operation by address names ("TLBI VAE1IS", VA\[55:12\]).
const PAGE_MASK: u64 = (1 << 44) - 1;
/// Where an operation's ASID begins.
const ASID_SHIFT: u32 = 48;

fn page<S: Space>(at: Addr<S>) -> u64 {
    at.frame().number() & PAGE_MASK
}

/// One maintenance instruction between the barriers that make it follow earlier descriptor writes
/// and finish before anything later.
macro_rules! tlbi {
    ($operation:literal) => {
        // SAFETY: forgetting translations changes no memory; they are derived anew from the tables.
        unsafe {
            asm!("dsb ishst", concat!("tlbi ", $operation), "dsb ish", "isb", options(nostack))
        }
    };
    ($operation:literal, $operand:expr) => {
        // SAFETY: as above.
        unsafe {
            asm!(
                "dsb ishst",
                concat!("tlbi ", $operation, ", {}"),
                "dsb ish",
                "isb",
                in(reg) $operand,
                options(nostack),
            )
        }
    };
}

/// Makes descriptor writes visible to walkers.
fn publish() {
    // SAFETY: a barrier changes nothing.
    unsafe { asm!("dsb ishst", "isb", options(nostack)) };
}

impl Tlb<GuestVirt> for Broadcast {
    #[inline]
    fn flush(&mut self, stale: Stale<GuestVirt>) {
        match stale {
            // Every ASID: the same table may be reached under many of ours.
            Stale::Address(at) => tlbi!("vaae1is", page(at)),
            Stale::Root(tag) => tlbi!("aside1is", u64::from(tag.0) << ASID_SHIFT),
            Stale::All => tlbi!("vmalle1is"),
        }
    }

    #[inline]
    fn publish(&mut self) {
        publish();
    }
}

/// For a nested tree. An entry may combine both stages, so an address is never forgotten alone:
/// "Invalidation of TLB entries from stage 2 translations".
impl Tlb<GuestPhys> for Broadcast {
    fn flush(&mut self, stale: Stale<GuestPhys>) {
        if let Stale::Address(at) = stale {
            tlbi!("ipas2e1is", page(at));
        }
        tlbi!("vmalls12e1is");
    }

    fn publish(&mut self) {
        publish();
    }
}

/// For the windows of a shadowed guest, which never change once they are made.
impl Tlb<Window> for Broadcast {
    fn flush(&mut self, _stale: Stale<Window>) {
        tlbi!("vmalls12e1is");
    }

    fn publish(&mut self) {
        publish();
    }
}

/// For the hypervisor's own map.
impl Tlb<HostVirt> for Broadcast {
    fn flush(&mut self, stale: Stale<HostVirt>) {
        match stale {
            Stale::Address(at) => tlbi!("vae2is", page(at)),
            Stale::Root(_) | Stale::All => tlbi!("alle2is"),
        }
    }

    fn publish(&mut self) {
        publish();
    }
}

/// Forgets everything of every VM. For start-up, when nothing is known of what firmware left.
pub fn forget_all() {
    tlbi!("alle1is");
}

/// Forgets the hypervisor's own translations, those that firmware left among them.
pub fn forget_hypervisor() {
    tlbi!("alle2is");
}
