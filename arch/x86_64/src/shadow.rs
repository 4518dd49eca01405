//! Shadow paging on x86: shadow tables in the real CR3, and no table of the hardware's below.
//!
//! The guest's CR0, CR3, CR4 and EFER are [`Controls`]; the real ones always page, protect supervisor
//! writes and know NX. Its INVLPG and INVPCID are its own: the TLB never holds what the shadow does not give, so
//! they find nothing that they must find.
//!
//! While the guest's paging is off, PAE tables of ours map its RAM one to one, which is what a
//! processor without paging does, as far as RAM reaches. Nothing is shadowed meanwhile, because the guest
//! may write to its tables unseen.

use arch::exit::{Exit, MemoryExit, Stop, Transfer};
use arch::{Mmu, Platform, Register, Vcpu};
use paging::addr::{Gpa, GuestPhys, Gva, Hpa, Index, Level, PAGE_SIZE};
use paging::fault::{Fault, Verdict};
use paging::format::x64::{X64, pae_pointer};
use paging::layout::Layout;
use paging::mem::{Entries, Env, Memory, Tlb, World};
use paging::nested::Nested;
use paging::pool::Pool;
use paging::shadow::{Capacity, Changes, HardwareRoots, MOST_CONTEXTS, Shadow};
use paging::switch::{Switch, Switches};
use paging::tree::{MapError, Tools};
use probe::{Event, Probe};
use x86_64::registers::control::Cr0Flags;
use x86_64::registers::rflags::RFlags;

use crate::control::{Controls, PagingMode};
use crate::fetch::GuestTables;
use crate::hardware::{Exceptions, Field, Hardware, Reason};
use crate::register::{self, Controlled};
use crate::store;
use crate::tlb::{GuestTlb, NO_ROOT};
use crate::vcpu::{Context, USER};

/// Entries of the table at the top of PAE paging, one for each GiB.
const PAE_ENTRIES: u32 = 4;

/// A step that the guest makes on behalf of the hypervisor.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Whether the guest itself steps.
    traps: bool,
    /// Whether write protection is off for supervisor software meanwhile.
    unprotected: bool,
}

/// The MMU of a shadowed guest.
#[derive(Debug)]
pub struct ShadowMmu<C> {
    pub(crate) shadow: Shadow<X64, X64, C>,
    /// The PAE tables for a guest whose paging is off.
    flat: Hpa,
    /// The registers as the guest reads them.
    controls: Controls,
    step: Option<Step>,
}

impl<C: Switches> ShadowMmu<C> {
    /// Makes the shadow of a guest whose paging is off, by the steps of `switches`.
    ///
    /// # Errors
    ///
    /// See [`MapError`].
    pub fn new<M: Memory, T: Tlb<GuestPhys>>(
        memory: &M,
        pool: &mut Pool,
        tlb: &mut T,
        layout: &Layout,
        largest: Level,
        switches: C,
    ) -> Result<Self, MapError> {
        let tools = &mut Tools { memory, pool, tlb };
        let flat: Nested<X64> = Nested::new(tools, layout, Level::BLOCK_1G, Level::BLOCK_2M)?;
        let root = memory.table(flat.root());
        for entry in (0..PAE_ENTRIES).map(Index::wrapping) {
            root.set(entry, pae_pointer(root.get(entry)));
        }
        let flat = memory.frame_of(flat.root()).start();
        if flat.bits() >> u32::BITS != 0 {
            return Err(MapError::Misaligned);
        }
        let controls = Controls::PROTECTED;
        let capacity = Capacity { frames: pool.size(), contexts: MOST_CONTEXTS };
        let shadow = Shadow::new(*layout, largest, controls.regime(), capacity, switches)?;
        Ok(Self { shadow, flat, controls, step: None })
    }

    /// Puts what the guest begins with into `vcpu`.
    pub fn start<H: Hardware>(&self, tlb: &mut GuestTlb, vcpu: &mut Context<H>) {
        self.leave(tlb, vcpu);
        self.put_registers(vcpu);
    }

    /// The guest's paging is off from now on.
    fn leave<H: Hardware>(&self, tlb: &mut GuestTlb, vcpu: &mut Context<H>) {
        vcpu.hardware.load_root(self.flat, 0, NO_ROOT);
        tlb.switch(NO_ROOT);
    }

    /// The root of the guest's tables is shadowed by `roots`.
    #[inline]
    fn load<H: Hardware>(&self, roots: &HardwareRoots, tlb: &mut GuestTlb, vcpu: &mut Context<H>) {
        vcpu.hardware.load_root(roots.tables[0], self.controls.tag(), roots.tag);
        tlb.switch(roots.tag);
    }

