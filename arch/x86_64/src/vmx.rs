//! Intel's VMX.
//!
//! What the processor must have, and what is used where it is there, stands in `capability`; how the guest
//! and the host begin, in `guest` and `host`; the way in and out in `switch`. One VMCS is made, made current,
//! and stays so: with one guest on a CPU nothing is ever switched but guest and host.
//!
//! Under nested paging the guest runs unrestricted: protection and paging are its own from the first
//! instruction, and of its control registers only bits that VMX operation fixes, the caches and what CPUID
//! does not offer are guarded. Under shadow paging all of CR0 that paging depends on, all of CR4, CR3 and page
//! faults are the hypervisor's. There the exception bitmap and the mask and match of page-fault error codes
//! let faults on not-present pages go straight to the guest (Intel SDM vol. 3, "Exceptions", 26.2).
//!
//! Some processors cannot switch EFER at entries and exits. There its bits LME and LMA follow the entry, NXE
//! is always on, and SCE, which means nothing to the hypervisor, is kept as the guest wants it.

mod capability;
mod controls;
mod exit;
mod guest;
mod host;
mod operation;
mod switch;
mod vmcs;
pub mod vpid;

use core::arch::asm;

use hv_abi::pc;
use paging::addr::{Hpa, Level};
use paging::format::ept::Ept;
use paging::mem::Tag;
use x86_64::registers::control::{Cr0Flags, Cr2, Cr4Flags, Efer, EferFlags};
use x86_64::registers::debug::Dr6;
use x86_decode::Mode;

use crate::control::{CR0_FREE, Controls};
use crate::cpuid;
use crate::hardware::Field as Register;
use crate::hardware::{Delivery, Exceptions, Hardware, Lack, Paging, Reason, Registers};
use crate::tlb::{Flusher, NO_ROOT, TAGS};
use capability::{Capability, Fixed};
use controls::{Entry, Interruptibility, Primary, Secondary};
use exit::basic;
use guest::Rights;
use vmcs::{Field, Guest, Information};
use vpid::Kinds;

/// The guest's processor.
#[derive(Debug)]
pub struct Vmx {
    /// Where the VMCS has the hypervisor's stack.
    stack: u64,
    /// The exit reason.
    reason: u32,
    /// The primary controls in force.
    primary: Primary,
    /// The entry controls in force.
    entry: Entry,
    /// EFER, where entries and exits do not switch it.
    efer: Option<EferFlags>,
    /// What CR0 must hold.
    cr0: Fixed,
    /// Whether translations have VPIDs.
    vpid: bool,
    /// How translations are forgotten.
    flusher: Flusher,
}

/// Bits of the exception bitmap.
mod exceptions {
    pub(super) const DEBUG: u32 = 1 << 1;
    pub(super) const PAGE_FAULT: u32 = 1 << 14;
    pub(super) const ALIGNMENT_CHECK: u32 = 1 << 17;
    pub(super) const MACHINE_CHECK: u32 = 1 << 18;
    /// Those that a guest could raise without end in delivering them: they always exit.
    pub(super) const ALWAYS: u32 = DEBUG | ALIGNMENT_CHECK;
}

/// DR7: an access to a debug register raises a debug exception.
const DR7_GENERAL_DETECT: u64 = 1 << 13;

/// A page fault's error code: every entry on the way was present.
const PRESENT: u64 = 1 << 0;

/// The EPT pointer for the tables at `root`: 4 levels, cached as write-back memory.
const fn ept_pointer(root: Hpa) -> u64 {
    const WRITE_BACK: u64 = 6;
    const FOUR_LEVELS: u64 = 3 << 3;
    root.bits() | FOUR_LEVELS | WRITE_BACK
}

impl Vmx {
    /// Whether the processor has VMX at all.
    #[must_use]
    pub fn is_there() -> bool {
        capability::is_there()
    }

