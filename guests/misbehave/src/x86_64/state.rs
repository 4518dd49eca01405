//! Registers that a hypervisor shares with its guest.

use core::arch::asm;
use core::arch::x86_64::__cpuid;

use rt::space::{self, Access, Space, USER};
use rt::{check, frames, println, tlb};

/// CPUID leaf 1, ECX: XSAVE.
const XSAVE: u32 = 1 << 26;
/// CR4.OSXSAVE.
const OSXSAVE: u64 = 1 << 18;
/// IA32_FS_BASE.
const FS_BASE: u32 = 0xc000_0100;

/// Chooses the state that XSAVE saves, which the hypervisor has to do for it.
pub(crate) fn extended_state() {
    if __cpuid(1).ecx & XSAVE == 0 {
        rt::exit(rt::status::UNSUITABLE);
    }
    // SAFETY: the bit is there, and the runtime uses none of the state.
    unsafe {
        asm!("mov {old}, cr4", "or {old}, {bit}", "mov cr4, {old}", old = out(reg) _,
            bit = const OSXSAVE, options(nostack));
    }
    for components in [1_u32, 3, 1] {
        // SAFETY: x87 and SSE are always there.
        unsafe { asm!("xsetbv", in("ecx") 0, in("eax") components, in("edx") 0, options(nostack)) };
        let read: u32;
        // SAFETY: XGETBV reads what was written.
        unsafe { asm!("xgetbv", in("ecx") 0, out("eax") read, out("edx") _, options(nostack)) };
        check!(read == components, "{components:#x} reads {read:#x}");
        println!("@ misbehave components={components:#x}");
    }
}

/// Stores to a page table by a segment whose base is no address. Processors refuse it; QEMU's does not.
pub(crate) fn wild_base() {
    /// It is not canonical, and all that is wrong with it is in bits that an offset can cancel.
    const WILD: u64 = 0x5a00_0000_0000_0000;
    let mut space = Space::new(1);
    let frame = frames::take();
    // SAFETY: a frame of ours.
    unsafe { space.map(USER, frame, Access::ReadWrite) };
    let entry = space.entry(USER).addr() as u64;
    space.activate();
    // SAFETY: the page is mapped.
    unsafe { (USER as *const u64).read_volatile() };
    // SAFETY: nothing here uses FS.
    unsafe {
        asm!("wrmsr", in("ecx") FS_BASE, in("eax") 0, in("edx") (WILD >> 32) as u32, options(nostack));
    }
    let offset = entry.wrapping_sub(WILD);
    // SAFETY: the entry is its own value again.
    unsafe {
        asm!("mov {value}, [{entry}]", "mov fs:[{offset}], {value}", value = out(reg) _,
            entry = in(reg) entry, offset = in(reg) offset, options(nostack));
    }
    tlb::page(1, USER);
    // SAFETY: as above.
    let word = unsafe { space::load(USER as *mut u64) };
    println!("@ misbehave outlived=wild-base word={word:#x}");
    rt::exit(rt::status::UNSUITABLE);
}