    /// Makes the registers that are in force, and those that are read, fit [`Controls`].
    fn put_registers<H: Hardware>(&self, vcpu: &mut Context<H>) {
        let controls = &self.controls;
        let hardware = &mut vcpu.hardware;
        hardware.set(Field::Efer, controls.real_efer().bits());
        hardware.set(Field::Cr0, controls.real_cr0().bits());
        hardware.set(Field::Cr0View, controls.cr0.bits());
        hardware.set(Field::Cr4, controls.real_cr4().bits());
        hardware.set(Field::Cr4View, controls.cr4.bits());
        hardware.intercept(self.exceptions());
        vcpu.tells_fetches = controls.tells_fetches();
    }

    /// The exceptions that leave the guest as things stand. A fault that does not leave it tells a fetch,
    /// since NX is always on in force; a guest that has not turned it on must not be told.
    fn exceptions(&self) -> Exceptions {
        let native = self.shadow.switches().has(Switch::NativeFaults);
        match self.controls.paging() {
            PagingMode::FourLevel if native && self.controls.tells_fetches() => {
                Exceptions::PresentPageFaults
            }
            _ => Exceptions::PageFaults,
        }
    }

    /// Lets the guest carry out the store at hand itself, in one step for which the table is open.
    fn begin_step<H: Hardware, E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        vcpu: &mut Context<H>,
        at: Gva,
        gpa: Gpa,
    ) -> Result<(), Stop> {
        if !self.shadow.open(world, at, gpa, PAGE_SIZE)? {
            return Err(Stop::TooManyTables);
        }
        world.probe.count(Event::Stepped, 1);
        let protects = self.controls.cr0.contains(Cr0Flags::WRITE_PROTECT);
        if self.step.is_none() {
            let traps = vcpu.flags().contains(RFlags::TRAP_FLAG);
            let unprotected = !protects && vcpu.hardware.privilege() != USER;
            self.step = Some(Step { traps, unprotected });
            vcpu.begin_step();
            vcpu.hardware.intercept(Exceptions::All);
            if unprotected {
                self.open_beside(world, at)?;
                let cr0 = self.controls.real_cr0() - Cr0Flags::WRITE_PROTECT;
                vcpu.hardware.set(Field::Cr0, cr0.bits());
            }
        }
        Ok(())
    }

    /// Opens the tables in the pages before and behind `at` too. Without write protection a store that goes
    /// on there does not exit. No instruction stores as much as a page.
    fn open_beside<E: Env>(&mut self, world: &mut World<'_, E>, at: Gva) -> Result<(), Stop> {
        for distance in [PAGE_SIZE.wrapping_neg(), PAGE_SIZE] {
            let beside = Gva::from_bits(at.bits().wrapping_add(distance));
            if let Ok(found) = self.shadow.translate(world, beside)
                && !self.shadow.open(world, beside, found.gpa, PAGE_SIZE)?
            {
                return Err(Stop::TooManyTables);
            }
        }
        Ok(())
    }

    /// Ends the step at hand if the guest was left for something that came before it; it is begun anew.
    #[cold]
    #[inline(never)]
    fn interrupt_step<H: Hardware, E: Env<Tlb = GuestTlb>>(
        &mut self,
        world: &mut World<'_, E>,
        vcpu: &mut Context<H>,
    ) -> Result<(), Stop> {
        let reason = vcpu.hardware.reason(vcpu.registers());
        if matches!(reason, Reason::Debug(_) | Reason::PageFault { .. }) {
            return Ok(());
        }
        self.end_step(world, vcpu, false)
    }

    /// Carries out a store to the table at `gpa` that is no plain one, or has the guest do it.
    #[inline(never)]
    fn store_otherwise<H: Hardware, E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        vcpu: &mut Context<H>,
        at: Gva,
        gpa: Gpa,
    ) -> Result<(), Stop> {
        if let Some(instruction) = vcpu.instruction_at_hand(world, self)
            && store::carry_out(&mut self.shadow, world, vcpu, &instruction, at, gpa)?
        {
            return Ok(());
        }
        if let Some(bytes) = vcpu.bytes_at_hand(world, self)
            && store::push_flags(&mut self.shadow, world, vcpu, &bytes, gpa)?
        {
            return Ok(());
        }
        self.begin_step(world, vcpu, at, gpa)
    }

    /// The step is over, done or not.
    fn end_step<H: Hardware, E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        vcpu: &mut Context<H>,
        done: bool,
    ) -> Result<(), Stop> {
        let Some(step) = self.step.take() else { return Ok(()) };
        vcpu.end_step(step.traps, done);
        vcpu.hardware.intercept(self.exceptions());
        if step.unprotected {
            vcpu.hardware.set(Field::Cr0, self.controls.real_cr0().bits());
        }
        self.shadow.close(world)?;
        Ok(())
    }
}

impl<H, C: Switches> GuestTables<H> for ShadowMmu<C> {
    #[inline(always)]
    fn controls(&self, _vcpu: &Context<H>) -> Controls {
        self.controls
    }

    #[inline(always)]
    fn changes(&self) -> Option<Changes> {
        Some(self.shadow.changes())
    }
}

