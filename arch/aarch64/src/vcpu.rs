//! The world switch, and a virtual CPU's registers.
//!
//! While the hypervisor handles an exit, the guest's general-purpose registers, program counter and
//! PSTATE are in memory and everything else of the guest stays in the processor: EL1's system
//! registers, FP and SIMD (the hypervisor is compiled without), the timers, the list registers. With
//! one vCPU on a physical CPU that is all that must be saved, and it is what makes an exit short.
//!
//! [`enter`](Context::enter) is one function that returns where the guest traps. The vectors store
//! the guest's registers straight into the [`Context`] that TPIDR_EL2 points to, and return on the
//! hypervisor's stack as if from a call; the compiler saves the few of its own registers that it
//! needs across it.

use core::arch::{asm, naked_asm};
use core::mem::offset_of;

use aarch64_cpu::registers::{
    ELR_EL1, ELR_EL2, ESR_EL1, FAR_EL1, FAR_EL2, Readable, SCTLR_EL1, SPSR_EL1, TPIDR_EL2,
    VBAR_EL1, VBAR_EL2, Writeable,
};
use arch::Vcpu;
use arch::exit::{MemoryExit, Transfer};
use paging::fault::GuestFault;
use probe::Probe;

use crate::exit::{Class, Syndrome};
use crate::regs::{self, Pstate};

/// What of a guest is in memory while the hypervisor runs. Aligned to 16 bytes.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Context {
    /// x0 to x30.
    x: [u64; 31],
    /// Where the guest goes on.
    elr: u64,
    /// Its PSTATE.
    spsr: u64,
    /// Which vector it trapped to: one of the `VECTOR_*` numbers.
    vector: u64,
}

/// A synchronous exception of the guest.
pub const VECTOR_SYNCHRONOUS: u64 = 0;
/// An interrupt while the guest ran.
pub const VECTOR_INTERRUPT: u64 = 1;
/// An error of the memory system while the guest ran.
pub const VECTOR_ERROR: u64 = 2;
/// The guest was in AArch32.
const VECTOR_AARCH32: u64 = 3;

/// Bytes to which VBAR_EL2 is aligned.
const VECTORS_ALIGN: usize = 2048;

/// Where an instruction is 4 bytes long: everywhere in A64.
const INSTRUCTION: u64 = 4;

/// The stack of the hypervisor's own exceptions. It is not the one that they happen on, because that one
/// may be the reason: a stack that has run into its guard page cannot be pushed to.
#[repr(C, align(16))]
struct ExceptionStack([u8; EXCEPTION_STACK_SIZE]);

/// Bytes of that stack: enough to print an error record.
const EXCEPTION_STACK_SIZE: usize = 8 << 10;

/// Only `vectors` touches it.
static mut EXCEPTION_STACK: ExceptionStack = ExceptionStack([0; EXCEPTION_STACK_SIZE]);

/// Vectors for exceptions from a lower level that save a guest and return to [`Context::enter`], and
/// for the hypervisor's own, which end in [`host_exception_entry`] on a stack of their own.
///
/// The table is aligned within the function, so it begins at the first multiple of
/// [`VECTORS_ALIGN`] at or behind the function's address.
#[unsafe(naked)]
extern "C" fn vectors<const STAMPED: bool>() {
    naked_asm!(
        ".macro from_host number",
        ".balign 128",
        "mov x0, #\\number",
        "b 4f",
        ".endm",
        ".macro from_guest vector",
        ".balign 128",
        "stp x0, x1, [sp, #-16]!",
        ".if {stamped}",
        "mrs x0, pmccntr_el0",
        "str x0, [sp, #-16]!",
        ".endif",
        "mov x1, #\\vector",
        "b 3f",
        ".endm",

        ".balign {align}",
        "from_host 0",
        "from_host 1",
        "from_host 2",
        "from_host 3",
        "from_host 4",
        "from_host 5",
        "from_host 6",
        "from_host 7",
        "from_guest {synchronous}",
        "from_guest {interrupt}",
        "from_guest {interrupt}",
        "from_guest {error}",
        "from_guest {aarch32}",
        "from_guest {aarch32}",
        "from_guest {aarch32}",
        "from_guest {aarch32}",
        ".purgem from_host",
        ".purgem from_guest",

        "3:",
        "mrs x0, tpidr_el2",
        "stp x2, x3, [x0, #2 * 8]",
        "stp x4, x5, [x0, #4 * 8]",
        "stp x6, x7, [x0, #6 * 8]",
        "stp x8, x9, [x0, #8 * 8]",
        "stp x10, x11, [x0, #10 * 8]",
        "stp x12, x13, [x0, #12 * 8]",
        "stp x14, x15, [x0, #14 * 8]",
        "stp x16, x17, [x0, #16 * 8]",
        "stp x18, x19, [x0, #18 * 8]",
        "stp x20, x21, [x0, #20 * 8]",
        "stp x22, x23, [x0, #22 * 8]",
        "stp x24, x25, [x0, #24 * 8]",
        "stp x26, x27, [x0, #26 * 8]",
        "stp x28, x29, [x0, #28 * 8]",
        "mrs x3, elr_el2",
        "stp x30, x3, [x0, #30 * 8]",
        "mrs x3, spsr_el2",
        "stp x3, x1, [x0, #{spsr}]",
        ".if {stamped}",
        "ldr x4, [sp], #16",
        ".endif",
        "ldp x2, x3, [sp], #16",
        "stp x2, x3, [x0]",
        ".if {stamped}",
        "mov x0, x4",
        ".endif",
        "ldp x19, x29, [sp], #16",
        "ldr x30, [sp], #16",
        "ret",

        "4:",
        "adrp x1, {stack} + {stack_size}",
        "add x1, x1, :lo12:{stack} + {stack_size}",
        "mov sp, x1",
        "b {host}",
        align = const VECTORS_ALIGN,
        host = sym host_exception_entry,
        stack = sym EXCEPTION_STACK,
        stack_size = const EXCEPTION_STACK_SIZE,
        stamped = const STAMPED as u64,
        synchronous = const VECTOR_SYNCHRONOUS,
        interrupt = const VECTOR_INTERRUPT,
        error = const VECTOR_ERROR,
        aarch32 = const VECTOR_AARCH32,
        spsr = const offset_of!(Context, spsr),
    )
}

