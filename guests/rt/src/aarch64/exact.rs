//! One instruction between two readings of the clock.
//!
//! What a compiler may put between two volatile statements is in no figure made here: the readings
//! and the instruction are one block of assembly. Each function returns the ticks between the
//! readings, of which [`clock::cost`](crate::clock::cost) is the clock's own.

use core::arch::asm;

/// A block of assembly between two readings of the clock.
macro_rules! between {
    ($instruction:literal, $($operands:tt)*) => {{
        let (start, end): (u64, u64);
        asm!("isb", "mrs {start}, cntvct_el0", $instruction, "isb", "mrs {end}, cntvct_el0",
            start = out(reg) start, end = out(reg) end, $($operands)*);
        end - start
    }};
}

/// Instructions of [`hypercall`] beside the one that it is named for.
pub const MOVES: u64 = 0;

/// A load of eight bytes. Returns what it read, too.
///
/// # Safety
///
/// `address` can be read, once a fault handler is through.
#[inline(always)]
pub unsafe fn load(address: *const u64) -> (u64, u64) {
    let value;
    // SAFETY: by the caller.
    let ticks = unsafe {
        between!("ldr {value}, [{address}]", value = out(reg) value, address = in(reg) address,
            options(nostack, preserves_flags))
    };
    (ticks, value)
}

/// A load of four bytes, as device registers want it. Returns what it read, too.
///
/// # Safety
///
/// `address` is a register that can be read.
#[inline(always)]
pub unsafe fn load_register(address: *const u32) -> (u64, u32) {
    let value;
    // SAFETY: by the caller.
    let ticks = unsafe {
        between!("ldr {value:w}, [{address}]", value = out(reg) value, address = in(reg) address,
            options(nostack, preserves_flags))
    };
    (ticks, value)
}

/// A store of eight bytes.
///
/// # Safety
///
/// `address` can be written, once a fault handler is through, and nobody holds a reference to it.
#[inline(always)]
pub unsafe fn store(address: *mut u64, value: u64) -> u64 {
    // SAFETY: by the caller.
    unsafe {
        between!("str {value}, [{address}]", value = in(reg) value, address = in(reg) address,
            options(nostack, preserves_flags))
    }
}

/// A hypercall of the function `id`, without arguments. Returns its result, too.
///
/// # Safety
///
/// As for [`hypercall`](super::call::hypercall).
#[inline(always)]
pub unsafe fn hypercall(id: u64) -> (u64, u64) {
    let result;
    // SAFETY: by the caller. The readings are in registers that the calling convention preserves.
    let ticks = unsafe {
        let (start, end): (u64, u64);
        asm!("isb", "mrs x20, cntvct_el0", "hvc #0", "isb", "mrs x21, cntvct_el0",
            out("x20") start, out("x21") end,
            inout("x0") id => result, inout("x1") 0_u64 => _, inout("x2") 0_u64 => _,
            inout("x3") 0_u64 => _, lateout("x4") _, lateout("x5") _, lateout("x6") _,
            lateout("x7") _, lateout("x8") _, lateout("x9") _, lateout("x10") _,
            lateout("x11") _, lateout("x12") _, lateout("x13") _, lateout("x14") _,
            lateout("x15") _, lateout("x16") _, lateout("x17") _,
            options(nostack));
        end - start
    };
    (ticks, result)
}
