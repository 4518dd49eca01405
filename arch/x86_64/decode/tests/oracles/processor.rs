//! This processor, as one that executes an instruction when asked.
//!
//! The instruction stands in a page of its own, with a jump behind it. [`enter`] loads all registers and
//! jumps there; the jump leads to [`leave`], which stores them all. The page and the memory that the
//! instruction works on are below 2 GiB, so that addresses of 32 bits reach them.

use core::ffi::c_void;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of memory that an instruction may work on.
pub(crate) const MEMORY: usize = 5 * PAGE;
/// Bytes of a page, of which the instruction has one.
pub(crate) const PAGE: usize = 4096;

/// Registers, and what an instruction changes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// General-purpose registers.
    pub(crate) registers: [u64; 16],
    /// RFLAGS.
    pub(crate) flags: u64,
    /// [`MEMORY`] bytes.
    pub(crate) memory: Vec<u8>,
}

/// What [`enter`] and [`leave`] load and store: 16 registers, RFLAGS, the stack pointer of [`enter`],
/// and where the instruction is.
static EXCHANGED: [AtomicU64; 19] = [const { AtomicU64::new(0) }; 19];
/// The index of RFLAGS there.
const FLAGS: usize = 16;
/// The index of the stack pointer.
const STACK: usize = 17;
/// The index of the instruction's address.
const CODE: usize = 18;

/// Who has [`EXCHANGED`].
static OWNER: Mutex<()> = Mutex::new(());

/// The processor. There is one.
pub(crate) struct Processor {
    /// The page of the instruction, with its memory behind it.
    region: *mut u8,
    /// What makes it the only one.
    _owner: MutexGuard<'static, ()>,
}

impl Processor {
    /// The processor, as soon as nobody else has it.
    pub(crate) fn new() -> Self {
        let owner = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        let rights = READ | WRITE | EXECUTE;
        // SAFETY: a new mapping at a place of the kernel's choice takes no memory from anybody.
        let region = unsafe {
            mmap(
                core::ptr::null_mut(),
                PAGE + MEMORY,
                rights,
                PRIVATE | ANONYMOUS | BELOW_2_GIB,
                -1,
                0,
            )
        };
        assert!(region.addr() < 1 << 31, "no memory below 2 GiB");
        Self { region: region.cast(), _owner: owner }
    }

    /// The address of the instruction.
    pub(crate) fn rip(&self) -> u64 {
        self.region.addr() as u64
    }

    /// The address of the memory.
    pub(crate) fn memory(&self) -> u64 {
        self.rip() + PAGE as u64
    }

    /// Executes an instruction, which must stay within the memory and must not jump or fault.
    pub(crate) fn execute(&mut self, instruction: &[u8], state: &mut State) {
        // JMP to the address that follows.
        let mut code = [instruction, &[0xff, 0x25, 0, 0, 0, 0]].concat();
        code.extend((leave as *const () as u64).to_le_bytes());
        assert!(code.len() <= PAGE && state.memory.len() == MEMORY, "it fits");
        // SAFETY: the region is ours alone, and its second page begins there.
        let memory = unsafe { self.region.add(PAGE) };
        // SAFETY: the code fits into the first page.
        unsafe { core::ptr::copy_nonoverlapping(code.as_ptr(), self.region, code.len()) };
        // SAFETY: the rest of the region has that size.
        unsafe { core::ptr::copy_nonoverlapping(state.memory.as_ptr(), memory, MEMORY) };
        for (exchanged, &value) in EXCHANGED.iter().zip(&state.registers) {
            exchanged.store(value, Ordering::Relaxed);
        }
        EXCHANGED[FLAGS].store(state.flags, Ordering::Relaxed);
        EXCHANGED[CODE].store(self.rip(), Ordering::Relaxed);
        // SAFETY: the instruction only writes registers, all of which are stored and restored, and the
        // region: so says the contract, and the caller has worked out its address.
        unsafe { enter() };
        for (value, exchanged) in state.registers.iter_mut().zip(&EXCHANGED) {
            *value = exchanged.load(Ordering::Relaxed);
        }
        state.flags = EXCHANGED[FLAGS].load(Ordering::Relaxed);
        // SAFETY: as above, the other way.
        unsafe { core::ptr::copy_nonoverlapping(memory, state.memory.as_mut_ptr(), MEMORY) };
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing refers to it.
        unsafe { munmap(self.region.cast(), PAGE + MEMORY) };
    }
}