const _: () = assert!(offset_of!(Context, elr) == 31 * 8);
const _: () = assert!(offset_of!(Context, vector) == offset_of!(Context, spsr) + 8);

/// Where an exception of the hypervisor itself goes: a bug of ours.
type HostException = fn(u64) -> !;

/// Set once, before the vectors are in place.
static HOST_EXCEPTION: core::sync::atomic::AtomicPtr<()> =
    core::sync::atomic::AtomicPtr::new(core::ptr::null_mut());

/// `number` is the vector's place in the table.
extern "C" fn host_exception_entry(number: u64) -> ! {
    let handler = HOST_EXCEPTION.load(core::sync::atomic::Ordering::Relaxed);
    // SAFETY: only `install_vectors` writes the pointer, and it writes a `HostException`; it does so
    // before the first exception can come here.
    let handler = unsafe { core::mem::transmute::<*mut (), HostException>(handler) };
    handler(number)
}

/// Prints the registers that tell of an exception of the hypervisor's own.
#[derive(Debug)]
pub struct HostState;

impl core::fmt::Display for HostState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (esr, elr, far) = (Syndrome::current().bits(), ELR_EL2.get(), FAR_EL2.get());
        write!(f, "esr={esr:#x} elr={elr:#x} far={far:#x}")
    }
}

/// Puts the vectors into place. `handler` takes the hypervisor's own exceptions.
pub fn install_vectors<P: Probe>(handler: HostException) {
    HOST_EXCEPTION.store(handler as *mut (), core::sync::atomic::Ordering::Relaxed);
    let function: extern "C" fn() = if P::STAMPED { vectors::<true> } else { vectors::<false> };
    VBAR_EL2.set((function as usize).next_multiple_of(VECTORS_ALIGN) as u64);
}

impl Context {
    /// A vCPU that begins at `entry` in EL1 with interrupts masked and `argument` in x0.
    #[must_use]
    pub const fn new(entry: u64, argument: u64) -> Self {
        let mut x = [0; 31];
        x[0] = argument;
        Self { x, elr: entry, spsr: Pstate::AT_RESET.bits(), vector: 0 }
    }

    /// Makes this the context that guest exits are saved to.
    ///
    /// # Safety
    ///
    /// It neither moves nor goes away as long as a guest may be entered.
    pub unsafe fn make_current(&mut self) {
        TPIDR_EL2.set(core::ptr::from_mut(self) as u64);
    }

    /// Register `number`; 31 is the zero register.
    #[must_use]
    pub fn register(&self, number: u8) -> u64 {
        self.x.get(number as usize).copied().unwrap_or(0)
    }

    /// Sets register `number`; 31 is the zero register.
    pub fn set_register(&mut self, number: u8, value: u64) {
        if let Some(place) = self.x.get_mut(number as usize) {
            *place = value;
        }
    }

    /// Where the guest is.
    #[must_use]
    pub const fn pc(&self) -> u64 {
        self.elr
    }

    /// Which vector it trapped to.
    #[must_use]
    pub const fn vector(&self) -> u64 {
        self.vector
    }

    /// Its PSTATE.
    #[must_use]
    pub const fn pstate(&self) -> Pstate {
        Pstate::from_bits_retain(self.spsr)
    }

    /// Changes its PSTATE.
    pub const fn set_pstate(&mut self, pstate: Pstate) {
        self.spsr = pstate.bits();
    }

    /// Takes a synchronous exception to EL1 with this syndrome. "Exception entry" (D1.3).
    fn take_exception(&mut self, syndrome: Syndrome) {
        let from = self.pstate();
        ESR_EL1.set(syndrome.bits());
        ELR_EL1.set(self.elr);
        SPSR_EL1.set(self.spsr);
        self.elr = VBAR_EL1.get() + from.synchronous_vector();
        self.set_pstate(from.at_exception(regs::Sctlr::from_bits_retain(SCTLR_EL1.get())));
    }
}

