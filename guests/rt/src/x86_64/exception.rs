//! Exceptions: what the interrupt descriptor table hands over.

use crate::fault::{self, Cause, Fault};

/// What an exception interrupted; what the handler leaves here is what it returns to. `vectors.s`
/// knows the layout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Exception {
    /// The address of a page fault.
    pub cr2: u64,
    /// `r15`, `r14` and so on to `r8`.
    pub r15_to_r8: [u64; 8],
    /// The register.
    pub rdi: u64,
    /// The register.
    pub rsi: u64,
    /// The register.
    pub rbp: u64,
    /// The register.
    pub rbx: u64,
    /// The register.
    pub rdx: u64,
    /// The register.
    pub rcx: u64,
    /// The register.
    pub rax: u64,
    /// What happened.
    pub vector: u64,
    /// What the processor says about it; 0 if nothing.
    pub error: u64,
    /// Where to return to.
    pub rip: u64,
    /// The code segment to return to.
    pub cs: u64,
    /// The flags to return to.
    pub rflags: u64,
    /// The stack to return to.
    pub rsp: u64,
    /// Its segment.
    pub ss: u64,
}

const _: () = assert!(size_of::<Exception>() == 23 * 8);

/// The error code of a page fault: the page is there, but does not allow the access.
pub const PROTECTION: u64 = 1 << 0;
/// The access was a write.
pub const WRITE: u64 = 1 << 1;
/// It was made in user mode.
pub const USER: u64 = 1 << 2;
/// An entry has a reserved bit.
pub const RESERVED: u64 = 1 << 3;
/// It was the fetch of an instruction.
pub const FETCH: u64 = 1 << 4;

impl Exception {
    /// The failed access to memory, if that is what happened.
    #[inline(always)]
    pub fn fault(&self) -> Option<Fault> {
        if self.vector != super::descriptor::PAGE_FAULT.into() || self.error & RESERVED != 0 {
            return None;
        }
        let cause =
            if self.error & PROTECTION != 0 { Cause::Permission } else { Cause::NotPresent };
        Some(Fault { address: self.cr2, cause, write: self.error & WRITE != 0 })
    }

    /// Goes on behind the instruction that the exception interrupted, one of `exact`'s: its loads and
    /// stores take three bytes with a REX prefix, and two without.
    pub fn skip_instruction(&mut self) {
        /// The upper half of a REX prefix.
        const REX: u8 = 0x40;
        // SAFETY: the processor has just read the instruction there.
        let first = unsafe { (self.rip as *const u8).read_volatile() };
        self.rip += if first & 0xf0 == REX { 3 } else { 2 };
    }
}

/// Called by the vectors for an exception.
#[unsafe(no_mangle)]
extern "C" fn rt_exception(exception: &mut Exception) {
    if !fault::handle(exception) {
        unexpected(exception);
    }
}

/// Reports an exception and ends the guest.
fn unexpected(exception: &Exception) -> ! {
    let Exception { vector, error, rip, cs, rflags, rsp, cr2, .. } = exception;
    crate::println!("rt: unexpected exception {vector}: rip={rip:#x} rsp={rsp:#x} cs={cs:#x}");
    crate::println!("rt: error={error:#x} cr2={cr2:#x} rflags={rflags:#x}");
    crate::exit(crate::status::EXCEPTION)
}