/// PROT_READ.
const READ: i32 = 1;
/// PROT_WRITE.
const WRITE: i32 = 2;
/// PROT_EXEC.
const EXECUTE: i32 = 4;
/// MAP_PRIVATE.
const PRIVATE: i32 = 0x02;
/// MAP_ANONYMOUS.
const ANONYMOUS: i32 = 0x20;
/// MAP_32BIT.
const BELOW_2_GIB: i32 = 0x40;

// SAFETY: so does the C library declare them.
unsafe extern "C" {
    fn mmap(
        at: *mut c_void,
        length: usize,
        rights: i32,
        flags: i32,
        file: i32,
        offset: i64,
    ) -> *mut c_void;
    fn munmap(at: *mut c_void, length: usize) -> i32;
}

/// Loads flags and registers and goes to the instruction. Returns from [`leave`].
///
/// # Safety
///
/// [`EXCHANGED`] names an instruction with a jump to [`leave`] behind it, and the instruction writes
/// nothing that anybody else uses.
#[unsafe(naked)]
unsafe extern "C" fn enter() {
    core::arch::naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "pushfq",
        "mov [rip + {x} + 8 * {stack}], rsp",
        "push qword ptr [rip + {x} + 8 * {flags}]",
        "popfq",
        "mov rax, [rip + {x}]",
        "mov rcx, [rip + {x} + 8]",
        "mov rdx, [rip + {x} + 16]",
        "mov rbx, [rip + {x} + 24]",
        "mov rsp, [rip + {x} + 32]",
        "mov rbp, [rip + {x} + 40]",
        "mov rsi, [rip + {x} + 48]",
        "mov rdi, [rip + {x} + 56]",
        "mov r8, [rip + {x} + 64]",
        "mov r9, [rip + {x} + 72]",
        "mov r10, [rip + {x} + 80]",
        "mov r11, [rip + {x} + 88]",
        "mov r12, [rip + {x} + 96]",
        "mov r13, [rip + {x} + 104]",
        "mov r14, [rip + {x} + 112]",
        "mov r15, [rip + {x} + 120]",
        "jmp qword ptr [rip + {x} + 8 * {code}]",
        x = sym EXCHANGED,
        flags = const FLAGS,
        stack = const STACK,
        code = const CODE,
    )
}

/// Stores registers and flags and returns to who called [`enter`].
#[unsafe(naked)]
extern "C" fn leave() {
    core::arch::naked_asm!(
        "mov [rip + {x}], rax",
        "mov [rip + {x} + 8], rcx",
        "mov [rip + {x} + 16], rdx",
        "mov [rip + {x} + 24], rbx",
        "mov [rip + {x} + 32], rsp",
        "mov [rip + {x} + 40], rbp",
        "mov [rip + {x} + 48], rsi",
        "mov [rip + {x} + 56], rdi",
        "mov [rip + {x} + 64], r8",
        "mov [rip + {x} + 72], r9",
        "mov [rip + {x} + 80], r10",
        "mov [rip + {x} + 88], r11",
        "mov [rip + {x} + 96], r12",
        "mov [rip + {x} + 104], r13",
        "mov [rip + {x} + 112], r14",
        "mov [rip + {x} + 120], r15",
        "mov rsp, [rip + {x} + 8 * {stack}]",
        "pushfq",
        "pop qword ptr [rip + {x} + 8 * {flags}]",
        "popfq",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        x = sym EXCHANGED,
        flags = const FLAGS,
        stack = const STACK,
    )
}
