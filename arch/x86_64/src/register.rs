//! Registers and instructions that are not the guest's own: what both ways to virtualize the MMU do
//! about them alike.

use arch::Register;
use arch::exit::Stop;
use hv_abi::pc;
use paging::mem::{Env, World};
use x86_64::registers::control::{Cr0Flags, Cr4Flags};
use x86_decode::{Mode, number};

use crate::control::{Controls, PagingMode};
use crate::cpuid;
use crate::hardware::{ControlAccess, Field, Hardware, Reason};
use crate::msr;
use crate::regs;
use crate::vcpu::Context;

/// What a paging mode makes of a guest's control registers.
pub(crate) trait Controlled<H: Hardware, E: Env> {
    /// The registers as the guest reads them.
    fn controls(&self, vcpu: &Context<H>) -> Controls;

    /// The guest writes `value` to CR3. Returns whether it may.
    ///
    /// # Errors
    ///
    /// The reason for which the guest has to be stopped.
    fn load_root(
        &mut self,
        world: &mut World<'_, E>,
        vcpu: &mut Context<H>,
        value: u64,
    ) -> Result<bool, Stop> {
        let Ok(controls) = self.controls(vcpu).with_cr3(value) else { return Ok(false) };
        self.adopt(world, vcpu, controls)?;
        Ok(true)
    }

    /// The guest's registers are `controls` from now on, which a processor may hold.
    ///
    /// # Errors
    ///
    /// The reason for which the guest has to be stopped.
    fn adopt(
        &mut self,
        world: &mut World<'_, E>,
        vcpu: &mut Context<H>,
        controls: Controls,
    ) -> Result<(), Stop>;
}

/// Does what the instruction at hand asks of a register or of the processor.
///
/// # Errors
///
/// The reason for which the guest has to be stopped.
#[inline]
pub(crate) fn emulate<H: Hardware, E: Env>(
    mode: &mut impl Controlled<H, E>,
    world: &mut World<'_, E>,
    vcpu: &mut Context<H>,
) -> Result<Register, Stop> {
    match vcpu.reason {
        Reason::Cpuid => {
            let leaf = vcpu.register(number::RAX) as u32;
            if leaf == pc::LEAF_NAME {
                // What is asked most: the cheapest exit that there is.
                set_answer(vcpu, cpuid::NAME);
            } else {
                let cr4 = mode.controls(vcpu).cr4;
                identify(vcpu, leaf, cr4);
            }
            Ok(Register::Done)
        }
        Reason::Control(Some(ControlAccess::Read { control: 2, register })) => {
            let value = vcpu.hardware.get(Field::Cr2);
            vcpu.set_register(register, value);
            Ok(Register::Done)
        }
        Reason::Control(Some(ControlAccess::Write { control: 3, value })) => {
            let allowed = mode.load_root(&mut world.lend(), vcpu, value)?;
            Ok(done(vcpu, allowed))
        }
        _ => emulate_other(mode, &mut world.lend(), vcpu),
    }
}

/// What came of an instruction that is refused unless it is `allowed`.
#[inline(always)]
fn done<H: Hardware>(vcpu: &mut Context<H>, allowed: bool) -> Register {
    if allowed {
        return Register::Done;
    }
    vcpu.refuse();
    Register::Refused
}

/// The same for whatever is not asked at every turn.
#[inline(never)]
fn emulate_other<H: Hardware, E: Env>(
    mode: &mut impl Controlled<H, E>,
    world: &mut World<'_, E>,
    vcpu: &mut Context<H>,
) -> Result<Register, Stop> {
    let allowed = match vcpu.reason {
        Reason::ReadMsr => read_msr(vcpu, &mode.controls(vcpu)),
        Reason::WriteMsr => write_msr(mode, world, vcpu)?,
        Reason::Control(Some(ControlAccess::Read { control: 8, register })) => {
            return Ok(Register::ReadPriority(register));
        }
        Reason::Control(Some(ControlAccess::Write { control: 8, value: value @ ..=0xf })) => {
            return Ok(Register::WritePriority(value as u8));
        }
        Reason::Control(Some(access)) => control(mode, world, vcpu, access)?,
        Reason::Xsetbv => {
            let enabled = mode.controls(vcpu).cr4.contains(Cr4Flags::OSXSAVE);
            if !enabled {
                return Ok(Register::Undefined);
            }
            set_extended_control(vcpu)
        }
        Reason::Debug(status) => {
            vcpu.debug(status);
            return Ok(Register::Refused);
        }
        Reason::Exception(event) => {
            vcpu.deliver(event);
            return Ok(Register::Refused);
        }
        Reason::Undefined => return Ok(Register::Undefined),
        Reason::Mode => return Err(Stop::ProcessorMode),
        Reason::Ignored => true,
        Reason::NonMaskable => return Ok(Register::Refused),
        _ => false,
    };
    Ok(done(vcpu, allowed))
}

