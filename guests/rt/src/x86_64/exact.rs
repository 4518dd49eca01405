//! One instruction between two readings of the clock.
//!
//! What a compiler may put between two volatile statements is in no figure made here: the readings
//! and the instruction are one block of assembly. Each function returns the ticks between the
//! readings, of which [`clock::cost`](crate::clock::cost) is the clock's own. An instruction that
//! may fault has a length that [`Exception`](crate::Exception) knows.

use core::arch::asm;

use super::machine::Conduit;

/// A block of assembly between two readings of the clock, which use RAX, RDX, R8 and R9.
macro_rules! between {
    ($before:literal, $instruction:literal, $after:literal, $($operands:tt)*) => {{
        let (start, end): (u64, u64);
        asm!($before, "lfence", "rdtsc", "shl rdx, 32", "lea r8, [rdx + rax]", $instruction,
            "lfence", "rdtsc", "shl rdx, 32", "lea r9, [rdx + rax]", $after,
            out("rax") _, out("rdx") _, out("r8") start, out("r9") end, $($operands)*);
        end - start
    }};
}

/// Instructions of [`cpuid`] and [`hypercall`] beside the one that they are named for: both move what goes
/// in or comes out.
pub const MOVES: u64 = 2;

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
        between!("", "mov rsi, [rdi]", "", out("rsi") value, in("rdi") address, options(nostack))
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
        between!("", "mov esi, [rdi]", "", out("esi") value, in("rdi") address, options(nostack))
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
        between!("", "mov [rdi], rsi", "", in("rsi") value, in("rdi") address, options(nostack))
    }
}

/// A hypercall of the function `id`, without arguments. Returns its result, too.
///
/// # Safety
///
/// As for [`hypercall`](super::call::hypercall).
#[inline(always)]
pub unsafe fn hypercall(id: u64) -> (u64, u64) {
    /// The call by one instruction; its id must be in RAX, which reading the clock changes.
    macro_rules! call {
        ($instruction:literal) => {{
            let result;
            let ticks = between!("", $instruction, "", id = in(reg) id, out("r10") result,
                inout("rdi") 0_u64 => _, inout("rsi") 0_u64 => _, options(nostack));
            (ticks, result)
        }};
    }
    if crate::machine().conduit == Conduit::Vmmcall {
        // SAFETY: by the caller.
        unsafe { call!("mov rax, {id}\nvmmcall\nmov r10, rax") }
    } else {
        // SAFETY: by the caller.
        unsafe { call!("mov rax, {id}\nvmcall\nmov r10, rax") }
    }
}

/// CPUID of the leaf where a hypervisor says its name: three instructions.
#[inline(always)]
pub fn cpuid() -> u64 {
    // SAFETY: the instruction changes these registers alone; RBX, which the compiler keeps for itself,
    // is put back.
    unsafe {
        between!("mov r10, rbx", "mov eax, {leaf}\nxor ecx, ecx\ncpuid", "mov rbx, r10",
            leaf = const hv_abi::pc::LEAF_NAME, out("r10") _, out("rcx") _, options(nostack))
    }
}
