//! Translations by ASID: AMD64 APM vol. 2, "TLB Control" (15.16).

use core::arch::asm;
use core::cell::Cell;

use paging::addr::Gva;
use paging::mem::Tag;

/// What the next VMRUN is to do about translations (TLB_CONTROL).
const KEEP: u32 = 0;
/// The same: forget all of them, of every ASID.
const FORGET_ALL: u32 = 1;

/// The ASID and the TLB control of a VMCB, offset 058h.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Control {
    asid: Cell<u32>,
    control: Cell<u32>,
}

impl Control {
    /// Translations belong to `tag` from now on. ASID 0 is the hypervisor's. The processor has ASIDs up to
    /// `last`; the tags that are too many share that one, which is empty whenever one of them begins with
    /// it.
    #[inline]
    pub(super) fn set_tag(&self, tag: Tag, last: u32) {
        let asid = u32::from(tag.0) + 1;
        if asid < last {
            self.asid.set(asid);
        } else {
            self.asid.set(last);
            self.forget_all();
        }
    }

    /// The guest has been entered: what was asked for is done.
    #[inline(always)]
    pub(super) fn entered(&self) {
        self.control.set(KEEP);
    }

    /// The next entry forgets every translation.
    pub(crate) fn forget_all(&self) {
        self.control.set(FORGET_ALL);
    }

    /// Forgets the translation of one address under the ASID in use.
    #[inline]
    pub(crate) fn forget_address(&self, at: Gva) {
        // SAFETY: INVLPGA invalidates a translation of the guest's; EFER.SVME has been set since before
        // there was a VMCB.
        unsafe {
            asm!(
                "invlpga rax, ecx",
                in("rax") at.bits(), in("ecx") self.asid.get(),
                options(nostack, preserves_flags),
            );
        }
    }
}
