//! What this processor's VMX can do, as its capability MSRs say.
//!
//! Intel SDM vol. 3, appendix A, "VMX Capability Reporting Facility".

use paging::addr::Level;
use raw_cpuid::CpuId;
use x86_64::registers::control::Cr0Flags;
use x86_64::registers::model_specific::Msr;

use super::controls::{Entry, Exit, Pin, Primary, Secondary};
use crate::hardware::{Lack, Paging};

/// The MSRs, in the manual's names without IA32_.
mod msr {
    pub(super) const FEATURE_CONTROL: u32 = 0x3a;
    pub(super) const VMX_BASIC: u32 = 0x480;
    pub(super) const VMX_PINBASED_CTLS: u32 = 0x481;
    pub(super) const VMX_PROCBASED_CTLS: u32 = 0x482;
    pub(super) const VMX_EXIT_CTLS: u32 = 0x483;
    pub(super) const VMX_ENTRY_CTLS: u32 = 0x484;
    pub(super) const VMX_CR0_FIXED0: u32 = 0x486;
    pub(super) const VMX_CR0_FIXED1: u32 = 0x487;
    pub(super) const VMX_CR4_FIXED0: u32 = 0x488;
    pub(super) const VMX_CR4_FIXED1: u32 = 0x489;
    pub(super) const VMX_PROCBASED_CTLS2: u32 = 0x48b;
    pub(super) const VMX_EPT_VPID_CAP: u32 = 0x48c;
    pub(super) const VMX_TRUE_PINBASED_CTLS: u32 = 0x48d;
    pub(super) const VMX_TRUE_PROCBASED_CTLS: u32 = 0x48e;
    pub(super) const VMX_TRUE_EXIT_CTLS: u32 = 0x48f;
    pub(super) const VMX_TRUE_ENTRY_CTLS: u32 = 0x490;
}

/// IA32_FEATURE_CONTROL: until the next reset nobody changes it.
const LOCKED: u64 = 1 << 0;
/// IA32_FEATURE_CONTROL: VMXON is allowed outside SMX.
const VMXON_OUTSIDE_SMX: u64 = 1 << 2;

/// IA32_VMX_BASIC: the revision of the VMCS.
const REVISION: u64 = 0x7fff_ffff;
/// IA32_VMX_BASIC: the MSRs in whose names is TRUE are there.
const HAS_TRUE_CONTROLS: u64 = 1 << 55;

bitflags::bitflags! {
    /// IA32_VMX_EPT_VPID_CAP, as far as it is used here.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Translation: u64 {
        const PAGE_WALK_4 = 1 << 6;
        const WRITE_BACK = 1 << 14;
        const LEAVES_2M = 1 << 16;
        const LEAVES_1G = 1 << 17;
        const INVEPT = 1 << 20;
        const INVEPT_SINGLE = 1 << 25;
        const INVEPT_ALL = 1 << 26;
        const INVVPID = 1 << 32;
        const INVVPID_ADDRESS = 1 << 40;
        const INVVPID_SINGLE = 1 << 41;
        const INVVPID_ALL = 1 << 42;
    }
}

/// Bits of a control register that VMX operation fixes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fixed {
    /// Those that must be 1.
    pub(super) ones: u64,
    /// Those that may be 1.
    pub(super) allowed: u64,
}

impl Fixed {
    /// The nearest value that VMX operation allows.
    pub(super) const fn apply(self, value: u64) -> u64 {
        (value | self.ones) & self.allowed
    }
}

/// The controls with which the guest runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Controls {
    pub(super) pin: u32,
    pub(super) primary: Primary,
    pub(super) secondary: Secondary,
    pub(super) exit: Exit,
    pub(super) entry: Entry,
}

/// What the processor offers, of what is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capability {
    /// What a VMCS begins with.
    pub(super) revision: u32,
    /// CR0 in VMX operation.
    pub(super) cr0: Fixed,
    /// CR4 in VMX operation.
    pub(super) cr4: Fixed,
    /// How translations are forgotten.
    pub(super) translation: Translation,
    /// The controls.
    pub(super) controls: Controls,
}

