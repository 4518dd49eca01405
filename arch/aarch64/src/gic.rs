//! The physical GICv3, as a hypervisor at EL2 uses it.
//!
//! Arm IHI 0069. Interrupts are routed to EL2 (`HCR_EL2.IMO` and `FMO`, which the vCPU's code sets)
//! and arrive while a guest runs. Acknowledging one and ending it are two steps, priority drop and
//! deactivation (`ICC_CTLR_EL1.EOImode` = 1): the second is left to the guest if the interrupt was
//! handed to it in a list register.
//!
//! Everything is group 1 and of one priority. The distributor and redistributor are driven by
//! `arm-gic`, the CPU interface by the accessors of `arm-sysregs`, the list registers stand in
//! [`lists`].

mod lists;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{ICC_SRE_EL2, Writeable};
use arch::irq::{Entry, ListRegisters, PhysicalInterrupts};
use arm_gic::gicv3::registers::{Gicd, GicrSgi};
use arm_gic::gicv3::{GicCpuInterface, GicDistributor, GicError, GicRedistributor};
use arm_gic::{IntId, Trigger, UniqueMmioPointer};
use arm_sysregs::el1::accessors::{
    read_icc_iar1_el1, write_icc_ctlr_el1, write_icc_dir_el1, write_icc_eoir1_el1,
};
use arm_sysregs::el1::registers::{IccCtlrEl1, IccDirEl1};
use core::ptr::NonNull;

/// INTIDs from here on are no interrupts ("Special INTIDs").
const SPECIAL: u32 = 1020;

/// The lowest priority mask: every interrupt gets through.
const EVERY_PRIORITY: u8 = 0xff;

/// The GIC of one CPU.
pub struct Gic {
    /// The interrupts shared by all CPUs.
    distributor: GicDistributor<'static>,
    /// The interrupts of this CPU.
    redistributor: GicRedistributor<'static>,
    /// A bit for each list register.
    lists: u32,
}

impl Gic {
    /// Initializes the GIC and this CPU's interface to it, with nothing enabled but the
    /// maintenance interrupt, and empty list registers.
    ///
    /// # Safety
    ///
    /// `distributor` and `redistributor` are the registers of this machine's GICv3 distributor
    /// (64 KiB) and of this CPU's redistributor (128 KiB), as its device tree tells; they are
    /// accessible as device memory for as long as the hypervisor runs, and nothing else accesses
    /// them. This is EL2.
    #[must_use]
    pub unsafe fn new(distributor: NonNull<u8>, redistributor: NonNull<u8>) -> Self {
        // SAFETY: the caller gives the distributor's registers, for this instance alone.
        let distributor = unsafe { UniqueMmioPointer::new(distributor.cast::<Gicd>()) };
        // SAFETY: the caller gives the redistributor's registers, for this instance alone.
        let redistributor = unsafe { UniqueMmioPointer::new(redistributor.cast::<GicrSgi>()) };
        let mut gic = Self {
            distributor: GicDistributor::new(distributor),
            redistributor: GicRedistributor::new(redistributor),
            lists: lists::present(),
        };
        gic.reset();
        gic
    }

    /// Brings everything into the state that [`Self::new`] promises.
    fn reset(&mut self) {
        ICC_SRE_EL2.write(
            ICC_SRE_EL2::SRE::SET
                + ICC_SRE_EL2::DFB::SET
                + ICC_SRE_EL2::DIB::SET
                + ICC_SRE_EL2::ENABLE::SET,
        );
        barrier::isb(barrier::SY);

        self.distributor.enable_all_interrupts(false);
        self.distributor.configure_default_settings();
        self.redistributor.power_on();
        // The only error is that firmware has done so already.
        let _ = self.redistributor.mark_core_awake();
        self.redistributor.configure_default_settings();

        GicCpuInterface::set_priority_mask(EVERY_PRIORITY);
        write_icc_ctlr_el1(IccCtlrEl1::EOIMODE);
        GicCpuInterface::enable_group1(true);
        lists::reset(self.lists);
        barrier::isb(barrier::SY);
        self.set_enabled(Self::MAINTENANCE, true);
    }

    /// Lets the shared interrupt `intid`, level-sensitive, be signalled to the CPU of affinity
    /// `mpidr`.
    ///
    /// # Errors
    ///
    /// There is no such shared interrupt.
    pub fn enable_shared(&mut self, intid: u32, mpidr: u64) -> Result<(), NoSuchInterrupt> {
        let intid = IntId::try_from(intid).map_err(|_| NoSuchInterrupt(intid))?;
        let error = |_: GicError| NoSuchInterrupt(intid.into());
        self.distributor.set_trigger(intid, Trigger::Level).map_err(error)?;
        self.distributor.set_routing(intid, Some(mpidr)).map_err(error)?;
        self.distributor.enable_interrupt(intid, true).map_err(error)
    }
}

/// An INTID behind which there is no shared interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchInterrupt(pub u32);

impl PhysicalInterrupts for Gic {
    /// Arm BSA, "PPI assignments".
    const MAINTENANCE: u32 = 25;

    #[inline]
    fn acknowledge(&mut self) -> Option<u32> {
        let intid = IntId::try_from(read_icc_iar1_el1().intid()).ok()?;
        if u32::from(intid) >= SPECIAL {
            return None;
        }
        // The acknowledge takes effect before the interrupt is handled: "Observability of the effects
        // of accesses to the GIC registers".
        barrier::dsb(barrier::SY);
        write_icc_eoir1_el1(intid.into());
        Some(intid.into())
    }

    fn set_enabled(&mut self, intid: u32, enabled: bool) {
        let Ok(intid) = IntId::try_from(intid) else { return };
        // The only error is that the INTID is not private: nothing of the guest's then.
        let _ = self.redistributor.enable_interrupt(intid, enabled);
        self.redistributor.wait_for_pending_write();
    }

    #[inline]
    fn deactivate(&mut self, intid: u32) {
        write_icc_dir_el1(IccDirEl1::empty().with_intid(intid));
    }
}

impl ListRegisters for Gic {
    #[inline]
    fn empty(&self) -> u32 {
        lists::empty() & self.lists
    }

    #[inline]
    fn present(&self) -> u32 {
        self.lists
    }

    #[inline]
    fn read(&self, index: u32) -> Entry {
        lists::decode(lists::read(index))
    }

    #[inline]
    fn write(&mut self, index: u32, entry: Option<Entry>) {
        lists::write(index, entry.map_or(lists::EMPTY, lists::encode));
    }

    #[inline]
    fn notify_underflow(&mut self, wanted: bool) {
        lists::notify_underflow(wanted);
    }
}
