//! What a trap to EL2 means: ESR_EL2, FAR_EL2 and HPFAR_EL2.
//!
//! Arm DDI 0487, "ESR_EL2, Exception Syndrome Register (EL2)".

use core::hint;

use aarch64_cpu::registers::{ESR_EL2, FAR_EL2, HPFAR_EL2, Readable};
use arch::exit::{Exit, MemoryExit, Transfer};
use bitflags::bitflags;
use paging::addr::{Addr, Gva, Level, Space};
use paging::fault::{Fault, GuestFault};
use probe::Event;

use crate::vcpu::{Context, VECTOR_ERROR, VECTOR_INTERRUPT, VECTOR_SYNCHRONOUS};

/// An exception class: bits 31:26 of a syndrome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(u64);

impl Class {
    /// No particular class: an undefined instruction.
    pub const UNKNOWN: Self = Self(0x00);
    /// WFI or WFE.
    pub const WAIT: Self = Self(0x01);
    /// ST64B and its kin.
    pub const LS64: Self = Self(0x0a);
    /// MRRS, MSRR or a 128-bit system instruction.
    pub const SYSTEM_REGISTER_128: Self = Self(0x14);
    /// TSTART.
    pub const TRANSACTION: Self = Self(0x1b);
    /// HVC in AArch64.
    pub const HVC: Self = Self(0x16);
    /// SMC in AArch64.
    pub const SMC: Self = Self(0x17);
    /// MSR, MRS or a system instruction.
    pub const SYSTEM_REGISTER: Self = Self(0x18);
    /// SVE is not available.
    pub const SVE: Self = Self(0x19);
    /// SME is not available.
    pub const SME: Self = Self(0x1d);
    /// An instruction abort from a lower level.
    pub const INSTRUCTION_ABORT_LOWER: Self = Self(0x20);
    /// An instruction abort at the level itself.
    pub const INSTRUCTION_ABORT_SAME: Self = Self(0x21);
    /// A data abort from a lower level.
    pub const DATA_ABORT_LOWER: Self = Self(0x24);
    /// A data abort at the level itself.
    pub const DATA_ABORT_SAME: Self = Self(0x25);
    /// A software step from a lower level.
    pub const STEP_LOWER: Self = Self(0x32);

    /// Where the class begins.
    const SHIFT: u32 = 26;
    /// Its bits, after the shift.
    const MASK: u64 = 0x3f;
}

bitflags! {
    /// Bits of a syndrome ("ISS encoding for an exception from a Data Abort").
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct Bits: u64 {
        /// IL: the instruction is 32 bits long.
        const LONG = 1 << 25;
        /// ISV: the fields for the transfer are valid.
        const VALID = 1 << 24;
        /// SSE: a loaded value is sign-extended.
        const SIGN_EXTEND = 1 << 21;
        /// SF: the register is 64 bits wide.
        const WIDE = 1 << 15;
        /// CM: a cache maintenance or address translation instruction.
        const MAINTENANCE = 1 << 8;
        /// S1PTW: the fault was met on the walk of stage 1.
        const STAGE1_WALK = 1 << 7;
        /// WnR: a write.
        const WRITE = 1 << 6;
        /// DFSC, IFSC: the status.
        const STATUS = 0x3f;
    }
}

/// SAS: the size of the transfer.
const SIZE_SHIFT: u32 = 22;
/// SRT: its register.
const REGISTER_SHIFT: u32 = 16;

/// Status codes, to which levels are added ("DFSC").
mod status {
    /// Address size fault, level 0.
    pub(super) const ADDRESS_SIZE: u64 = 0b00_0000;
    /// Translation fault, level 0.
    pub(super) const TRANSLATION: u64 = 0b00_0100;
    /// Access flag fault, level 0.
    pub(super) const ACCESS_FLAG: u64 = 0b00_1000;
    /// Permission fault, level 0.
    pub(super) const PERMISSION: u64 = 0b00_1100;
    /// Synchronous external abort, not on a walk.
    pub(super) const ABORT: u64 = 0b01_0000;
    /// Synchronous external abort on a walk, level 0.
    pub(super) const WALK_ABORT: u64 = 0b01_0100;
    /// The status without its level.
    pub(super) const KIND: u64 = 0b11_1100;
}

/// The status code of a fault.
#[must_use]
pub fn status_of(fault: GuestFault) -> u64 {
    let numbered = |level: Level| (Level::TOP.number() - level.number()) as u64;
    match fault {
        GuestFault::AddressSize(level) => status::ADDRESS_SIZE + numbered(level),
        GuestFault::Translation(level) | GuestFault::Reserved(level) => {
            status::TRANSLATION + numbered(level)
        }
        GuestFault::AccessFlag(level) => status::ACCESS_FLAG + numbered(level),
        GuestFault::Permission(level) => status::PERMISSION + numbered(level),
        GuestFault::WalkAbort(level) => status::WALK_ABORT + numbered(level),
        GuestFault::Abort => status::ABORT,
    }
}