    /// Fills the control fields.
    ///
    /// # Safety
    ///
    /// The current VMCS is new. `pointer` names nested tables that lead to the guest's memory only, if any
    /// are to be used.
    unsafe fn fill_controls(&self, capability: &Capability, pointer: Option<u64>) {
        let controls = &capability.controls;
        let (cr0, cr4) = match pointer {
            Some(_) => {
                let caches = Cr0Flags::CACHE_DISABLE | Cr0Flags::NOT_WRITE_THROUGH;
                (self.cr0.ones | caches.bits(), !cpuid::cr4().bits())
            }
            None => (!CR0_FREE.bits(), u64::MAX),
        };
        let fields = [
            (Field::PinControls, controls.pin.into()),
            (Field::PrimaryControls, controls.primary.bits().into()),
            (Field::ExitControls, controls.exit.bits().into()),
            (Field::EntryControls, controls.entry.bits().into()),
            (Field::ExitMsrStoreCount, 0),
            (Field::ExitMsrLoadCount, 0),
            (Field::EntryMsrLoadCount, 0),
            (Field::Cr3TargetCount, 0),
            (Field::MsrBitmap, operation::msr_bitmap()),
            (Field::LinkPointer, u64::MAX),
            (Field::Cr0Mask, cr0),
            (Field::Cr4Mask, cr4),
            (Field::GuestCr3, 0),
        ];
        for (field, value) in fields {
            // SAFETY: the guest gets no port, no interrupt of the machine, and no MSR but those that the
            // hypervisor does not use; the bitmap is there for good.
            unsafe { field.write(value) };
        }
        if controls.primary.contains(Primary::ACTIVATE_SECONDARY_CONTROLS) {
            let secondary = controls.secondary.bits().into();
            // SAFETY: they turn on nested tables, if the caller has some, VPIDs, and instructions that
            // change nothing of the hypervisor's.
            unsafe { Field::SecondaryControls.write(secondary) };
        }
        if let Some(pointer) = pointer {
            // SAFETY: the caller's promise.
            unsafe { Field::EptPointer.write(pointer) };
        }
    }

    /// EFER as it is in force.
    fn efer(&self) -> EferFlags {
        self.efer.unwrap_or_else(|| EferFlags::from_bits_retain(Field::GuestEfer.read()))
    }

    /// Sets EFER.
    fn set_efer(&mut self, efer: EferFlags) {
        self.entry.set(Entry::IA_32E_MODE_GUEST, efer.contains(EferFlags::LONG_MODE_ACTIVE));
        // SAFETY: as in `set`: whether the guest is in IA-32e mode says how its tables are read.
        unsafe { Field::EntryControls.write(self.entry.bits().into()) };
        match &mut self.efer {
            None => {
                // SAFETY: the same; exits load the hypervisor's own.
                unsafe { Field::GuestEfer.write(efer.bits()) };
            }
            Some(kept) => {
                *kept = efer;
                let calls = EferFlags::SYSTEM_CALL_EXTENSIONS;
                let real = (Efer::read() - calls) | (efer & calls);
                // SAFETY: only SCE changes, and the hypervisor has no use for SYSCALL.
                unsafe { Efer::write(real) };
            }
        }
    }

    /// Sets RFLAGS.
    ///
    /// While STI or MOV SS holds events off, TF and the pending debug exceptions must agree (Intel SDM
    /// vol. 3, "Checks on Guest Non-Register State", 27.3.1.5). Whoever sets RFLAGS carries out an instruction
    /// or steps the guest, and then nothing is held off any more.
    fn set_flags(&mut self, value: u64) {
        if self.holds_interrupts() {
            self.release_interrupts();
            Guest::PendingDebug.write(0);
        }
        Guest::Rflags.write(value);
    }

    /// Translations belong to `tag` from now on.
    #[inline]
    fn set_tag(&self, tag: Tag) {
        if self.vpid {
            // SAFETY: the hypervisor's own translations have VPID 0, which is no tag's.
            unsafe { Field::Vpid.write(vpid::of(tag)) };
        }
    }
}

impl Hardware for Vmx {
    type Nested = Ept;
    const NAME: &'static str = "vmx";
    const CALL: u32 = pc::CALL_VMCALL;

    fn largest_leaf() -> Level {
        capability::largest_leaf()
    }

    fn new(paging: Paging, entry: u32) -> Result<Self, Lack> {
        let capability = capability::find(paging)?;
        let controls = &capability.controls;
        let pointer = match paging {
            Paging::Nested(root) => Some(ept_pointer(root)),
            Paging::Shadow => None,
        };
        let vpid = controls.secondary.contains(Secondary::ENABLE_VPID);
        let kinds = Kinds::new(capability.translation, vpid, pointer).ok_or(Lack::Control)?;
        operation::start(&capability)?;
        let mut vmx = Self {
            stack: 0,
            reason: 0,
            primary: controls.primary,
            entry: controls.entry,
            efer: (!controls.switch_efer()).then_some(EferFlags::empty()),
            cr0: capability.guest_cr0(),
            vpid,
            flusher: if vpid || pointer.is_some() { Flusher::Vpid(kinds) } else { Flusher::None },
        };
        // SAFETY: the VMCS is new, and the caller has made the nested tables for this guest.
        unsafe { vmx.fill_controls(&capability, pointer) };
        // SAFETY: the hypervisor has its map, segments and vectors before it makes a guest.
        unsafe { host::fill(controls.switch_efer()) };
        guest::fill(entry);
        let Controls { cr0, cr4, efer, .. } = Controls::PROTECTED;
        vmx.set(Register::Cr0, cr0.bits());
        vmx.set(Register::Cr0View, cr0.bits());
        vmx.set(Register::Cr4, cr4.bits());
        vmx.set(Register::Cr4View, cr4.bits());
        vmx.set_efer(efer);
        vmx.intercept(Exceptions::None);
        vmx.set_tag(NO_ROOT);
        // Whoever had the processor before may have used the same VPIDs and tables.
        (0..TAGS as u16).map(Tag).for_each(|tag| kinds.forget(tag));
        kinds.forget_nested();
        Ok(vmx)
    }