impl<H: Hardware, E: Env<Tlb = GuestTlb>, C: Switches> Controlled<H, E> for ShadowMmu<C> {
    /// Bits of CR0 that the guest changes by itself are taken from where they are.
    fn controls(&self, vcpu: &Context<H>) -> Controls {
        let free = Cr0Flags::from_bits_truncate(vcpu.hardware.get(Field::Cr0));
        let kept = self.controls.cr0 - crate::control::CR0_FREE;
        Controls { cr0: kept | free & crate::control::CR0_FREE, ..self.controls }
    }

    /// What a guest does most with its registers: a switch of address spaces under tables that stay as they
    /// are.
    #[inline(always)]
    fn load_root(
        &mut self,
        world: &mut World<'_, E>,
        vcpu: &mut Context<H>,
        value: u64,
    ) -> Result<bool, Stop> {
        let Ok(controls) = self.controls.with_cr3(value) else { return Ok(false) };
        self.controls = controls;
        if controls.paging() == PagingMode::FourLevel {
            let roots = self.shadow.update_root(world, 0, controls.root())?;
            self.load(&roots, world.tlb, vcpu);
        }
        Ok(true)
    }

    fn adopt(
        &mut self,
        world: &mut World<'_, E>,
        vcpu: &mut Context<H>,
        controls: Controls,
    ) -> Result<(), Stop> {
        let before = core::mem::replace(&mut self.controls, controls);
        if !controls.cr0.contains(Cr0Flags::PROTECTED_MODE_ENABLE) {
            return Err(Stop::ProcessorMode);
        }
        match (before.paging(), controls.paging()) {
            (_, PagingMode::Other) => return Err(Stop::PagingMode),
            (PagingMode::FourLevel, PagingMode::Off) => {
                self.shadow.reset(world);
                self.leave(world.tlb, vcpu);
            }
            (_, PagingMode::Off) => {}
            (_, PagingMode::FourLevel) => {
                let roots = [controls.root(), Gpa::from_bits(0)];
                let roots = self.shadow.update_regime(world, controls.regime(), roots)?;
                self.load(&roots, world.tlb, vcpu);
            }
        }
        self.put_registers(vcpu);
        Ok(())
    }
}

impl<H, P, C> Mmu<P> for ShadowMmu<C>
where
    C: Switches,
    H: Hardware,
    P: Platform<Vcpu = Context<H>, Env: Env<Tlb = GuestTlb>>,
{
    const NAME: &'static str = "shadow";

    #[inline]
    fn exit(&mut self, world: &mut World<'_, P::Env>, vcpu: &mut Context<H>) -> Exit {
        if self.step.is_some() && self.interrupt_step(&mut world.lend(), vcpu).is_err() {
            return Exit::Unknown;
        }
        vcpu.exit(world, self)
    }

    #[inline]
    fn fault(
        &mut self,
        world: &mut World<'_, P::Env>,
        vcpu: &mut Context<H>,
        exit: &MemoryExit,
        is_device: impl FnOnce(Gpa) -> bool,
    ) -> Result<Verdict, Stop> {
        let verdict = match (exit.fault, self.controls.paging()) {
            (Fault::Page { at, .. }, PagingMode::Off) => Verdict::Device(Gpa::from_bits(at.bits())),
            (fault, _) => self.shadow.fault(world, fault, is_device)?,
        };
        if self.step.is_some() && !matches!(verdict, Verdict::Resume | Verdict::Store(_)) {
            self.end_step(world, vcpu, false)?;
        }
        Ok(verdict)
    }

    #[inline]
    fn store(
        &mut self,
        world: &mut World<'_, P::Env>,
        vcpu: &mut Context<H>,
        exit: &MemoryExit,
        gpa: Gpa,
    ) -> Result<(), Stop> {
        let Fault::Page { at, .. } = exit.fault else { return Err(Stop::UnknownExit) };
        if vcpu.hardware.interrupted().is_some() {
            return Err(Stop::EventToTable);
        }
        if let Some(plain) = vcpu.plain_store_at_hand(world, self)
            && store::fits(plain.width, at, gpa)
        {
            self.shadow.emulate_write(world, gpa, plain.width, plain.value(vcpu))?;
            vcpu.set_length(plain.length);
            vcpu.skip();
            return Ok(());
        }
        self.store_otherwise(world, vcpu, at, gpa)
    }

    fn stepped(
        &mut self,
        world: &mut World<'_, P::Env>,
        vcpu: &mut Context<H>,
    ) -> Result<(), Stop> {
        self.end_step(world, vcpu, true)
    }

    fn takes_updates(&self) -> bool {
        self.shadow.takes_updates()
    }

    fn update(
        &mut self,
        world: &mut World<'_, P::Env>,
        stores: impl Iterator<Item = (Gpa, u64)>,
    ) -> Result<u64, Stop> {
        Ok(self.shadow.update(world, stores)?)
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
        vcpu.transfer_at_hand(world, self).ok_or(Stop::UndescribedAccess)
    }

    fn record_bytes(&self) -> usize {
        self.shadow.record_bytes()
    }
}
