//! Shadow paging on Arm: shadow tables in the real TTBRs of EL1, over three windows of stage 2.
//!
//! The guest believes that TTBR0_EL1, TTBR1_EL1 and TCR_EL1 are its own; they trap, and the real ones
//! point to shadows under an ASID of ours. SCTLR_EL1 is real and only its writes trap, to see
//! the MMU go on and off. MAIR_EL1, ESR_EL1, FAR_EL1 and the rest are the guest's in
//! hardware, and so are its TLBI instructions: the TLB never holds what the shadow does not give, so
//! a guest's invalidation has nothing left to find.
//!
//! While the guest's MMU is off, stage 1 really is off, and stage 2 is the layout itself under a
//! VMID of its own: what a guest gets then is what the architecture says. Nothing is shadowed meanwhile,
//! because the guest may write to its tables unseen.

use aarch64_cpu::registers::{Readable, SCTLR_EL1, TCR_EL1, Writeable};
use arch::exit::{Exit, MemoryExit, Stop, Transfer};
use arch::{Mmu, Platform, Register, Vcpu};
use paging::addr::{Addr, Gpa, GuestPhys, Gva, HostPhys, Hpa, Level, Window};
use paging::attrs::{Attrs, Memory as MemoryKind};
use paging::fault::{Fault, Verdict};
use paging::format::vmsa_shadow::{ALIAS, InWindow, window};
use paging::format::vmsa_stage1::Stage1;
use paging::format::vmsa_stage2::Stage2;
use paging::layout::Layout;
use paging::mem::{Env, Memory, Stale, Tlb, World};
use paging::nested::Nested;
use paging::pool::Pool;
use paging::shadow::{Capacity, HardwareRoots, Shadow};
use paging::switch::Switches;
use paging::tree::{MapError, Tools, Tree};
use paging::walk;

use probe::{Event, Probe};

use crate::at::{self, Question};
use crate::exit::{self, Abort};
use crate::feature;
use crate::nested;
use crate::regime::{base, excluded, regime};
use crate::regs::{self, DebugState, Pstate, Sctlr, Tcr};
use crate::store;
use crate::sysreg::{self, Access};
use crate::traps;
use crate::vcpu::Context;

/// Bytes on either side of the address of a store that faulted which its instruction may write: DC ZVA
/// clears that many, and no other writes more.
const STORE_REACH: u64 = 64;

/// The MMU of a shadowed guest.
#[derive(Debug)]
pub struct ShadowMmu<C> {
    shadow: Shadow<Stage1, Stage1, C>,
    /// Where the windows' tree stands.
    windows: Hpa,
    /// Where the tree for a guest whose MMU is off stands.
    flat: Hpa,
    /// TCR_EL1 as the guest believes it.
    tcr: Tcr,
    /// TTBR0_EL1 and TTBR1_EL1 as the guest believes them.
    ttbr: [u64; 2],
    /// Whether the guest's MMU is on.
    on: bool,
    /// What a step that is under way has to put back.
    stepping: Option<DebugState>,
}

/// What a fault of stage 2 under the windows means.
fn classify(layout: &Layout, abort: Abort<Window>) -> Option<Fault> {
    match window(abort.ipa) {
        InWindow::Hole(_) if !abort.unmapped => None,
        InWindow::Hole(_) if abort.walk => Some(Fault::Missing { at: abort.at }),
        InWindow::Hole(at) => Some(Fault::Device { at }),
        InWindow::Alias(at) if abort.permission => {
            let gpa = layout.guest_address(at)?;
            Some(Fault::Protected { at: abort.at, gpa })
        }
        InWindow::Memory(_) | InWindow::Alias(_) | InWindow::Outside => None,
    }
}

/// The bytes of host RAM that the windows show: one contiguous range of physical addresses.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its first byte, a multiple of 4 KiB.
    pub start: Hpa,
    /// Its size, a multiple of 4 KiB.
    pub size: u64,
}

