//! Control registers: what a guest may write to them, and what of it is in force.
//!
//! Under shadow paging the hardware never runs without paging and write protection, and never without
//! NX; the guest sees the registers as it wrote them. [`Controls`] is the guest's view; it says
//! which values a processor refuses, which kind of paging the guest has turned on, and what the real
//! registers have to hold meanwhile.
//!
//! Intel SDM vol. 3, "Control Registers" (2.5), "Paging Modes and Control Bits" (4.1).

use paging::addr::Gpa;
use paging::format::x64::Regime;
use x86_64::registers::control::{Cr0Flags, Cr4Flags, EferFlags};

use crate::cpuid;

/// DR6 as it reads after one kind of debug exception ("Debug Status Register (DR6)", 18.2.3).
pub mod debug_status {
    /// BS: a single step.
    pub const STEP: u64 = 1 << 14;
    /// The bits that read as 1.
    pub const ALWAYS: u64 = 0xffff_0ff0;
}

/// Bits of CR0 that are there; the lower half's others read as 0 whatever is written.
const CR0: Cr0Flags = Cr0Flags::all();
/// The bits of CR0 that a shadowed guest changes without the hypervisor, where the hardware tells bits
/// apart.
pub const CR0_FREE: Cr0Flags = Cr0Flags::MONITOR_COPROCESSOR
    .union(Cr0Flags::EMULATE_COPROCESSOR)
    .union(Cr0Flags::TASK_SWITCHED)
    .union(Cr0Flags::ALIGNMENT_MASK);
/// The bits of EFER that a guest may set, beside LMA, which it may write as it is.
const EFER: EferFlags = EferFlags::SYSTEM_CALL_EXTENSIONS
    .union(EferFlags::LONG_MODE_ENABLE)
    .union(EferFlags::NO_EXECUTE_ENABLE);
/// CR3's bit that, on writing, keeps the translations of the PCID.
const CR3_KEEP: u64 = 1 << 63;
/// CR3's PCID.
const CR3_PCID: u64 = 0xfff;
/// Bits of CR3 that mean something below the root's address: PWT and PCD.
const CR3_ADDRESS: u64 = !0xfff;
/// The bits of CR0 that LMSW loads.
const STATUS: u64 = 0xf;

/// A guest's registers as it reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controls {
    /// CR0.
    pub cr0: Cr0Flags,
    /// CR3.
    pub cr3: u64,
    /// CR4.
    pub cr4: Cr4Flags,
    /// EFER.
    pub efer: EferFlags,
}

/// The processor refuses a value: a general-protection fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// How a guest's addresses are translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagingMode {
    /// Not at all.
    Off,
    /// By 4-level tables.
    FourLevel,
    /// By the tables of 32-bit code, PAE or not.
    Other,
}

impl Controls {
    /// A processor in protected mode without paging.
    pub const PROTECTED: Self = Self {
        cr0: Cr0Flags::PROTECTED_MODE_ENABLE.union(Cr0Flags::EXTENSION_TYPE),
        cr3: 0,
        cr4: Cr4Flags::empty(),
        efer: EferFlags::empty(),
    };

    /// How addresses are translated.
    #[must_use]
    pub const fn paging(&self) -> PagingMode {
        if !self.cr0.contains(Cr0Flags::PAGING) {
            PagingMode::Off
        } else if self.efer.contains(EferFlags::LONG_MODE_ACTIVE) {
            PagingMode::FourLevel
        } else {
            PagingMode::Other
        }
    }

    /// The registers after a write of CR0.
    ///
    /// # Errors
    ///
    /// "MOV—Move to/from Control Registers" (SDM vol. 2).
    pub fn with_cr0(self, value: u64) -> Result<Self, Refused> {
        if value >> u32::BITS != 0 {
            return Err(Refused);
        }
        let cr0 = Cr0Flags::from_bits_truncate(value) & CR0 | Cr0Flags::EXTENSION_TYPE;
        let needs = |bit, other| !cr0.contains(bit) || cr0.contains(other);
        if !needs(Cr0Flags::PAGING, Cr0Flags::PROTECTED_MODE_ENABLE)
            || !needs(Cr0Flags::NOT_WRITE_THROUGH, Cr0Flags::CACHE_DISABLE)
        {
            return Err(Refused);
        }
        let mut efer = self.efer;
        let (was_on, on) = (self.cr0.contains(Cr0Flags::PAGING), cr0.contains(Cr0Flags::PAGING));
        if on && !was_on && efer.contains(EferFlags::LONG_MODE_ENABLE) {
            if !self.cr4.contains(Cr4Flags::PHYSICAL_ADDRESS_EXTENSION) {
                return Err(Refused);
            }
            efer |= EferFlags::LONG_MODE_ACTIVE;
        }
        if !on {
            if was_on && self.cr4.contains(Cr4Flags::PCID) {
                return Err(Refused);
            }
            efer -= EferFlags::LONG_MODE_ACTIVE;
        }
        Ok(Self { cr0, efer, ..self })
    }

