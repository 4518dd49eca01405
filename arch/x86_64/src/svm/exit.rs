//! What an exit code means: AMD64 APM vol. 2, appendix C, "SVM Intercept Exit Codes".

use arch::exit::{Port, Transfer};
use bitflags::bitflags;
use paging::addr::Gpa;

use crate::hardware::{Delivery, Reason};
use crate::svm::vmcb::Vmcb;

/// Reads of control registers begin here; writes end with [`LAST_CONTROL`].
const FIRST_CONTROL: u64 = 0x00;
/// The last write of a control register.
const LAST_CONTROL: u64 = 0x1f;
/// Exceptions begin here, by their vectors.
const FIRST_EXCEPTION: u64 = 0x40;
/// The last of them.
const LAST_EXCEPTION: u64 = 0x5f;
const INTERRUPT: u64 = 0x60;
const NMI_EXIT: u64 = 0x61;
const INIT: u64 = 0x63;
const WINDOW: u64 = 0x64;
const RDPMC: u64 = 0x6f;
const CPUID: u64 = 0x72;
const INVD: u64 = 0x76;
const HLT: u64 = 0x78;
const INVLPGA: u64 = 0x7a;
const PORT: u64 = 0x7b;
const MSR: u64 = 0x7c;
const TASK_SWITCH: u64 = 0x7d;
/// The guest shut down.
pub(super) const SHUTDOWN: u64 = 0x7f;
const VMRUN: u64 = 0x80;
const VMMCALL: u64 = 0x81;
const VMLOAD: u64 = 0x82;
const SKINIT: u64 = 0x86;
const MONITOR: u64 = 0x8a;
const MWAIT: u64 = 0x8b;
const XSETBV: u64 = 0x8d;
const NESTED_FAULT: u64 = 0x400;
/// The state of the guest cannot be entered (VMEXIT_INVALID), as QEMU writes it.
const INVALID: u64 = u32::MAX as u64;

/// Vectors of exceptions.
pub(super) const DEBUG: u32 = 1;
/// The NMI's place among them.
pub(super) const NMI: u32 = 2;
/// A page fault.
pub(super) const PAGE_FAULT: u32 = 14;
/// An alignment check.
pub(super) const ALIGNMENT: u32 = 17;
/// The vectors that push an error code: 8, 10 to 14, 17, 21.
const WITH_ERROR: u32 = 1 << 8 | 0b1_1111 << 10 | 1 << ALIGNMENT | 1 << 21;

bitflags! {
    /// EXITINFO1 of an access to a port ("IOIO Intercepts", 15.10.2).
    struct PortInfo: u64 {
        /// IN; clear: OUT.
        const IN = 1 << 0;
        /// INS or OUTS.
        const STRING = 1 << 2;
        /// 2 bytes.
        const TWO = 1 << 5;
        /// 4 bytes.
        const FOUR = 1 << 6;
    }
}
/// Where the port's number begins in it.
const PORT_SHIFT: u32 = 16;
/// EXITINFO1 of an access to an MSR: it is a write.
const MSR_WRITE: u64 = 1;
/// EXITINFO1 of a nested fault: it is a fetch.
const NESTED_FETCH: u64 = 1 << 4;
/// EXITINFO1 of a nested fault: it was met while the guest's tables were walked.
const NESTED_WALK: u64 = 1 << 33;

/// The bit of an exception in the VMCB's list.
pub(super) const fn vector_bit(vector: u32) -> u32 {
    1 << vector
}

/// Why the guest was left.
#[inline(always)]
pub(super) fn reason(vmcb: &Vmcb) -> Reason {
    let info = vmcb.exit_info_1.get();
    match vmcb.exit_code.get() {
        CPUID => Reason::Cpuid,
        VMMCALL => Reason::Hypercall,
        PAGE_FAULT_EXIT => Reason::PageFault { at: vmcb.exit_info_2.get(), error: info as u32 },
        NESTED_FAULT => Reason::Nested {
            at: Gpa::from_bits(vmcb.exit_info_2.get()),
            fetch: info & NESTED_FETCH != 0,
            walk: info & NESTED_WALK != 0,
        },
        INTERRUPT => Reason::Interrupt,
        WINDOW => Reason::Window,
        FIRST_CONTROL..=LAST_CONTROL => Reason::Control(None),
        MSR if info & MSR_WRITE != 0 => Reason::WriteMsr,
        MSR => Reason::ReadMsr,
        PORT => Reason::Port(port(info)),
        HLT => Reason::Halt,
        DEBUG_EXIT => Reason::Debug(vmcb.dr6.get()),
        code @ FIRST_EXCEPTION..=LAST_EXCEPTION => {
            let vector = (code - FIRST_EXCEPTION) as u8;
            let error = (WITH_ERROR & vector_bit(vector.into()) != 0).then_some(info as u32);
            Reason::Exception(Delivery::exception(vector, error))
        }
        XSETBV => Reason::Xsetbv,
        INVD => Reason::Ignored,
        RDPMC => Reason::Refused,
        NMI_EXIT => Reason::NonMaskable,
        INVLPGA | VMRUN | VMLOAD..=SKINIT | MONITOR | MWAIT => Reason::Undefined,
        TASK_SWITCH | INIT => Reason::Mode,
        SHUTDOWN => Reason::Shutdown,
        // QEMU leaves a guest so that loads CR3 with bits that no address has.
        INVALID => Reason::Control(None),
        code => Reason::Unknown(code),
    }
}

/// The exit of a page fault.
const PAGE_FAULT_EXIT: u64 = FIRST_EXCEPTION + PAGE_FAULT as u64;
/// The exit of a debug exception.
const DEBUG_EXIT: u64 = FIRST_EXCEPTION + DEBUG as u64;

/// The port that an instruction accesses.
fn port(info: u64) -> Port {
    let bits = PortInfo::from_bits_retain(info);
    let width =
        if bits.contains(PortInfo::FOUR) { 2 } else { u32::from(bits.contains(PortInfo::TWO)) };
    let read = bits.contains(PortInfo::IN);
    let moved =
        Transfer { read, write: !read, width, register: 0, sign_extend: false, wide: false };
    Port {
        number: (info >> PORT_SHIFT) as u16,
        transfer: (!bits.contains(PortInfo::STRING)).then_some(moved),
    }
}

/// Bytes of the instruction that was intercepted, if the processor tells: always for ports, otherwise with
/// next-RIP saving.
#[inline]
pub(super) fn length(vmcb: &Vmcb) -> Option<u64> {
    let rip = vmcb.rip.get();
    if vmcb.exit_code.get() == PORT {
        return Some(vmcb.exit_info_2.get().wrapping_sub(rip));
    }
    match vmcb.next_rip.get() {
        0 => None,
        next => Some(next.wrapping_sub(rip)),
    }
}