impl<C: Switches> ShadowMmu<C> {
    /// Makes the windows over `shown`, which hold the guest's RAM and the pool of tables, and the
    /// shadow of a guest whose MMU is off, by the steps of `switches`.
    ///
    /// # Errors
    ///
    /// See [`MapError`].
    pub fn new<M: Memory, T: Tlb<Window> + Tlb<GuestPhys>>(
        memory: &M,
        pool: &mut Pool,
        tlb: &mut T,
        layout: &Layout,
        largest: Level,
        shown: &[Span],
        switches: C,
    ) -> Result<Self, MapError> {
        let flat: Nested<Stage2> = Nested::new(
            &mut Tools { memory, pool, tlb },
            layout,
            traps::STAGE2_TOP,
            Level::BLOCK_1G,
        )?;
        let windows = make_windows(&mut Tools { memory, pool, tlb }, shown)?;
        let capacity = Capacity { frames: pool.size(), contexts: feature::last_asid() };
        let off = Tcr::empty();
        let regime = regime(off, Sctlr::empty());
        let shadow = Shadow::new(*layout, largest, regime, capacity, switches)?;
        traps::common();
        let mut mmu = Self {
            shadow,
            windows,
            flat: memory.frame_of(flat.root()).start(),
            tcr: off,
            ttbr: [0; 2],
            on: false,
            stepping: None,
        };
        mmu.leave();
        Tlb::<GuestPhys>::flush(tlb, Stale::All);
        Ok(mmu)
    }

    /// Stage 1 is off from now on.
    fn leave(&mut self) {
        traps::load_stage2(self.flat, traps::VMID_FLAT);
        traps::catch_translation(false);
        self.on = false;
    }