    /// The value that LMSW makes of CR0: it cannot clear PE.
    #[must_use]
    pub const fn with_status(&self, status: u16) -> u64 {
        let kept = self.cr0.bits() & !(STATUS & !Cr0Flags::PROTECTED_MODE_ENABLE.bits());
        kept | status as u64 & STATUS
    }

    /// The registers after a write of CR3.
    ///
    /// # Errors
    ///
    /// The address has bits that the processor's addresses have not.
    pub fn with_cr3(self, value: u64) -> Result<Self, Refused> {
        let long = self.efer.contains(EferFlags::LONG_MODE_ACTIVE);
        let keeps = if self.cr4.contains(Cr4Flags::PCID) { CR3_KEEP } else { 0 };
        let cr3 = value & !keeps;
        if long && cr3 >> cpuid::physical_bits() != 0 {
            return Err(Refused);
        }
        Ok(Self { cr3, ..self })
    }

    /// The registers after a write of CR4.
    ///
    /// # Errors
    ///
    /// A bit that this guest's CPUID does not offer, or one that may not change in this mode.
    pub fn with_cr4(self, value: u64) -> Result<Self, Refused> {
        let Some(cr4) = Cr4Flags::from_bits(value) else { return Err(Refused) };
        let long = self.efer.contains(EferFlags::LONG_MODE_ACTIVE);
        let pae = cr4.contains(Cr4Flags::PHYSICAL_ADDRESS_EXTENSION);
        let tags = cr4.contains(Cr4Flags::PCID) && !self.cr4.contains(Cr4Flags::PCID);
        if !cpuid::cr4().contains(cr4)
            || long && !pae
            || tags && (!long || self.cr3 & CR3_PCID != 0)
        {
            return Err(Refused);
        }
        Ok(Self { cr4, ..self })
    }

    /// The registers after a write of EFER.
    ///
    /// # Errors
    ///
    /// A bit that is reserved for this guest, or long mode turned on or off while paging is on.
    pub fn with_efer(self, value: u64) -> Result<Self, Refused> {
        let Some(written) = EferFlags::from_bits(value) else { return Err(Refused) };
        let active = self.efer & EferFlags::LONG_MODE_ACTIVE;
        let efer = written - EferFlags::LONG_MODE_ACTIVE;
        let switches = (efer ^ self.efer).contains(EferFlags::LONG_MODE_ENABLE);
        if !EFER.contains(efer) || switches && self.cr0.contains(Cr0Flags::PAGING) {
            return Err(Refused);
        }
        Ok(Self { efer: efer | active, ..self })
    }

    /// What the registers say of 4-level tables.
    #[must_use]
    pub fn regime(&self) -> Regime {
        Regime {
            output_bits: cpuid::physical_bits(),
            execute_disable: self.efer.contains(EferFlags::NO_EXECUTE_ENABLE),
            gigabytes: cpuid::has_gigabyte_pages(),
            write_protect: self.cr0.contains(Cr0Flags::WRITE_PROTECT),
            supervisor_execute_protect: self
                .cr4
                .contains(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION),
        }
    }

    /// The root table.
    #[must_use]
    pub const fn root(&self) -> Gpa {
        Gpa::from_bits(self.cr3 & CR3_ADDRESS)
    }

    /// The bits of CR3 beside the root that the hardware is to see: the PCID, so that INVPCID is told
    /// of one that is in use.
    #[must_use]
    pub const fn tag(&self) -> u64 {
        if self.cr4.contains(Cr4Flags::PCID) { self.cr3 & CR3_PCID } else { 0 }
    }

    /// Whether page faults tell fetches from reads.
    #[must_use]
    pub const fn tells_fetches(&self) -> bool {
        self.efer.contains(EferFlags::NO_EXECUTE_ENABLE)
            || self.cr4.contains(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION)
    }

    /// CR0 as a shadow needs it: paging and write protection on, caches on.
    #[must_use]
    pub fn real_cr0(&self) -> Cr0Flags {
        let forced = Cr0Flags::PAGING | Cr0Flags::WRITE_PROTECT | Cr0Flags::NUMERIC_ERROR;
        let caches = Cr0Flags::CACHE_DISABLE | Cr0Flags::NOT_WRITE_THROUGH;
        (self.cr0 | forced) - caches
    }

    /// CR4 as a shadow needs it. While the guest's paging is off, tables of ours stand for no tables, and
    /// what CR4 adds to tables must not be there.
    #[must_use]
    pub fn real_cr4(&self) -> Cr4Flags {
        let of_tables = Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION
            | Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION
            | Cr4Flags::PCID;
        let kept = match self.paging() {
            PagingMode::FourLevel => self.cr4,
            PagingMode::Off | PagingMode::Other => self.cr4 - of_tables,
        };
        kept | Cr4Flags::PHYSICAL_ADDRESS_EXTENSION
    }

    /// EFER as a shadow needs it.
    #[must_use]
    pub fn real_efer(&self) -> EferFlags {
        let long = EferFlags::LONG_MODE_ENABLE | EferFlags::LONG_MODE_ACTIVE;
        let kept = match self.paging() {
            PagingMode::FourLevel => self.efer,
            PagingMode::Off | PagingMode::Other => self.efer - long,
        };
        kept | EferFlags::NO_EXECUTE_ENABLE
    }
}
