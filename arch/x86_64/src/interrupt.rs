//! Exceptions and interrupts of the hypervisor's own.
//!
//! It runs with interrupts off. One that comes while a guest runs ends the guest's turn, and the
//! run loop then opens the only window for it, [`take`], whose answer is the vector: the stub in
//! `vectors.s` hands it over in a register, and neither memory nor a segment is needed. An exception is a
//! bug of ours or broken hardware; it goes to `host_exception`, which the binary defines. An NMI
//! is ignored.

use core::arch::asm;
use core::fmt;
use core::mem::size_of;

use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::registers::control::Cr2;
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::idt::{Entry, ExceptionVector, HandlerFunc};

use crate::segment::DOUBLE_FAULT_STACK;

#[cfg(target_os = "none")]
core::arch::global_asm!(include_str!("vectors.s"));

unsafe extern "C" {
    /// The first stub.
    static __vectors: u8;
}

/// Bytes of a stub in `vectors.s`.
const STUB: u64 = 16;
/// How many vectors have one: those of exceptions, and as many for interrupts.
const COUNT: usize = 64;

/// What the processor and a stub leave on the stack for an exception.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Frame {
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vector, error, rip, rsp, .. } = self;
        let cr2 = Cr2::read_raw();
        write!(f, "vector={vector} error={error:#x} rip={rip:#x} rsp={rsp:#x} cr2={cr2:#x}")
    }
}

/// A CPU's interrupt descriptors.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Vectors([Entry<HandlerFunc>; COUNT]);

impl Vectors {
    /// Not in use yet.
    pub const NEW: Self = Self([Entry::missing(); COUNT]);

    /// Puts them into this CPU's registers. Its [`Segments`](crate::segment::Segments) are loaded.
    pub fn load(&'static mut self) {
        let first = (&raw const __vectors) as u64;
        for (vector, entry) in self.0.iter_mut().enumerate() {
            let stub = VirtAddr::new(first + vector as u64 * STUB);
            // SAFETY: `vectors.s` has a stub there for this very vector.
            let options = unsafe { entry.set_handler_addr(stub) };
            if vector == ExceptionVector::Double as usize {
                // SAFETY: the segments have a stack for it, which nothing else uses.
                unsafe { options.set_stack_index(DOUBLE_FAULT_STACK) };
            }
        }
        let pointer = DescriptorTablePointer {
            limit: size_of::<Self>() as u16 - 1,
            base: VirtAddr::from_ptr(&raw const self.0),
        };
        // SAFETY: the table stays where it is for good, and every descriptor leads to its stub.
        unsafe { lidt(&pointer) };
    }
}

/// Takes one interrupt that waits, if there is one, and tells its vector. It is still to be ended.
///
/// Interrupts are off before and after. [`Vectors`] are loaded.
#[inline]
#[must_use]
pub fn take() -> Option<u8> {
    let vector: u32;
    // SAFETY: an interrupt's stub changes EAX and nothing else, and returns with interrupts off.
    unsafe {
        asm!("sti", "nop", "cli", inout("eax") 0_u32 => vector);
    }
    (vector != 0).then_some(vector as u8)
}

/// Waits until an interrupt comes, takes it, and tells its vector. `None` if what came was no interrupt:
/// the processor's wait may end for other reasons.
///
/// Interrupts are off before and after. [`Vectors`] are loaded.
#[must_use]
pub fn wait() -> Option<u8> {
    let vector: u32;
    // SAFETY: as in `take`. STI lets nothing through before HLT, so no interrupt is missed.
    unsafe {
        asm!("sti", "hlt", "cli", inout("eax") 0_u32 => vector);
    }
    (vector != 0).then_some(vector as u8)
}
