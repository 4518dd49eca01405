//! Why the processor left the guest.
//!
//! Intel SDM vol. 3, appendix C, "VMX Basic Exit Reasons"; "VM-Exit Information Fields" (25.9).

use core::arch::asm;

use arch::exit::{Port, Transfer};
use paging::addr::Gpa;
use x86_64::registers::debug::Dr6;

use super::vmcs::{Guest, Information};
use crate::hardware::{ControlAccess, Delivery, Reason, Registers};

/// Basic exit reasons.
pub(super) mod basic {
    pub(in crate::vmx) const EXCEPTION_OR_NMI: u32 = 0;
    pub(super) const EXTERNAL_INTERRUPT: u32 = 1;
    pub(in crate::vmx) const TRIPLE_FAULT: u32 = 2;
    pub(super) const INIT: u32 = 3;
    pub(super) const STARTUP_IPI: u32 = 4;
    pub(super) const INTERRUPT_WINDOW: u32 = 7;
    pub(super) const TASK_SWITCH: u32 = 9;
    pub(super) const CPUID: u32 = 10;
    pub(super) const GETSEC: u32 = 11;
    pub(super) const HLT: u32 = 12;
    pub(super) const INVD: u32 = 13;
    pub(super) const RDPMC: u32 = 15;
    pub(super) const VMCALL: u32 = 18;
    pub(super) const VMCLEAR: u32 = 19;
    pub(super) const VMXON: u32 = 27;
    pub(super) const CONTROL_REGISTER: u32 = 28;
    pub(super) const IO: u32 = 30;
    pub(super) const RDMSR: u32 = 31;
    pub(super) const WRMSR: u32 = 32;
    pub(super) const MWAIT: u32 = 36;
    pub(super) const MONITOR: u32 = 39;
    pub(in crate::vmx) const EPT_VIOLATION: u32 = 48;
    pub(super) const INVEPT: u32 = 50;
    pub(super) const INVVPID: u32 = 53;
    pub(super) const XSETBV: u32 = 55;
}

/// Vectors that are told apart.
pub(super) mod vector {
    pub(in crate::vmx) const DEBUG: u8 = 1;
    pub(super) const PAGE_FAULT: u8 = 14;
}

/// The type of an NMI in interruption information, where [`Delivery`] has types.
const NMI: u32 = 2 << 8;
/// Where types are.
const TYPE: u32 = 7 << 8;
/// What interruption information says of an event, beside bits that mean something else at each place.
const EVENT: u32 = Delivery::VALID | 0xfff;

/// The low bits of an exit qualification that say how many bytes a port moves, less 1.
const PORT_SIZE: u64 = 7;
/// Exit qualification of a port: IN.
const PORT_IN: u64 = 1 << 3;
/// Exit qualification of a port: INS or OUTS.
const PORT_STRING: u64 = 1 << 4;
/// Where the exit qualification has the port's number, and the operand of LMSW.
const OPERAND_SHIFT: u32 = 16;
/// Exit qualification of a debug exception, and DR6: B0 to B3.
const DEBUG_ADDRESSES: u64 = 0xf;
/// The same with BD and BS.
const DEBUG_CONDITIONS: u64 = DEBUG_ADDRESSES | 1 << 13 | 1 << 14;
/// Exit qualification of an EPT violation: an instruction was fetched.
const VIOLATION_FETCH: u64 = 1 << 2;
/// The same: there was a linear address.
const VIOLATION_LINEAR: u64 = 1 << 7;
/// The same, and whether it was that address's translation and not a table on the way to it.
const VIOLATION_PLACE: u64 = VIOLATION_LINEAR | 1 << 8;

/// The event of some interruption information, with the error code that `code` has if there is one.
pub(super) fn event(info: u32, code: Information) -> Delivery {
    Delivery { info: info & EVENT, code: code.read() as u32 }
}