    #[inline(always)]
    fn get(&self, field: Register) -> u64 {
        match field {
            Register::Rip => Guest::Rip.read(),
            Register::Rsp => Guest::Rsp.read(),
            Register::Rflags => Guest::Rflags.read(),
            Register::Cr0 => Field::GuestCr0.read(),
            Register::Cr0View => Guest::Cr0View.read(),
            Register::Cr2 => Cr2::read_raw(),
            Register::Cr3 => Field::GuestCr3.read(),
            Register::Cr4 => Field::GuestCr4.read() & !Cr4Flags::VIRTUAL_MACHINE_EXTENSIONS.bits(),
            Register::Cr4View => Guest::Cr4View.read(),
            Register::Efer => self.efer().bits(),
            Register::Dr6 => Dr6::read_raw(),
            Register::Dr7 => Guest::Dr7.read(),
            Register::EsBase => Guest::EsBase.read(),
            Register::CsBase => Guest::CsBase.read(),
            Register::SsBase => Guest::SsBase.read(),
            Register::DsBase => Guest::DsBase.read(),
            Register::FsBase => Guest::FsBase.read(),
            Register::GsBase => Guest::GsBase.read(),
        }
    }

    #[inline(always)]
    fn set(&mut self, field: Register, value: u64) {
        match field {
            Register::Rip => Guest::Rip.write(value),
            Register::Rsp => Guest::Rsp.write(value),
            Register::Rflags => self.set_flags(value),
            Register::Cr0 => {
                let real = self.cr0.apply(value);
                // SAFETY: by the contract of `Hardware::set` the guest may have it: under shadow paging
                // it keeps paging and write protection on.
                unsafe { Field::GuestCr0.write(real) };
            }
            Register::Cr0View => Guest::Cr0View.write(value),
            Register::Cr2 => {
                // SAFETY: the hypervisor takes no page faults, so CR2 is the guest's.
                unsafe { asm!("mov cr2, {}", in(reg) value, options(nomem, nostack)) };
            }
            Register::Cr3 => {
                // SAFETY: by the contract of `Hardware::set` the tables are the hypervisor's under
                // shadow paging; under nested paging they reach the guest's memory only.
                unsafe { Field::GuestCr3.write(value) };
            }
            Register::Cr4 => {
                let real = value | Cr4Flags::VIRTUAL_MACHINE_EXTENSIONS.bits();
                // SAFETY: as for CR0.
                unsafe { Field::GuestCr4.write(real) };
            }
            Register::Cr4View => Guest::Cr4View.write(value),
            Register::Efer => self.set_efer(EferFlags::from_bits_retain(value)),
            Register::Dr6 => {
                // SAFETY: DR6 tells of debug exceptions, of which the hypervisor takes none.
                unsafe { asm!("mov dr6, {}", in(reg) value, options(nomem, nostack)) };
            }
            Register::Dr7 => Guest::Dr7.write(value),
            Register::EsBase => Guest::EsBase.write(value),
            Register::CsBase => Guest::CsBase.write(value),
            Register::SsBase => Guest::SsBase.write(value),
            Register::DsBase => Guest::DsBase.write(value),
            Register::FsBase => Guest::FsBase.write(value),
            Register::GsBase => Guest::GsBase.write(value),
        }
    }

    #[inline]
    fn privilege(&self) -> u8 {
        (Guest::SsRights.read() >> Rights::PRIVILEGE_SHIFT & 3) as u8
    }

