//! The clock: the time stamp counter, which on an emulator may count instructions.

use core::arch::asm;

/// Reads the time stamp counter, not before what precedes it in program order is done.
#[inline(always)]
pub fn ticks() -> u64 {
    let ticks;
    // SAFETY: reading the counter changes nothing. No `nomem`: memory accesses must stay on their
    // side of it.
    unsafe {
        asm!("lfence", "rdtsc", "shl rdx, 32", "lea {ticks}, [rdx + rax]",
            ticks = out(reg) ticks, out("rax") _, out("rdx") _, options(nostack));
    }
    ticks
}

/// Ticks per second; 0 where the processor does not say, as emulated ones do not.
pub fn frequency() -> u64 {
    /// The leaf with the ratio of the counter to a crystal, and the crystal's frequency.
    const COUNTER: u32 = 0x15;
    if super::machine::cpuid(0).eax < COUNTER {
        return 0;
    }
    let leaf = super::machine::cpuid(COUNTER);
    let product = u64::from(leaf.ecx) * u64::from(leaf.ebx);
    product.checked_div(leaf.eax.into()).unwrap_or(0)
}