    /// Stage 1 is on from now on, or its registers changed: makes and loads what they mean.
    fn use_registers<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        sctlr: Sctlr,
    ) -> Result<(), Stop> {
        if !self.on {
            traps::load_stage2(self.windows, traps::VMID_SHADOW);
            traps::catch_translation(true);
            self.on = true;
        }
        if excluded(self.tcr) {
            return Err(Stop::Granule);
        }
        let regime = regime(self.tcr, sctlr);
        let roots = [base(&regime, 0, self.ttbr[0]), base(&regime, 1, self.ttbr[1])];
        let loaded = self.shadow.update_regime(world, regime, roots)?;
        TCR_EL1.set(real_tcr(self.tcr).bits());
        load(&loaded);
        Ok(())
    }

    /// The guest writes SCTLR_EL1.
    fn write_sctlr<E: Env>(&mut self, world: &mut World<'_, E>, value: u64) -> Result<(), Stop> {
        let sctlr = Sctlr::from_bits_retain(value) - (Sctlr::BIG_ENDIAN | Sctlr::BIG_ENDIAN_EL0);
        match (self.on, sctlr.contains(Sctlr::MMU)) {
            (_, true) => self.use_registers(world, sctlr)?,
            (true, false) => {
                self.shadow.reset(world);
                self.leave();
            }
            (false, false) => {}
        }
        SCTLR_EL1.set(sctlr.bits());
        Ok(())
    }

    /// The guest writes TCR_EL1.
    fn write_tcr<E: Env>(&mut self, world: &mut World<'_, E>, value: u64) -> Result<(), Stop> {
        self.tcr = Tcr::from_bits_retain(value) - Tcr::ABSENT;
        if self.on {
            self.use_registers(world, Sctlr::from_bits_retain(SCTLR_EL1.get()))?;
        }
        Ok(())
    }

    /// The guest writes TTBR0_EL1 or TTBR1_EL1.
    fn write_root<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        half: usize,
        value: u64,
    ) -> Result<(), Stop> {
        self.ttbr[half] = value;
        if self.on {
            let root = base(self.shadow.regime(), half, value);
            load(&self.shadow.update_root(world, half, root)?);
        }
        Ok(())
    }

    /// Emulates an access to one of the registers that only this mode traps.
    fn translation_register<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        vcpu: &mut Context,
        access: Access,
    ) -> Result<Option<Register>, Stop> {
        let half = usize::from(access.encoding == sysreg::TTBR1);
        match (access.encoding, access.read) {
            (sysreg::TTBR0 | sysreg::TTBR1, true) => {
                vcpu.set_register(access.register, self.ttbr[half]);
            }
            (sysreg::TCR, true) => vcpu.set_register(access.register, self.tcr.bits()),
            (sysreg::SCTLR, true) => vcpu.set_register(access.register, SCTLR_EL1.get()),
            (sysreg::TTBR0 | sysreg::TTBR1, false) => {
                self.write_root(world, half, vcpu.register(access.register))?;
            }
            (sysreg::TCR, false) => self.write_tcr(world, vcpu.register(access.register))?,
            (sysreg::SCTLR, false) => self.write_sctlr(world, vcpu.register(access.register))?,
            (encoding, false) => {
                let guarded = vcpu.pstate().contains(Pstate::PAN);
                let Some(question) = at::decode(encoding, guarded) else { return Ok(None) };
                self.translate(world, question, Gva::from_bits(vcpu.register(access.register)));
            }
            _ => return Ok(None),
        }
        Ok(Some(Register::Done))
    }

    fn translate<E: Env>(&self, world: &mut World<'_, E>, question: Question, at: Gva) {
        at::answer(question, self.shadow.translate(world, at));
    }

    /// The instruction at hand, if it can be fetched.
    fn instruction<E: Env>(&self, world: &mut World<'_, E>, vcpu: &Context) -> Option<u32> {
        let user = !vcpu.pstate().is_el1();
        let at = self.shadow.gva_to_gfn(world, Gva::from_bits(vcpu.pc()), user).ok()?;
        instruction_at(world.memory, at)
    }

    /// Whether all bytes of the store at hand, of which the page at `gpa` refused some from there on,
    /// lie in that page.
    fn is_within<E: Env>(
        &self,
        world: &World<'_, E>,
        vcpu: &Context,
        transfer: &Transfer,
        gpa: Gpa,
    ) -> bool {
        let first = gpa.page_offset();
        if first != 0 || transfer.width == 0 {
            return first + (1 << transfer.width) <= Level::PAGE.size();
        }
        // It begins here, or in the page before.
        regs::translate(vcpu.pc())
            .and_then(|at| self.shadow.layout().guest_address(Hpa::from_bits(at)))
            .and_then(|at| instruction_at(world.memory, at))
            .and_then(|found| store::address(found, |number| vcpu.register(number)))
            .is_some_and(|at| Gva::from_bits(at).page_offset() == 0)
    }
}

/// The instruction at `at`, unless that is no RAM.
fn instruction_at(memory: &impl Memory, at: Gpa) -> Option<u32> {
    let both = walk::load(memory, at)?;
    /// Which half of 8 bytes an instruction stands in.
    const UPPER: u64 = 4;
    Some((both >> if at.bits() & UPPER == 0 { 0 } else { u32::BITS }) as u32)
}

/// TCR_EL1 as the hardware gets it: the guest's, with an output size that covers the windows, with
/// walks that see the shadow tables as the hypervisor writes them, and with ASIDs as wide as there are.
fn real_tcr(tcr: Tcr) -> Tcr {
    let tables = Tcr::OUTPUT_SIZE | Tcr::GRANULE0 | Tcr::GRANULE1 | Tcr::WALK0 | Tcr::WALK1;
    let walks = Tcr::WALK0_CACHED | Tcr::WALK1_CACHED;
    let mut real = tcr.with_clamped_sizes() - tables;
    real.set(Tcr::WIDE_ASIDS, feature::last_asid() > u8::MAX.into());
    real | Tcr::OUTPUT_40_BITS | Tcr::GRANULE1_4K | walks
}

/// Puts roots into the hardware.
fn load(roots: &HardwareRoots) {
    regs::load_roots(roots.tables.map(Addr::bits), roots.tag.0);
}