/// CPUID.
#[inline(never)]
fn identify<H: Hardware>(vcpu: &mut Context<H>, leaf: u32, cr4: Cr4Flags) {
    let subleaf = vcpu.register(number::RCX) as u32;
    set_answer(vcpu, cpuid::answer(leaf, subleaf, cr4, H::CALL));
}

/// Puts what CPUID answers into the registers that take it.
#[inline(always)]
fn set_answer<H: Hardware>(vcpu: &mut Context<H>, [eax, ebx, ecx, edx]: cpuid::Answer) {
    vcpu.set_register(number::RAX, u64::from(eax));
    vcpu.set_register(number::RBX, u64::from(ebx));
    vcpu.set_register(number::RCX, u64::from(ecx));
    vcpu.set_register(number::RDX, u64::from(edx));
}

/// RDMSR. Returns whether the guest may.
fn read_msr<H: Hardware>(vcpu: &mut Context<H>, controls: &Controls) -> bool {
    let register = vcpu.register(number::RCX) as u32;
    let value = match register {
        msr::EFER => Some(controls.efer.bits()),
        msr::PAT => Some(vcpu.hardware.pat()),
        _ => msr::read(register),
    };
    if let Some(value) = value {
        vcpu.set_pair(value);
    }
    value.is_some()
}

/// WRMSR. Returns whether the guest may.
fn write_msr<H: Hardware, E: Env>(
    mode: &mut impl Controlled<H, E>,
    world: &mut World<'_, E>,
    vcpu: &mut Context<H>,
) -> Result<bool, Stop> {
    let (register, value) = (vcpu.register(number::RCX) as u32, vcpu.pair());
    if register == msr::PAT {
        vcpu.hardware.set_pat(value);
        return Ok(regs::is_pat(value));
    }
    if register != msr::EFER {
        return Ok(msr::write(register, value));
    }
    let Ok(controls) = mode.controls(vcpu).with_efer(value) else { return Ok(false) };
    mode.adopt(world, vcpu, controls)?;
    Ok(true)
}

/// XSETBV. Returns whether the guest may. QEMU leaves a guest before it has checked the privilege.
fn set_extended_control<H: Hardware>(vcpu: &Context<H>) -> bool {
    let value = vcpu.pair();
    if vcpu.hardware.privilege() != 0
        || vcpu.register(number::RCX) as u32 != 0
        || !cpuid::is_extended_control(value)
    {
        return false;
    }
    // SAFETY: the guest could set CR4.OSXSAVE, so the processor has XSAVE, and start-up has set the
    // hypervisor's own. The guest's CPUID offers a part of the machine's components, `is_extended_control` has
    // checked how they go together, and the hypervisor is compiled to use none of them.
    unsafe { regs::set_extended_control(value) };
    true
}

/// An access to a control register. Returns whether the guest may.
fn control<H: Hardware, E: Env>(
    mode: &mut impl Controlled<H, E>,
    world: &mut World<'_, E>,
    vcpu: &mut Context<H>,
    access: ControlAccess,
) -> Result<bool, Stop> {
    let before = mode.controls(vcpu);
    let written = match access {
        ControlAccess::Read { control, register } => {
            let value = match control {
                0 => before.cr0.bits(),
                3 => before.cr3,
                4 => before.cr4.bits(),
                _ => return Ok(false),
            };
            vcpu.set_register(register, value);
            return Ok(true);
        }
        ControlAccess::StoreStatus(to) => {
            let whole = vcpu.register(to.number);
            vcpu.set_register(to.number, to.merged(whole, before.cr0.bits()));
            return Ok(true);
        }
        ControlAccess::Write { control: 2, value } => {
            vcpu.hardware.set(Field::Cr2, value);
            return Ok(true);
        }
        ControlAccess::Write { control: 0, value } => before.with_cr0(value),
        ControlAccess::Write { control: 4, value } => before.with_cr4(value),
        ControlAccess::Write { .. } => return Ok(false),
        ControlAccess::ClearTaskSwitched => {
            before.with_cr0((before.cr0 - Cr0Flags::TASK_SWITCHED).bits())
        }
        ControlAccess::LoadStatus(status) => before.with_cr0(before.with_status(status)),
    };
    let Ok(after) = written else { return Ok(false) };
    let leaves = before.paging() != PagingMode::Off && after.paging() == PagingMode::Off;
    if leaves && vcpu.hardware.mode() == Some(Mode::Bits64) {
        return Ok(false);
    }
    mode.adopt(world, vcpu, after)?;
    Ok(true)
}
