//! Nested paging on x86: EPT or NPT below page tables that are the guest's own.
//!
//! The guest owns CR0, CR3, its tables and its TLB. What leaves it are accesses to what is no RAM, and
//! writes of CR4 and EFER that reach for what its CPUID does not offer.

use arch::exit::{Exit, MemoryExit, Stop, Transfer};
use arch::{Mmu, Platform, Register};
use paging::addr::{Gpa, GuestPhys, Hpa, Level};
use paging::fault::{Fault, GuestFault, Verdict};
use paging::layout::Layout;
use paging::mem::{Env, Memory, Stale, Tlb, World};
use paging::nested::{self, Nested};
use paging::tree::{MapError, Tools};
use x86_64::registers::control::{Cr0Flags, Cr4Flags, EferFlags};

use crate::control::Controls;
use crate::fetch::GuestTables;
use crate::hardware::{Field, Hardware};
use crate::register::{self, Controlled};
use crate::tlb::GuestTlb;
use crate::vcpu::Context;

/// The MMU of a guest over nested tables.
#[derive(Debug)]
pub struct NestedMmu {
    root: Hpa,
}

impl NestedMmu {
    /// Makes the tree of `layout` in the format of `H`, with leaves no larger than `largest`.
    ///
    /// # Errors
    ///
    /// See [`MapError`].
    pub fn new<H: Hardware, M: Memory, T: Tlb<GuestPhys>>(
        tools: &mut Tools<'_, M, T>,
        layout: &Layout,
        largest: Level,
    ) -> Result<Self, MapError> {
        let nested: Nested<H::Nested> =
            Nested::new(tools, layout, Level::TOP, largest.min(H::largest_leaf()))?;
        Ok(Self { root: tools.memory.frame_of(nested.root()).start() })
    }

    /// Where the tree begins.
    #[must_use]
    pub const fn root(&self) -> Hpa {
        self.root
    }
}

/// The guest's registers, which are real, and what it reads in place of those that are not quite its own.
fn controls<H: Hardware>(vcpu: &Context<H>) -> Controls {
    let hardware = &vcpu.hardware;
    Controls {
        cr0: Cr0Flags::from_bits_truncate(hardware.get(Field::Cr0)),
        cr3: hardware.get(Field::Cr3),
        cr4: Cr4Flags::from_bits_truncate(hardware.get(Field::Cr4)),
        efer: EferFlags::from_bits_truncate(hardware.get(Field::Efer)),
    }
}

/// A guest's tables that are its own entirely.
struct Own;

impl<H: Hardware> GuestTables<H> for Own {
    #[inline(always)]
    fn controls(&self, vcpu: &Context<H>) -> Controls {
        controls(vcpu)
    }
}

impl<H: Hardware, E: Env<Tlb = GuestTlb>> Controlled<H, E> for NestedMmu {
    fn controls(&self, vcpu: &Context<H>) -> Controls {
        controls(vcpu)
    }

    fn adopt(
        &mut self,
        world: &mut World<'_, E>,
        vcpu: &mut Context<H>,
        controls: Controls,
    ) -> Result<(), Stop> {
        if controls != self::controls(vcpu) {
            // The processor would have emptied its TLB, of global translations too.
            Tlb::<GuestPhys>::flush(world.tlb, Stale::All);
        }
        let hardware = &mut vcpu.hardware;
        hardware.set(Field::Efer, controls.efer.bits());
        hardware.set(Field::Cr0, controls.cr0.bits());
        hardware.set(Field::Cr0View, controls.cr0.bits());
        hardware.set(Field::Cr3, controls.cr3);
        hardware.set(Field::Cr4, controls.cr4.bits());
        hardware.set(Field::Cr4View, controls.cr4.bits());
        vcpu.tells_fetches = controls.tells_fetches();
        Ok(())
    }
}

impl<H, P> Mmu<P> for NestedMmu
where
    H: Hardware,
    P: Platform<Vcpu = Context<H>, Env: Env<Tlb = GuestTlb>>,
{
    const NAME: &'static str = "nested";

    #[inline]
    fn exit(&mut self, world: &mut World<'_, P::Env>, vcpu: &mut Context<H>) -> Exit {
        vcpu.exit(world, &Own)
    }

    fn fault(
        &mut self,
        world: &mut World<'_, P::Env>,
        _vcpu: &mut Context<H>,
        exit: &MemoryExit,
        _is_device: impl FnOnce(Gpa) -> bool,
    ) -> Result<Verdict, Stop> {
        if let Fault::Page { .. } = exit.fault {
            return Ok(Verdict::Reflect(GuestFault::WalkAbort(Level::PAGE)));
        }
        // A PC's bus answers everywhere, with all ones if nobody does.
        Ok(nested::fault(world.probe, exit.fault, |_| true))
    }

    fn store(
        &mut self,
        _world: &mut World<'_, P::Env>,
        _vcpu: &mut Context<H>,
        _exit: &MemoryExit,
        _gpa: Gpa,
    ) -> Result<(), Stop> {
        Err(Stop::UnknownExit)
    }

    fn stepped(
        &mut self,
        _world: &mut World<'_, P::Env>,
        _vcpu: &mut Context<H>,
    ) -> Result<(), Stop> {
        Err(Stop::UnknownExit)
    }

    fn register(
        &mut self,
        world: &mut World<'_, P::Env>,
        vcpu: &mut Context<H>,
    ) -> Result<Register, Stop> {
        register::emulate(self, world, vcpu)
    }

    fn transfer(
        &mut self,
        world: &mut World<'_, P::Env>,
        vcpu: &mut Context<H>,
        _exit: &MemoryExit,
    ) -> Result<Transfer, Stop> {
        vcpu.transfer_at_hand(world, &Own).ok_or(Stop::UndescribedAccess)
    }

    fn record_bytes(&self) -> usize {
        0
    }
}