impl Vcpu for Context {
    #[inline(always)]
    fn enter<P: Probe>(&mut self) -> u64 {
        let stamp;
        // SAFETY: `self` is the current context (its owner called `make_current`), so the vectors
        // save the guest to it. They return behind the ERET with the stack as it is here and x19, x29
        // and x30 restored; every other register is declared as changed. What the guest may
        // do to memory is bounded by stage 2.
        unsafe {
            asm!(
                "adr x30, 2f",
                "str x30, [sp, #-16]!",
                "stp x19, x29, [sp, #-16]!",
                "ldp x30, x2, [x0, #30 * 8]",
                "ldr x3, [x0, #{spsr}]",
                "msr elr_el2, x2",
                "msr spsr_el2, x3",
                "ldp x2, x3, [x0, #2 * 8]",
                "ldp x4, x5, [x0, #4 * 8]",
                "ldp x6, x7, [x0, #6 * 8]",
                "ldp x8, x9, [x0, #8 * 8]",
                "ldp x10, x11, [x0, #10 * 8]",
                "ldp x12, x13, [x0, #12 * 8]",
                "ldp x14, x15, [x0, #14 * 8]",
                "ldp x16, x17, [x0, #16 * 8]",
                "ldp x18, x19, [x0, #18 * 8]",
                "ldp x20, x21, [x0, #20 * 8]",
                "ldp x22, x23, [x0, #22 * 8]",
                "ldp x24, x25, [x0, #24 * 8]",
                "ldp x26, x27, [x0, #26 * 8]",
                "ldp x28, x29, [x0, #28 * 8]",
                "ldp x0, x1, [x0]",
                "eret",
                "2:",
                spsr = const offset_of!(Self, spsr),
                inout("x0") core::ptr::from_mut(self) => stamp,
                out("x1") _, out("x2") _, out("x3") _, out("x4") _, out("x5") _, out("x6") _,
                out("x7") _, out("x8") _, out("x9") _, out("x10") _, out("x11") _, out("x12") _,
                out("x13") _, out("x14") _, out("x15") _, out("x16") _, out("x17") _,
                out("x18") _, out("x20") _, out("x21") _, out("x22") _, out("x23") _,
                out("x24") _, out("x25") _, out("x26") _, out("x27") _, out("x28") _,
                out("x30") _,
            );
        }
        stamp
    }

    #[inline]
    fn argument(&self, number: usize) -> u64 {
        self.x[number & 3]
    }

    #[inline]
    fn set_result(&mut self, number: usize, value: u64) {
        self.x[number & 3] = value;
    }

    #[inline]
    fn stored(&self, transfer: &Transfer) -> u64 {
        self.register(transfer.register)
    }

    #[inline]
    fn load(&mut self, transfer: &Transfer, value: u64) {
        let unused = u64::BITS - (8 << transfer.width);
        let extended = if transfer.sign_extend {
            ((value << unused) as i64 >> unused) as u64
        } else {
            value << unused >> unused
        };
        let kept = if transfer.wide { extended } else { u64::from(extended as u32) };
        self.set_register(transfer.register, kept);
    }

    /// As if the instruction had been executed: a branch target was reached, and a step of the guest's
    /// own is over.
    #[inline]
    fn skip(&mut self) {
        self.elr = self.elr.wrapping_add(INSTRUCTION);
        self.spsr &= !Pstate::OF_ONE_INSTRUCTION.bits();
    }

    fn reflect(&mut self, fault: GuestFault, exit: &MemoryExit) {
        FAR_EL1.set(FAR_EL2.get());
        let same = self.pstate().is_el1();
        let class = match (exit.fetch, same) {
            (true, true) => Class::INSTRUCTION_ABORT_SAME,
            (true, false) => Class::INSTRUCTION_ABORT_LOWER,
            (false, true) => Class::DATA_ABORT_SAME,
            (false, false) => Class::DATA_ABORT_LOWER,
        };
        self.take_exception(Syndrome::current().reflected(class, fault));
    }

    fn undefined(&mut self) {
        self.take_exception(Syndrome::new(Class::UNKNOWN));
    }

    fn describe(&self, to: &mut impl core::fmt::Write) -> core::fmt::Result {
        write!(to, "pc={:#x} pstate={:#x} lr={:#x}", self.elr, self.spsr, self.x[30])?;
        write!(to, " sp_el0={:#x} sp_el1={:#x}", regs::sp_el0(), regs::sp_el1())?;
        for (number, value) in self.x.iter().enumerate() {
            write!(to, " x{number}={value:#x}")?;
        }
        write!(to, " esr_el1={:#x} far_el1={:#x}", ESR_EL1.get(), FAR_EL1.get())?;
        write!(to, " elr_el1={:#x} vbar_el1={:#x}", ELR_EL1.get(), VBAR_EL1.get())?;
        let syndrome = Syndrome::current();
        write!(to, " esr_el2={:#x} far_el2={:#x}", syndrome.bits(), FAR_EL2.get())
    }
}