    #[inline]
    fn mode(&self) -> Option<Mode> {
        let code = Rights::from_bits_retain(Guest::CsRights.read());
        if code.contains(Rights::LONG) && self.efer().contains(EferFlags::LONG_MODE_ACTIVE) {
            Some(Mode::Bits64)
        } else {
            code.contains(Rights::DEFAULT_BIG).then_some(Mode::Bits32)
        }
    }

    #[inline(always)]
    fn enter<const STAMPED: bool>(&mut self, registers: &mut Registers) -> u64 {
        // SAFETY: `new` has made the VMCS that is current on this CPU, with the state of the host; the
        // guest's memory is bounded by the tables that it was given since. An image has one probe.
        let (reason, stamp) = unsafe { switch::enter::<STAMPED>(registers, &mut self.stack) };
        self.reason = reason;
        stamp
    }

    #[inline(always)]
    fn reason(&self, registers: &Registers) -> Reason {
        exit::reason(self.reason, registers, || self.mode() != Some(Mode::Bits64))
    }

    #[inline]
    fn length(&self) -> Option<u64> {
        match self.reason {
            basic::EXCEPTION_OR_NMI | basic::EPT_VIOLATION => None,
            _ => Some(Information::InstructionLength.read()),
        }
    }

    fn shut_down(&mut self) {
        self.reason = basic::TRIPLE_FAULT;
    }

    #[inline(always)]
    fn interrupted(&self) -> Option<Delivery> {
        let info = Information::Vectoring.read() as u32;
        (info & Delivery::VALID != 0).then(|| exit::event(info, Information::VectoringErrorCode))
    }

    #[inline]
    fn inject(&mut self, event: Delivery) {
        if event.error().is_some() {
            Guest::EntryErrorCode.write(event.code.into());
        }
        if event.is_exception() && event.vector() == exit::vector::DEBUG {
            // Raising the exception would have cleared it; injecting it does not.
            Guest::Dr7.write(Guest::Dr7.read() & !DR7_GENERAL_DETECT);
        }
        if event.is_software() {
            Guest::EntryInstructionLength.write(Information::InstructionLength.read());
        }
        Guest::EntryInterruption.write(event.info.into());
    }

    #[inline]
    fn injection(&self) -> Option<Delivery> {
        let info = Guest::EntryInterruption.read() as u32;
        (info & Delivery::VALID != 0)
            .then(|| Delivery { info, code: Guest::EntryErrorCode.read() as u32 })
    }

    #[inline]
    fn holds_interrupts(&self) -> bool {
        Interruptibility::from_bits_retain(Guest::Interruptibility.read())
            .intersects(Interruptibility::BLOCKING)
    }

    #[inline]
    fn release_interrupts(&mut self) {
        let found = Interruptibility::from_bits_retain(Guest::Interruptibility.read());
        if found.intersects(Interruptibility::BLOCKING) {
            Guest::Interruptibility.write((found - Interruptibility::BLOCKING).bits());
        }
    }

    fn want_window(&mut self, wanted: bool) {
        if self.primary.contains(Primary::INTERRUPT_WINDOW_EXITING) != wanted {
            self.primary.set(Primary::INTERRUPT_WINDOW_EXITING, wanted);
            // SAFETY: one more or one less reason to leave the guest.
            unsafe { Field::PrimaryControls.write(self.primary.bits().into()) };
        }
    }

    /// A page fault exits if its error code is as the match says where the mask has ones, or, if the
    /// exception bitmap does not name page faults, if it is not.
    fn intercept(&mut self, which: Exceptions) {
        let (bitmap, code) = match which {
            Exceptions::None => (exceptions::ALWAYS, 0),
            Exceptions::PresentPageFaults => (exceptions::ALWAYS | exceptions::PAGE_FAULT, PRESENT),
            Exceptions::PageFaults => (exceptions::ALWAYS | exceptions::PAGE_FAULT, 0),
            Exceptions::All => (!exceptions::MACHINE_CHECK, 0),
        };
        let fields = [
            (Field::ExceptionBitmap, bitmap.into()),
            (Field::PageFaultMask, code),
            (Field::PageFaultMatch, code),
        ];
        for (field, value) in fields {
            // SAFETY: this says which faults the hypervisor hears of, not what faults.
            unsafe { field.write(value) };
        }
    }

    #[inline]
    fn load_root(&mut self, root: Hpa, low: u64, tag: Tag) {
        // SAFETY: by the contract of `Hardware` the tables are the hypervisor's, which lead to the
        // guest's memory only.
        unsafe { Field::GuestCr3.write(root.bits() | low) };
        self.set_tag(tag);
    }

    fn flusher(&self) -> Flusher {
        self.flusher
    }
}
