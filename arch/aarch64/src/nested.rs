//! Nested paging on Arm: stage 2.

use aarch64_cpu::registers::{Readable, SCTLR_EL1, TCR_EL1, TTBR0_EL1, TTBR1_EL1};
use arch::exit::{Exit, MemoryExit, Stop, Transfer};
use arch::{Mmu, Platform, Register};
use paging::addr::{Gpa, GuestPhys, Gva, Level};
use paging::fault::{Fault, GuestFault, Verdict};
use paging::format::vmsa_stage1::Stage1;
use paging::format::vmsa_stage2::Stage2;
use paging::layout::Layout;
use paging::mem::{Env, Memory, Tlb, World};
use paging::nested::{self, Nested};
use paging::tree::{MapError, Tools};
use paging::walk;
use probe::{Event, Probe};

use crate::exit::{self, Abort};
use crate::regime::{base, excluded, regime};
use crate::regs::{Sctlr, Tcr};
use crate::sysreg::{self, Access};
use crate::traps;
use crate::vcpu::Context;

/// The MMU of a guest whose layout is a stage 2 tree.
#[derive(Debug)]
pub struct NestedMmu {
    tree: Nested<Stage2>,
}

/// Under a nested tree an IPA is a guest-physical address. A table that stage 1's walk did not get
/// is missing.
pub(crate) fn classify(abort: Abort<GuestPhys>) -> Option<Fault> {
    match (abort.unmapped, abort.walk) {
        (true, true) => Some(Fault::Missing { at: abort.at }),
        (true, false) => Some(Fault::Device { at: abort.ipa }),
        (false, _) => None,
    }
}

/// What the guest's access meets whose tables are not in RAM: its own walk tells the level.
fn walk_fault<E: Env>(world: &mut World<'_, E>, at: Gva) -> GuestFault {
    let tcr = Tcr::from_bits_retain(TCR_EL1.get());
    let registers = regime(tcr, Sctlr::from_bits_retain(SCTLR_EL1.get()));
    let roots = [base(&registers, 0, TTBR0_EL1.get()), base(&registers, 1, TTBR1_EL1.get())];
    let span = world.probe.start();
    let found = walk::translate::<Stage1>(world.memory, &registers, roots, at);
    world.probe.stop(Event::GuestWalkTables, span);
    match found {
        Err(fault @ GuestFault::WalkAbort(_)) if !excluded(tcr) => fault,
        // Another granule, which is not walked here.
        _ => GuestFault::WalkAbort(Level::PAGE),
    }
}

impl NestedMmu {
    /// Maps the layout in leaves no larger than `largest` and puts the tree into place.
    ///
    /// # Errors
    ///
    /// See [`MapError`].
    pub fn new<M: Memory, T: Tlb<GuestPhys>>(
        tools: &mut Tools<'_, M, T>,
        layout: &Layout,
        largest: Level,
    ) -> Result<Self, MapError> {
        let tree = Nested::new(tools, layout, traps::STAGE2_TOP, largest)?;
        traps::common();
        traps::load_stage2(tools.memory.frame_of(tree.root()).start(), traps::VMID_FLAT);
        tools.tlb.flush(paging::mem::Stale::All);
        Ok(Self { tree })
    }

    /// The tree.
    #[must_use]
    pub const fn tree(&self) -> &Nested<Stage2> {
        &self.tree
    }
}

impl<P: Platform<Vcpu = Context>> Mmu<P> for NestedMmu {
    const NAME: &'static str = "nested";

    #[inline]
    fn exit(&mut self, _world: &mut World<'_, P::Env>, vcpu: &mut Context) -> Exit {
        exit::exit(vcpu, classify)
    }

    #[inline]
    fn fault(
        &mut self,
        world: &mut World<'_, P::Env>,
        _vcpu: &mut Context,
        exit: &MemoryExit,
        is_device: impl FnOnce(Gpa) -> bool,
    ) -> Result<Verdict, Stop> {
        if let Fault::Missing { at } = exit.fault {
            return Ok(Verdict::Reflect(walk_fault(world, at)));
        }
        Ok(nested::fault(world.probe, exit.fault, is_device))
    }

    fn store(
        &mut self,
        _world: &mut World<'_, P::Env>,
        _vcpu: &mut Context,
        _exit: &MemoryExit,
        _gpa: Gpa,
    ) -> Result<(), Stop> {
        Err(Stop::UnknownExit)
    }

    fn stepped(&mut self, _world: &mut World<'_, P::Env>, _vcpu: &mut Context) -> Result<(), Stop> {
        Err(Stop::UnknownExit)
    }

    fn register(
        &mut self,
        _world: &mut World<'_, P::Env>,
        vcpu: &mut Context,
    ) -> Result<Register, Stop> {
        let Some(access) = Access::current() else { return Ok(Register::Undefined) };
        Ok(sysreg::emulate(vcpu, access, false))
    }

    fn transfer(
        &mut self,
        _world: &mut World<'_, P::Env>,
        _vcpu: &mut Context,
        exit: &MemoryExit,
    ) -> Result<Transfer, Stop> {
        exit.transfer.ok_or(Stop::UndescribedAccess)
    }

    fn record_bytes(&self) -> usize {
        0
    }
}