impl Capability {
    /// What a guest's CR0 must hold: protection and paging may be off if it is unrestricted.
    pub(super) fn guest_cr0(&self) -> Fixed {
        let mut fixed = self.cr0;
        if self.controls.secondary.contains(Secondary::UNRESTRICTED_GUEST) {
            fixed.ones &= !(Cr0Flags::PROTECTED_MODE_ENABLE | Cr0Flags::PAGING).bits();
        }
        fixed
    }
}

impl Controls {
    /// Whether exits and entries switch EFER.
    pub(super) const fn switch_efer(&self) -> bool {
        self.entry.contains(Entry::LOAD_EFER)
            && self.exit.contains(Exit::LOAD_EFER.union(Exit::SAVE_EFER))
    }
}

fn read(msr: u32) -> u64 {
    // SAFETY: by the callers the processor has VMX and with it the MSRs of this file; reading them
    // changes nothing.
    unsafe { Msr::new(msr).read() }
}

/// Makes firmware's answer final if it gave none, and tells whether VMXON is allowed.
fn unlock() -> Result<(), Lack> {
    let found = read(msr::FEATURE_CONTROL);
    if found & LOCKED != 0 {
        return if found & VMXON_OUTSIDE_SMX != 0 { Ok(()) } else { Err(Lack::LockedOff) };
    }
    let allowed = found | LOCKED | VMXON_OUTSIDE_SMX;
    // SAFETY: it is not locked, and the bits only allow what is about to happen.
    unsafe { Msr::new(msr::FEATURE_CONTROL).write(allowed) };
    Ok(())
}

/// The controls of one field that the processor allows.
#[derive(Clone, Copy, Debug)]
struct Allowed {
    /// Those that must be 1.
    ones: u32,
    /// Those that may be 1.
    allowed: u32,
}

impl Allowed {
    fn of(msr: u32) -> Self {
        let value = read(msr);
        Self { ones: value as u32, allowed: (value >> u32::BITS) as u32 }
    }

    /// The field with what is `required` and, where the processor has it, what is `welcome`. What neither
    /// names is off unless it must be on.
    const fn choose(self, required: u32, welcome: u32) -> Result<u32, Lack> {
        if required & !self.allowed != 0 {
            return Err(Lack::Control);
        }
        Ok(required | welcome & self.allowed | self.ones)
    }
}

/// Whether the processor has VMX at all.
pub(super) fn is_there() -> bool {
    CpuId::new().get_feature_info().is_some_and(|features| features.has_vmx())
}

/// Finds out what this processor offers to a guest whose MMU is virtualized by `paging`.
pub(super) fn find(paging: Paging) -> Result<Capability, Lack> {
    if !is_there() {
        return Err(Lack::Virtualization);
    }
    unlock()?;
    let basic = read(msr::VMX_BASIC);
    let nested = matches!(paging, Paging::Nested(_));
    let controls = controls(basic & HAS_TRUE_CONTROLS != 0, nested)?;
    let has_more = Secondary::ENABLE_EPT.union(Secondary::ENABLE_VPID);
    let translation = if controls.secondary.intersects(has_more) {
        Translation::from_bits_truncate(read(msr::VMX_EPT_VPID_CAP))
    } else {
        Translation::empty()
    };
    if nested && !translation.contains(Translation::PAGE_WALK_4.union(Translation::WRITE_BACK)) {
        return Err(Lack::NestedPaging);
    }
    let fixed = |ones, allowed| Fixed { ones: read(ones), allowed: read(allowed) };
    Ok(Capability {
        revision: (basic & REVISION) as u32,
        cr0: fixed(msr::VMX_CR0_FIXED0, msr::VMX_CR0_FIXED1),
        cr4: fixed(msr::VMX_CR4_FIXED0, msr::VMX_CR4_FIXED1),
        translation,
        controls,
    })
}

