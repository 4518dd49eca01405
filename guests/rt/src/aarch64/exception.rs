//! Exceptions: what the vector table hands over.

use aarch64_cpu::registers::{ESR_EL1, SPSR_EL1};

use crate::fault::{self, Cause, Fault};

/// What an exception interrupted; what the handler leaves here is what it returns to. `vectors.s`
/// knows the layout.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug)]
pub struct Exception {
    /// `x0` to `x30`.
    pub x: [u64; 31],
    /// ELR_EL1: where to return to.
    pub elr: u64,
    /// SPSR_EL1: the processor state to return to.
    pub spsr: u64,
    /// ESR_EL1: what happened.
    pub esr: u64,
    /// FAR_EL1: at which address.
    pub far: u64,
}

const _: () = assert!(size_of::<Exception>() == 36 * 8);

/// ESR_EL1.ISS.WnR of a data abort: the access was a write.
const WRITE: u64 = 1 << 6;

impl Exception {
    /// The failed access to memory, if that is what happened.
    #[inline(always)]
    pub fn fault(&self) -> Option<Fault> {
        use ESR_EL1::EC::Value as Class;
        let class = (self.esr >> ESR_EL1::EC.shift) & ESR_EL1::EC.mask;
        let data = class == Class::DataAbortCurrentEL as u64;
        if !data && class != Class::InstrAbortCurrentEL as u64 {
            return None;
        }
        // Fault status codes: 0b0001LL translation, 0b0010LL access flag, 0b0011LL permission.
        let cause = match (self.esr >> 2) & 0xf {
            1 => Cause::NotPresent,
            2 => Cause::NotAccessed,
            3 => Cause::Permission,
            _ => return None,
        };
        Some(Fault { address: self.far, cause, write: data && self.esr & WRITE != 0 })
    }

    /// Goes on behind the instruction that the exception interrupted.
    pub fn skip_instruction(&mut self) {
        self.elr += 4;
    }
}

/// Called by the vector table for a synchronous exception from EL1.
#[unsafe(no_mangle)]
extern "C" fn rt_synchronous(exception: &mut Exception) {
    if !fault::handle(exception) {
        unexpected(exception, "synchronous exception");
    }
}

/// Called by the vector table for everything that no guest has a handler for.
#[unsafe(no_mangle)]
extern "C" fn rt_unexpected(exception: &Exception, vector: u64) -> ! {
    let kind = match vector & 3 {
        0 => "synchronous exception",
        1 => "interrupt",
        2 => "fast interrupt",
        _ => "system error",
    };
    unexpected(exception, kind)
}

/// Reports an exception and ends the guest.
fn unexpected(exception: &Exception, kind: &str) -> ! {
    let Exception { elr, spsr, esr, far, x } = exception;
    let level = (spsr >> SPSR_EL1::M.shift) & SPSR_EL1::M.mask;
    crate::println!("rt: unexpected {kind}: pc={elr:#x} lr={:#x}", x[30]);
    crate::println!("rt: esr={esr:#x} far={far:#x} mode={level:#x}");
    crate::exit(crate::status::EXCEPTION)
}
