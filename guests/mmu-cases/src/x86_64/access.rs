//! Attempts: accesses that may trap, and all that the processor says if they do.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rt::Exception;
use rt::descriptor::{CODE, DATA, PAGE_FAULT};
use rt::exception::{FETCH, PROTECTION, RESERVED};
use rt::fault::{Cause, Fault};

/// What the processor says when it traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trap {
    /// What happened.
    pub(crate) vector: u64,
    /// Its error code, 0 if it has none.
    pub(crate) error: u64,
    /// CR2, where that counts.
    pub(crate) address: u64,
}

/// What an attempt gave.
pub(crate) type Attempt = Result<u64, Trap>;

/// The vector of a general protection exception.
const GENERAL_PROTECTION: u64 = 13;
/// RFLAGS.TF.
const TRAP_FLAG: u64 = 1 << 8;
/// The vector of a double fault.
const DOUBLE_FAULT: u64 = 8;

/// A page fault.
pub(crate) const fn page_fault(error: u64, address: u64) -> Attempt {
    Err(Trap { vector: PAGE_FAULT as u64, error, address })
}

/// A general protection exception that names no selector.
pub(crate) const PROTECTED: Attempt =
    Err(Trap { vector: GENERAL_PROTECTION, error: 0, address: 0 });

/// A double fault that began with a page fault.
pub(crate) const fn double_fault(address: u64) -> Attempt {
    Err(Trap { vector: DOUBLE_FAULT, error: 0, address })
}

/// The general protection exception that says that a vector has no gate.
pub(crate) const fn without_gate(vector: u8) -> Attempt {
    /// The error code's bit for the interrupt descriptor table.
    const IN_TABLE: u64 = 1 << 1;
    let error = (vector as u64) << 3 | IN_TABLE;
    Err(Trap { vector: GENERAL_PROTECTION, error, address: 0 })
}

/// The trap behind an instruction that was executed with the trap flag set.
pub(crate) const TRACED: Attempt = Err(Trap { vector: 1, error: 0, address: 0 });

/// A breakpoint.
pub(crate) const BREAKPOINT: Attempt = Err(Trap { vector: 3, error: 0, address: 0 });

/// The last trap, as its three words.
static TRAP: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
/// Where it came from.
static ORIGIN: AtomicU64 = AtomicU64::new(0);
/// Whether there was one.
static TRAPPED: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    static mut cases_recover: [u64; 2];
    fn try_read(va: u64) -> u64;
    fn try_write(va: u64, value: u64) -> u64;
    fn try_call(function: u64, first: u64, second: u64) -> u64;
    fn try_read_on(stack: u64, va: u64) -> u64;
    fn try_break_on(stack: u64) -> u64;
    fn try_user(code: u64, value: u64, va: u64) -> u64;
}

/// The failed access, if that is what happened; inside an attempt, whatever happened.
pub(crate) fn fault(exception: &Exception) -> Option<Fault> {
    let counts = [u64::from(PAGE_FAULT), DOUBLE_FAULT].contains(&exception.vector);
    let address = if counts { exception.cr2 } else { 0 };
    for (word, value) in TRAP.iter().zip([exception.vector, exception.error, address]) {
        word.store(value, Relaxed);
    }
    ORIGIN.store(exception.rip, Relaxed);
    TRAPPED.store(1, Relaxed);
    let other = Fault { address, cause: Cause::Permission, write: false };
    exception.fault().or_else(|| (recovery()[0] != 0).then_some(other))
}

/// Where the attempt that is made wants to go on, and its stack.
fn recovery() -> [u64; 2] {
    let words = &raw const cases_recover;
    // SAFETY: attempt.s writes it, and this handler; one CPU.
    unsafe { words.read_volatile() }
}

/// Goes on behind what faulted: an attempt, an access, or a call.
pub(crate) fn skip(exception: &mut Exception, fault: Fault) {
    let [to, stack] = recovery();
    if to != 0 {
        let words = &raw mut cases_recover;
        // SAFETY: as in `recovery`.
        unsafe { words.write_volatile([0, stack]) };
        exception.rflags &= !TRAP_FLAG;
        exception.rip = to;
        exception.cs = CODE.into();
        exception.rsp = stack;
        exception.ss = DATA.into();
    } else if exception.rip == fault.address {
        // SAFETY: a call that faulted has left its return address there.
        exception.rip = unsafe { (exception.rsp as *const u64).read_volatile() };
        exception.rsp += 8;
    } else {
        exception.skip_instruction();
    }
}

