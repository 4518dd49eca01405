//! The world switch: the way into the guest and back.
//!
//! VMLAUNCH and VMRESUME keep every general-purpose register but RSP, so those are loaded before and saved
//! behind; the processor switches the rest. An exit arrives at HOST_RIP on the stack of the entry,
//! and from there [`switch`] returns as if the entry had been a call.
//!
//! Where the hypervisor's stack stands is the same at each turn of its loop. It is written to the VMCS
//! when it has changed, and the first time, of which the processor tells by refusing VMRESUME.

use core::arch::{asm, naked_asm};

use super::vmcs::{Field, Information};
use crate::hardware::Registers;

/// VM-instruction error: VMRESUME with a VMCS that has not been launched.
const NOT_LAUNCHED: u32 = 5;

/// In an exit reason: the entry failed. Where the instruction itself was refused, the VM-instruction
/// error stands below it.
pub(super) const ENTRY_FAILED: u32 = 1 << 31;

/// Enters the guest with `registers`, and returns the exit reason and, if `STAMPED`, the time-stamp
/// counter behind the exit. `stack` is where the VMCS has the host's stack, 0 at first.
///
/// # Safety
///
/// The VMCS that is current on this CPU holds a guest that stays in its own memory, and the state of the
/// host as it is now, but for RSP and RIP. One value of `STAMPED` is used with it.
#[inline(always)]
pub(super) unsafe fn enter<const STAMPED: bool>(
    registers: &mut Registers,
    stack: &mut u64,
) -> (u32, u64) {
    let (reason, stamp): (u64, u64);
    // SAFETY: by the caller the processor comes back with the host's state; `switch` restores RBX, RBP
    // and RSP, and all other registers are declared as changed. The guest's memory is no Rust object.
    unsafe {
        asm!(
            "call {switch}",
            switch = sym switch::<STAMPED>,
            inout("rdi") registers.as_mut_ptr() => _,
            inout("rsi") &raw mut *stack => _,
            out("rax") reason, out("rdx") stamp, out("rcx") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
        );
    }
    (reason as u32, if STAMPED { stamp } else { 0 })
}

/// RDI: the registers. RSI: the stack that the VMCS has. Returns the exit reason in RAX and the stamp in
/// RDX.
#[unsafe(naked)]
extern "C" fn switch<const STAMPED: bool>() {
    naked_asm!(
        "push rbx",
        "push rbp",
        ".if {stamped}",
        "push rdi",                     // room for the stamp
        ".endif",
        "push rdi",
        "cmp [rsi], rsp",
        "jne 4f",
        "2:",
        "mov rax, [rdi]",
        "mov rcx, [rdi + 1 * 8]",
        "mov rdx, [rdi + 2 * 8]",
        "mov rbx, [rdi + 3 * 8]",
        "mov rbp, [rdi + 5 * 8]",
        "mov rsi, [rdi + 6 * 8]",
        "mov r8, [rdi + 8 * 8]",
        "mov r9, [rdi + 9 * 8]",
        "mov r10, [rdi + 10 * 8]",
        "mov r11, [rdi + 11 * 8]",
        "mov r12, [rdi + 12 * 8]",
        "mov r13, [rdi + 13 * 8]",
        "mov r14, [rdi + 14 * 8]",
        "mov r15, [rdi + 15 * 8]",
        "mov rdi, [rdi + 7 * 8]",
        "vmresume",

        // Refused. Nothing has changed but flags.
        "push rax",
        "push rcx",
        "mov eax, {instruction_error}",
        "vmread rcx, rax",
        "cmp ecx, {not_launched}",
        "pop rcx",
        "pop rax",
        "jne 3f",
        "vmlaunch",
        "3:",
        "mov ecx, {instruction_error}",
        "vmread rax, rcx",
        "or eax, {entry_failed}",
        "jmp 6f",

        // The stack is another one.
        "4:",
        "mov [rsi], rsp",
        "mov eax, {host_rsp}",
        "vmwrite rax, rsp",
        "lea rcx, [rip + 5f]",
        "mov eax, {host_rip}",
        "vmwrite rax, rcx",
        "jmp 2b",

        // The guest has been left.
        "5:",
        ".if {stamped}",
        "push rax",
        "push rdx",
        "rdtsc",
        "shl rdx, 32",
        "or rdx, rax",
        "mov [rsp + 3 * 8], rdx",
        "pop rdx",
        "pop rax",
        ".endif",
        "xchg rdi, [rsp]",
        "mov [rdi], rax",
        "mov [rdi + 1 * 8], rcx",
        "mov [rdi + 2 * 8], rdx",
        "mov [rdi + 3 * 8], rbx",
        "mov [rdi + 5 * 8], rbp",
        "mov [rdi + 6 * 8], rsi",
        "pop qword ptr [rdi + 7 * 8]",
        "mov [rdi + 8 * 8], r8",
        "mov [rdi + 9 * 8], r9",
        "mov [rdi + 10 * 8], r10",
        "mov [rdi + 11 * 8], r11",
        "mov [rdi + 12 * 8], r12",
        "mov [rdi + 13 * 8], r13",
        "mov [rdi + 14 * 8], r14",
        "mov [rdi + 15 * 8], r15",
        "mov ecx, {exit_reason}",
        "vmread rax, rcx",
        ".if {stamped}",
        "pop rdx",
        ".endif",
        "pop rbp",
        "pop rbx",
        "ret",

        // The entry failed, and the registers are still what they were.
        "6:",
        "pop rdi",
        ".if {stamped}",
        "pop rdx",
        ".endif",
        "pop rbp",
        "pop rbx",
        "ret",
        stamped = const STAMPED as u32,
        not_launched = const NOT_LAUNCHED,
        entry_failed = const ENTRY_FAILED,
        instruction_error = const Information::InstructionError as u32,
        exit_reason = const Information::Reason as u32,
        host_rsp = const Field::HostRsp as u32,
        host_rip = const Field::HostRip as u32,
    )
}