/// The largest leaf that EPT may have; pages where there is no EPT.
pub(super) fn largest_leaf() -> Level {
    let more = Primary::ACTIVATE_SECONDARY_CONTROLS.bits();
    let has_ept = is_there()
        && Allowed::of(msr::VMX_PROCBASED_CTLS).allowed & more != 0
        && Allowed::of(msr::VMX_PROCBASED_CTLS2).allowed & Secondary::ENABLE_EPT.bits() != 0;
    if !has_ept {
        return Level::PAGE;
    }
    let offered = Translation::from_bits_truncate(read(msr::VMX_EPT_VPID_CAP));
    if offered.contains(Translation::LEAVES_1G) {
        Level::BLOCK_1G
    } else if offered.contains(Translation::LEAVES_2M) {
        Level::BLOCK_2M
    } else {
        Level::PAGE
    }
}

/// Chooses the controls. `exact`: the processor tells which of those that were once always on may be off.
fn controls(exact: bool, nested: bool) -> Result<Controls, Lack> {
    let of = |plain, exactly| Allowed::of(if exact { exactly } else { plain });
    let pin = of(msr::VMX_PINBASED_CTLS, msr::VMX_TRUE_PINBASED_CTLS)
        .choose((Pin::EXTERNAL_INTERRUPT_EXITING | Pin::NMI_EXITING).bits(), 0)?;
    let cr3 = Primary::CR3_LOAD_EXITING | Primary::CR3_STORE_EXITING;
    let mut required = Primary::HLT_EXITING
        | Primary::MWAIT_EXITING
        | Primary::MONITOR_EXITING
        | Primary::RDPMC_EXITING
        | Primary::CR8_LOAD_EXITING
        | Primary::CR8_STORE_EXITING
        | Primary::UNCONDITIONAL_IO_EXITING
        | Primary::USE_MSR_BITMAPS;
    required.set(cr3, !nested);
    let welcome = Primary::ACTIVATE_SECONDARY_CONTROLS.bits();
    let offered = of(msr::VMX_PROCBASED_CTLS, msr::VMX_TRUE_PROCBASED_CTLS);
    let primary = Primary::from_bits_retain(offered.choose(required.bits(), welcome)?);
    let secondary = if primary.contains(Primary::ACTIVATE_SECONDARY_CONTROLS) {
        secondary(nested)?
    } else if nested {
        return Err(Lack::NestedPaging);
    } else {
        Secondary::empty()
    };
    if nested && primary.intersects(cr3) {
        return Err(Lack::Control);
    }
    let exit = of(msr::VMX_EXIT_CTLS, msr::VMX_TRUE_EXIT_CTLS).choose(
        (Exit::HOST_ADDRESS_SPACE_SIZE | Exit::SAVE_DEBUG_CONTROLS).bits(),
        (Exit::SAVE_EFER | Exit::LOAD_EFER).bits(),
    )?;
    let entry = of(msr::VMX_ENTRY_CTLS, msr::VMX_TRUE_ENTRY_CTLS)
        .choose(Entry::LOAD_DEBUG_CONTROLS.bits(), Entry::LOAD_EFER.bits())?;
    let controls = Controls {
        pin,
        primary,
        secondary,
        exit: Exit::from_bits_retain(exit),
        entry: Entry::from_bits_retain(entry),
    };
    if nested && !controls.switch_efer() {
        return Err(Lack::Control);
    }
    Ok(controls)
}

/// Chooses the secondary controls.
fn secondary(nested: bool) -> Result<Secondary, Lack> {
    let offered = Allowed::of(msr::VMX_PROCBASED_CTLS2);
    let mut required = Secondary::empty();
    if nested {
        let found = Secondary::from_bits_truncate(offered.allowed);
        if !found.contains(Secondary::ENABLE_EPT) {
            return Err(Lack::NestedPaging);
        }
        if !found.contains(Secondary::UNRESTRICTED_GUEST) {
            return Err(Lack::UnrestrictedGuest);
        }
        required = Secondary::ENABLE_EPT | Secondary::UNRESTRICTED_GUEST;
    }
    let welcome = Secondary::ENABLE_RDTSCP | Secondary::ENABLE_VPID | Secondary::ENABLE_INVPCID;
    offered.choose(required.bits(), welcome.bits()).map(Secondary::from_bits_retain)
}