/// Makes an attempt.
fn attempt(act: impl FnOnce() -> u64) -> Attempt {
    TRAPPED.store(0, Relaxed);
    let value = act();
    if TRAPPED.load(Relaxed) == 0 {
        return Ok(value);
    }
    let [vector, mut error, address] = [0, 1, 2].map(|word| TRAP[word].load(Relaxed));
    // A reserved bit is one of an entry that is present, and the manual wants both said; not every
    // machine does.
    if vector == PAGE_FAULT.into() && error & RESERVED != 0 {
        error |= PROTECTION;
    }
    Err(Trap { vector, error, address })
}

/// Makes an attempt by a function of attempt.s; also gives where the trap came from.
pub(crate) fn trace(
    function: unsafe extern "C" fn(u64, u64) -> u64,
    first: u64,
    second: u64,
) -> (Attempt, u64) {
    // SAFETY: the handler recovers from what traps; the cases store to memory of theirs.
    let tried = attempt(|| unsafe { function(first, second) });
    (tried, ORIGIN.load(Relaxed))
}

/// Reads eight bytes.
pub(crate) fn read(va: u64) -> Attempt {
    // SAFETY: the handler recovers from what traps; the cases read memory of theirs.
    attempt(|| unsafe { try_read(va) })
}

/// Writes eight bytes; gives 0.
pub(crate) fn write(va: u64, value: u64) -> Attempt {
    // SAFETY: the handler recovers from what traps; the cases write memory of theirs.
    attempt(|| unsafe { try_write(va, value) }).map(|_| 0)
}

/// Calls a function.
pub(crate) fn call(function: u64, first: u64, second: u64) -> Attempt {
    // SAFETY: the handler recovers from what traps; the cases call functions of theirs.
    attempt(|| unsafe { try_call(function, first, second) })
}

/// Reads eight bytes with another stack, which ends at `stack`.
pub(crate) fn read_on(stack: u64, va: u64) -> Attempt {
    // SAFETY: as in `read`; the handler recovers the stack, too.
    attempt(|| unsafe { try_read_on(stack, va) })
}

/// Hits a breakpoint with another stack, which ends at `stack`.
pub(crate) fn break_on(stack: u64) -> Attempt {
    // SAFETY: as in `read_on`.
    attempt(|| unsafe { try_break_on(stack) })
}

/// Runs code in user mode, with RAX and RDI as given, until it calls or traps.
pub(crate) fn user(code: u64, value: u64, va: u64) -> Attempt {
    // SAFETY: user mode reaches nothing but what the cases let it.
    attempt(|| unsafe { try_user(code, value, va) })
}

/// What a call of an address gives: its error code has [`FETCH`] wherever there is a right to forbid
/// execution.
pub(crate) const fn no_fetch(error: u64, va: u64) -> Attempt {
    page_fault(error | FETCH, va)
}

/// What a call of a page that forbids it gives.
pub(crate) const fn forbidden_fetch(va: u64) -> Attempt {
    no_fetch(PROTECTION, va)
}

/// Words of a function that returns `value`.
pub(crate) const fn function_returning(value: u16) -> u64 {
    /// `mov eax, 0`.
    const MOV_EAX: u64 = 0xb8;
    /// `ret`, behind it.
    const RET: u64 = 0xc3 << 40;
    RET | MOV_EAX | (value as u64) << 8
}

/// Defines functions that read and write a control register.
macro_rules! control {
    ($name:literal, $get:ident, $set:ident) => {
        #[doc = concat!("Reads ", $name, ".")]
        pub(crate) fn $get() -> u64 {
            let value;
            // SAFETY: reading changes nothing.
            unsafe { asm!(concat!("mov {}, ", $name), out(reg) value, options(nomem, nostack)) };
            value
        }

        #[doc = concat!("Writes ", $name, ".")]
        pub(crate) fn $set(value: u64) {
            // SAFETY: the cases change nothing that code, stack and data depend on.
            unsafe { asm!(concat!("mov ", $name, ", {}"), in(reg) value, options(nostack)) };
        }
    };
}

control!("cr0", cr0, set_cr0);
control!("cr3", cr3, set_cr3);
control!("cr4", cr4, set_cr4);
control!("cr8", cr8, set_cr8);

/// Reads a model-specific register.
pub(crate) fn msr(index: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the cases read registers that every processor has.
    unsafe {
        asm!("rdmsr", in("ecx") index, out("eax") low, out("edx") high, options(nomem, nostack));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Writes a model-specific register.
pub(crate) fn set_msr(index: u32, value: u64) {
    let (low, high) = (value as u32, (value >> 32) as u32);
    // SAFETY: as in `set_cr0`.
    unsafe { asm!("wrmsr", in("ecx") index, in("eax") low, in("edx") high, options(nostack)) };
}