/// What the exit with `reason` means. `narrow`: the guest is not in 64-bit mode, so that registers have
/// 32 bits.
#[inline(always)]
pub(super) fn reason(reason: u32, registers: &Registers, narrow: impl FnOnce() -> bool) -> Reason {
    match reason {
        basic::EXCEPTION_OR_NMI => exception(),
        basic::CPUID => Reason::Cpuid,
        basic::VMCALL => Reason::Hypercall,
        basic::EXTERNAL_INTERRUPT => Reason::Interrupt,
        basic::INTERRUPT_WINDOW => Reason::Window,
        basic::HLT => Reason::Halt,
        basic::RDMSR => Reason::ReadMsr,
        basic::WRMSR => Reason::WriteMsr,
        basic::XSETBV => Reason::Xsetbv,
        basic::CONTROL_REGISTER => control(registers, narrow),
        basic::IO => Reason::Port(port()),
        basic::EPT_VIOLATION => {
            let qualification = Information::Qualification.read();
            Reason::Nested {
                at: Gpa::from_bits(Information::GuestPhysicalAddress.read()),
                fetch: qualification & VIOLATION_FETCH != 0,
                walk: qualification & VIOLATION_PLACE == VIOLATION_LINEAR,
            }
        }
        basic::INVD => Reason::Ignored,
        basic::RDPMC => Reason::Refused,
        basic::GETSEC
        | basic::VMCLEAR..=basic::VMXON
        | basic::INVEPT
        | basic::INVVPID
        | basic::MWAIT
        | basic::MONITOR => Reason::Undefined,
        basic::TRIPLE_FAULT => Reason::Shutdown,
        basic::TASK_SWITCH | basic::INIT | basic::STARTUP_IPI => Reason::Mode,
        _ => Reason::Unknown(reason.into()),
    }
}

/// An exception, or an NMI, which is the machine's.
#[inline]
fn exception() -> Reason {
    let info = Information::Interruption.read() as u32;
    if info & (TYPE | 0xff) == EXCEPTION | u32::from(vector::PAGE_FAULT) {
        let at = Information::Qualification.read();
        return Reason::PageFault { at, error: Information::ErrorCode.read() as u32 };
    }
    other_exception(info)
}

/// The type of an exception of the processor.
const EXCEPTION: u32 = 3 << 8;

#[cold]
fn other_exception(info: u32) -> Reason {
    if info & TYPE == NMI {
        // SAFETY: the vector is that of NMIs, whose stub returns. The processor holds further
        // ones off until that return.
        unsafe { asm!("int 2", options(nostack)) };
        return Reason::NonMaskable;
    }
    let event = event(info, Information::ErrorCode);
    if event.is_exception() && event.vector() == vector::DEBUG {
        let conditions = Information::Qualification.read() & DEBUG_CONDITIONS;
        return Reason::Debug(Dr6::read_raw() & !DEBUG_ADDRESSES | conditions);
    }
    Reason::Exception(event)
}

/// An access to a control register, by the exit qualification ("Exit Qualification for Control-Register
/// Accesses").
fn control(registers: &Registers, narrow: impl FnOnce() -> bool) -> Reason {
    const RSP: u8 = 4;
    let qualification = Information::Qualification.read();
    let control = (qualification & 0xf) as u8;
    let register = (qualification >> 8 & 0xf) as u8;
    let access = match qualification >> 4 & 3 {
        0 => {
            let value = match register {
                RSP => Guest::Rsp.read(),
                _ => registers[usize::from(register)],
            };
            let value = if narrow() { u64::from(value as u32) } else { value };
            ControlAccess::Write { control, value }
        }
        1 => ControlAccess::Read { control, register },
        2 => ControlAccess::ClearTaskSwitched,
        _ => ControlAccess::LoadStatus((qualification >> OPERAND_SHIFT) as u16),
    };
    Reason::Control(Some(access))
}

/// An access to a port, by the exit qualification ("Exit Qualification for I/O Instructions").
fn port() -> Port {
    let qualification = Information::Qualification.read();
    let read = qualification & PORT_IN != 0;
    let transfer = Transfer {
        read,
        write: !read,
        width: ((qualification & PORT_SIZE) + 1).trailing_zeros(),
        register: 0,
        sign_extend: false,
        wide: false,
    };
    let string = qualification & PORT_STRING != 0;
    Port {
        number: (qualification >> OPERAND_SHIFT) as u16,
        transfer: (!string).then_some(transfer),
    }
}