/// The static tree of the memory window and its read-only alias. The hole needs no entry.
fn make_windows<M: Memory, T: Tlb<Window>>(
    tools: &mut Tools<'_, M, T>,
    shown: &[Span],
) -> Result<Hpa, MapError> {
    let mut tree: Tree<Stage2, Window, HostPhys> =
        Tree::new(traps::STAGE2_TOP, tools.memory, tools.pool)?;
    for span in shown {
        if span.start.bits() + span.size > ALIAS {
            return Err(MapError::Misaligned);
        }
        for (window, write) in [(0, true), (ALIAS, false)] {
            let attrs = Attrs { write, execute: true, memory: MemoryKind::Normal };
            let at = Addr::from_bits(span.start.bits() + window);
            tree.map(tools, (at, span.start, span.size), attrs, Level::BLOCK_1G)?;
        }
    }
    Ok(tools.memory.frame_of(tree.root()).start())
}

impl<P: Platform<Vcpu = Context>, C: Switches> Mmu<P> for ShadowMmu<C> {
    const NAME: &'static str = "shadow";

    #[inline]
    fn exit(&mut self, _world: &mut World<'_, P::Env>, vcpu: &mut Context) -> Exit {
        if self.on {
            exit::exit(vcpu, |abort| classify(self.shadow.layout(), abort))
        } else {
            exit::exit(vcpu, nested::classify)
        }
    }

    fn fault(
        &mut self,
        world: &mut World<'_, P::Env>,
        _vcpu: &mut Context,
        exit: &MemoryExit,
        is_device: impl FnOnce(Gpa) -> bool,
    ) -> Result<Verdict, Stop> {
        Ok(self.shadow.fault(world, exit.fault, is_device)?)
    }

    fn store(
        &mut self,
        world: &mut World<'_, P::Env>,
        vcpu: &mut Context,
        exit: &MemoryExit,
        gpa: Gpa,
    ) -> Result<(), Stop> {
        if let Some(transfer) = exit.transfer
            && self.is_within(world, vcpu, &transfer, gpa)
        {
            let value = vcpu.stored(&transfer);
            self.shadow.emulate_write(world, gpa, transfer.width, value)?;
            vcpu.skip();
            return Ok(());
        }
        if exit.maintenance {
            // Stage 2 asks write permission of an invalidation; the store that it would lose is in
            // memory already.
            vcpu.skip();
            return Ok(());
        }
        if let Some(found) = self.instruction(world, vcpu).and_then(store::decode) {
            let values = [
                Some(vcpu.register(found.first)),
                found.second.map(|second| vcpu.register(second)),
            ];
            self.shadow.emulate_cmpxchg(world, gpa, found.width, values)?;
            vcpu.set_register(found.status, 0);
            vcpu.skip();
            return Ok(());
        }
        let Fault::Protected { at, .. } = exit.fault else { return Err(Stop::UnknownExit) };
        if !self.shadow.open(world, at, gpa, STORE_REACH)? {
            return Err(Stop::TooManyTables);
        }
        world.probe.count(Event::Stepped, 1);
        if self.stepping.is_none() {
            self.stepping = Some(regs::begin_step());
        }
        vcpu.set_pstate(vcpu.pstate() | Pstate::STEP);
        Ok(())
    }

    fn stepped(&mut self, world: &mut World<'_, P::Env>, _vcpu: &mut Context) -> Result<(), Stop> {
        let before = self.stepping.take().ok_or(Stop::UnknownExit)?;
        regs::end_step(before);
        self.shadow.close(world)?;
        Ok(())
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
        vcpu: &mut Context,
    ) -> Result<Register, Stop> {
        let Some(access) = Access::current() else { return Ok(Register::Undefined) };
        Ok(match self.translation_register(world, vcpu, access)? {
            Some(done) => done,
            None => sysreg::emulate(vcpu, access, true),
        })
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
        self.shadow.record_bytes()
    }
}