/// A syndrome: what ESR_EL1 and ESR_EL2 hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syndrome(u64);

impl Syndrome {
    /// The syndrome of the exit at hand.
    #[must_use]
    #[inline]
    pub fn current() -> Self {
        Self(ESR_EL2.get())
    }

    /// A syndrome of `class` with nothing specific.
    #[must_use]
    pub const fn new(class: Class) -> Self {
        Self(class.0 << Class::SHIFT | Bits::LONG.bits())
    }

    /// The register's value.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Its class.
    #[must_use]
    #[inline]
    pub const fn class(self) -> Class {
        Class(self.0 >> Class::SHIFT & Class::MASK)
    }

    const fn has(self, bits: Bits) -> bool {
        self.0 & bits.bits() == bits.bits()
    }

    /// The same abort as EL1 sees it: another class and status, and no transfer, which only EL2 is
    /// told.
    #[must_use]
    pub fn reflected(self, class: Class, fault: GuestFault) -> Self {
        let write = self.0 & (Bits::WRITE | Bits::MAINTENANCE).bits();
        let kept = if matches!(class, Class::DATA_ABORT_SAME | Class::DATA_ABORT_LOWER) {
            write
        } else {
            0
        };
        Self(Self::new(class).0 | kept | status_of(fault))
    }

    /// The transfer of a data abort, where the processor describes it.
    const fn transfer(self) -> Option<Transfer> {
        if !self.has(Bits::VALID) {
            return None;
        }
        Some(Transfer {
            read: !self.has(Bits::WRITE),
            write: self.has(Bits::WRITE),
            width: (self.0 >> SIZE_SHIFT) as u32 & 3,
            register: (self.0 >> REGISTER_SHIFT) as u8 & 0x1f,
            sign_extend: self.has(Bits::SIGN_EXTEND),
            wide: self.has(Bits::WIDE),
        })
    }

    /// The access of an abort, which met `fault`.
    fn access(self, fault: Fault) -> MemoryExit {
        let fetch = self.class() == Class::INSTRUCTION_ABORT_LOWER;
        MemoryExit {
            fault,
            fetch,
            transfer: if fetch { None } else { self.transfer() },
            maintenance: !fetch && self.has(Bits::MAINTENANCE),
        }
    }
}

/// What stage 2 could not translate, as the registers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort<S: Space> {
    /// The guest-virtual address.
    pub at: Gva,
    /// The address that stage 2 was asked for; on a walk its page only.
    pub ipa: Addr<S>,
    /// Whether stage 1's walk asked for a table.
    pub walk: bool,
    /// Whether stage 2 does not map it.
    pub unmapped: bool,
    /// Whether stage 2 maps it, but not for this.
    pub permission: bool,
}

/// Bits 47:12 of the address begin at bit 4 of HPFAR_EL2.
const HPFAR_SHIFT: u32 = 8;
/// HPFAR_EL2.FIPA, after the shift.
const HPFAR_MASK: u64 = ((1 << 48) - 1) & !(Level::PAGE.size() - 1);

/// Reads the abort at hand.
#[inline]
fn abort<S: Space>(syndrome: Syndrome) -> Abort<S> {
    let at = Gva::from_bits(FAR_EL2.get());
    let page = HPFAR_EL2.get() << HPFAR_SHIFT & HPFAR_MASK;
    Abort {
        at,
        ipa: Addr::from_bits(page | at.page_offset()),
        walk: syndrome.has(Bits::STAGE1_WALK),
        unmapped: syndrome.bits() & status::KIND == status::TRANSLATION,
        permission: syndrome.bits() & status::KIND == status::PERMISSION,
    }
}

/// Why the guest was left. `classify` says what an abort of stage 2 means in the paging mode, or
/// that it should not have happened.
#[inline]
pub fn exit<S: Space>(context: &Context, classify: impl Fn(Abort<S>) -> Option<Fault>) -> Exit {
    let vector = context.vector();
    if vector != VECTOR_SYNCHRONOUS {
        hint::cold_path();
        return match vector {
            VECTOR_INTERRUPT => Exit::Interrupt,
            VECTOR_ERROR => Exit::Error,
            _ => Exit::Unknown,
        };
    }
    let syndrome = Syndrome::current();
    match syndrome.class() {
        Class::HVC => Exit::Hypercall,
        Class::SMC => Exit::Firmware,
        Class::SYSTEM_REGISTER
        | Class::SYSTEM_REGISTER_128
        | Class::SVE
        | Class::SME
        | Class::LS64
        | Class::TRANSACTION => Exit::Register(Event::ExitRegister),
        Class::DATA_ABORT_LOWER | Class::INSTRUCTION_ABORT_LOWER => {
            match classify(abort(syndrome)) {
                Some(fault) => Exit::Memory(syndrome.access(fault)),
                None => Exit::Unknown,
            }
        }
        Class::STEP_LOWER => Exit::Step,
        Class::WAIT => Exit::Idle,
        _ => Exit::Unknown,
    }
}
