//! VMX operation, and the pages that it takes.

use alloc::boxed::Box;
use core::arch::asm;

use paging::addr::PAGE_SIZE;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};

use super::capability::Capability;
use crate::hardware::Lack;
use crate::msr;

/// A page that the processor uses by its physical address.
#[derive(Debug)]
#[repr(C, align(4096))]
struct Page([u8; PAGE_SIZE as usize]);

impl Page {
    /// A page for good, each byte `fill`.
    fn new(fill: u8) -> &'static mut Self {
        let mut page = Box::<Self>::new_uninit();
        // SAFETY: the box has room for a page, which may have any bytes.
        unsafe { page.as_mut_ptr().cast::<u8>().write_bytes(fill, size_of::<Self>()) };
        // SAFETY: every byte has just been written.
        Box::leak(unsafe { page.assume_init() })
    }

    /// A region that begins with the VMCS's `revision`, for good; where it is.
    fn region(revision: u32) -> u64 {
        let page = Self::new(0);
        page.0[..size_of::<u32>()].copy_from_slice(&revision.to_ne_bytes());
        page.address()
    }

    /// Where it is. The hypervisor's map is an identity.
    fn address(&self) -> u64 {
        (&raw const *self) as u64
    }
}

/// The processor refused VMXON, VMCLEAR or VMPTRLD.
pub(super) struct Refused;

/// Runs a VMX instruction with one memory operand that holds `$address`.
macro_rules! vmx {
    ($instruction:literal, $address:expr) => {{
        let address: u64 = $address;
        let refused: u8;
        asm!(
            concat!($instruction, " [{}]"),
            "setbe {}",
            in(reg) &raw const address,
            out(reg_byte) refused,
            options(nostack),
        );
        if refused == 0 { Ok(()) } else { Err(Refused) }
    }};
}

impl From<Refused> for Lack {
    /// The processor said that it could.
    fn from(_: Refused) -> Self {
        Self::Control
    }
}

/// Turns VMX operation on for this CPU, with a VMCS that is current.
pub(super) fn start(capability: &Capability) -> Result<(), Refused> {
    let cr0 = Cr0Flags::from_bits_retain(capability.cr0.apply(Cr0::read_raw()));
    // SAFETY: VMX operation wants NE beside what 64-bit mode wants, and the hypervisor has no floating
    // point that could fault.
    unsafe { Cr0::write(cr0) };
    let vmx = Cr4::read_raw() | Cr4Flags::VIRTUAL_MACHINE_EXTENSIONS.bits();
    // SAFETY: it adds VMXE, which only enables the instructions.
    unsafe { Cr4::write_raw(capability.cr4.apply(vmx)) };
    let region = Page::region(capability.revision);
    // SAFETY: CR0, CR4 and IA32_FEATURE_CONTROL are as VMXON wants them, and the region is the processor's
    // for good.
    unsafe { vmx!("vmxon", region) }?;
    let vmcs = Page::region(capability.revision);
    // SAFETY: the region is the processor's for good, and VMX operation is on.
    unsafe { vmx!("vmclear", vmcs) }?;
    // SAFETY: the same.
    unsafe { vmx!("vmptrld", vmcs) }
}

/// The MSR bitmap: all exit but those that the guest may use freely.
pub(super) fn msr_bitmap() -> u64 {
    /// Where the bits of writes are, after those of reads.
    const WRITES: usize = 2048;
    /// Where each has the bits of the MSRs from `HIGH` on.
    const HIGH_HALF: usize = 1024;
    const HIGH: u32 = 0xc000_0000;
    let page = Page::new(u8::MAX);
    let mut pass = |part: usize, msr: u32| {
        let half = if msr >= HIGH { HIGH_HALF } else { 0 };
        let number = (msr & !HIGH) as usize;
        page.0[part + half + number / 8] &= !(1 << (number % 8));
    };
    for &msr in msr::PASSED {
        pass(0, msr);
        pass(WRITES, msr);
    }
    for &msr in msr::READ {
        pass(0, msr);
    }
    page.address()
}
