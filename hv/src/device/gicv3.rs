//! GICv3: the guest's interrupt controller.
//!
//! Arm IHI 0069, "GIC support for virtualization": the processor itself plays the CPU interface to
//! the guest, from interrupts that stand in *list registers*. What is emulated here is the part in
//! memory, the distributor and the redistributor, and with it the choice of what stands in the list
//! registers. There is one security state (`GICD_CTLR.DS` = 1), affinity routing is always on, there
//! are no LPIs and no message-based interrupts; 16 SGIs, 16 PPIs and [`SHARED`] SPIs.
//!
//! # Who holds an interrupt
//!
//! A pending interrupt is either *here* (`latch` or `line`) or in a list register, and an active one
//! is in a list register, where the guest ends it without an exit. Nothing is decided at the moment
//! of an event: an event changes a bit and sets `changed`, and [`Gic::flush`], before the next entry,
//! brings the list registers in line. It takes back what is there and merely pending, and hands out
//! again, in order of priority, what can be delivered. So there is one algorithm, whatever happened,
//! and a change of a guest's configuration (disabled, cleared, another priority) holds for interrupts
//! in list registers too. When nothing changed `flush` is one test.
//!
//! More interrupts than list registers: the rest stays here, and a maintenance interrupt comes when
//! at most one list register is in use.
//!
//! # Levels
//!
//! A level-sensitive interrupt is pending while its line is high. Emulated devices only move their
//! lines during exits, so a line that falls after the guest took the interrupt is seen; only if the
//! line is still high does the list register ask for a maintenance interrupt at the guest's end of
//! interrupt, upon which it is pending again. A guest that silences its device in the handler pays
//! no extra exit.
//!
//! # The guest's own timers
//!
//! [`LINKED`] PPIs are physical. One that fires causes an exit; the hypervisor acknowledges it, which
//! drops its priority, and calls [`Gic::physical`]. It stays physically active, so it cannot fire again,
//! until the guest ends it: the list register is linked to it (`ICH_LR<n>_EL2.HW`), and ending it
//! costs no exit.
//!
//! A guest that turned such an interrupt off must not be interrupted by it, or a line that stays high
//! would bring an exit after every instruction. So the physical enable follows what the guest could
//! be delivered (its enable and its group's enable): a disabled timer stays pending in the physical
//! controller, as on hardware, and costs nothing. When the guest disables one that has fired but not
//! been taken, it is deactivated: still high, it is pending there again; gone, it is gone.
//!
//! # What is simplified
//!
//! Bits set by `ISACTIVER` hold the interrupt back and are cleared by `ICACTIVER`, but not by the
//! guest's end of interrupt. `ISPENDR` shows a timer that is disabled as not pending. Neither is used
//! by kernels in operation; both are for saving and restoring a controller.

mod access;
mod deliver;
mod register;
mod words;

use super::Width;
use arch::irq::{Group, ListRegisters, PhysicalInterrupts};
use words::{WORDS, Words, bit};

/// How many shared peripheral interrupts there are: INTIDs 32 and up.
pub const SHARED: u32 = 64;

/// The PPIs that are the guest's own physical timers, one bit for each INTID: 27, the virtual timer,
/// and 30, the EL1 physical timer (Arm BSA, "PPI assignments").
pub const LINKED: u32 = 1 << 27 | 1 << 30;

/// INTIDs 0 to 15 are software generated.
const SGIS: u32 = 0xffff;

/// INTIDs below this are private to a CPU.
const PRIVATE: u32 = 32;

/// How many INTIDs there are.
const INTERRUPTS: usize = WORDS * 32;

const _: () = assert!(INTERRUPTS == (PRIVATE + SHARED) as usize);

/// A range of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The distributor, 64 KiB.
    Distributor,
    /// The redistributor of the one CPU, 128 KiB: its control frame and its SGI and PPI frame.
    Redistributor,
}

/// Whether `intid` is a shared peripheral interrupt that exists.
#[must_use]
pub const fn is_shared(intid: u32) -> bool {
    intid >= PRIVATE && intid < PRIVATE + SHARED
}

/// One machine's interrupt controller, for its one CPU, at affinity 0.0.0.0.
///
/// The first word of each bitmap holds the private interrupts; a second CPU would need a second set
/// of those and nothing else.
#[derive(Debug)]
pub struct Gic {
    /// Whether list registers may not be what they should be.
    changed: bool,
    /// Whether a maintenance interrupt was asked for because interrupts wait.
    underflow: bool,
    /// `GICR_WAKER.ProcessorSleep`.
    asleep: bool,
    /// All ones if `GICD_CTLR.EnableGrp0`, else zero.
    group0: u32,
    /// All ones if `GICD_CTLR.EnableGrp1`, else zero.
    group1: u32,
    /// The [`LINKED`] interrupts that are physically enabled.
    followed: u32,
    /// `IGROUPR`.
    group: Words,
    /// `ISENABLER`.
    enabled: Words,
    /// Edge-triggered (`ICFGR`, the upper bit of each pair).
    edge: Words,
    /// Levels of the lines. For a [`LINKED`] interrupt: acknowledged, and not in a list register.
    line: Words,
    /// Pending by an edge, an SGI or `ISPENDR`.
    latch: Words,
    /// In a list register because of `latch`.
    handed: Words,
    /// Active by `ISACTIVER`.
    active: Words,
    /// `IPRIORITYR`.
    priority: [u8; INTERRUPTS],
    /// `IROUTER`. With one CPU they decide nothing.
    route: [u64; SHARED as usize],
}

impl Gic {
    /// A controller after reset: everything disabled.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            changed: false,
            underflow: false,
            asleep: true,
            group0: 0,
            group1: 0,
            followed: 0,
            group: Words::NONE,
            enabled: Words::NONE,
            edge: Words::first(SGIS),
            line: Words::NONE,
            latch: Words::NONE,
            handed: Words::NONE,
            active: Words::NONE,
            priority: [0; INTERRUPTS],
            route: [0; SHARED as usize],
        }
    }

    /// A device sets its line. An edge-triggered interrupt is pending after a rise; [`LINKED`] ones
    /// have no line here.
    #[inline]
    pub fn set_line(&mut self, intid: u32, level: bool) {
        if self.line.contains(intid) == level || is_linked(intid) {
            return;
        }
        self.line.set(intid, level);
        if level && self.edge.contains(intid) {
            self.latch.set(intid, true);
        }
        self.changed = true;
    }

    /// The physical interrupt `intid` was acknowledged and its priority dropped. Any but a
    /// [`LINKED`] one is not the guest's, and is left alone: false.
    ///
    /// A timer mostly fires while no other interrupt is about, and is then handed over at once: what
    /// [`Self::flush`] would come to, without its search.
    #[inline]
    pub fn physical(
        &mut self,
        intid: u32,
        cpu: &mut (impl ListRegisters + PhysicalInterrupts),
    ) -> bool {
        if !is_linked(intid) {
            return false;
        }
        if self.deliverable(0) & bit(intid) == 0 {
            cpu.deactivate(intid);
            return true;
        }
        self.line.set(intid, true);
        if self.changed || self.underflow || cpu.empty() != cpu.present() {
            self.changed = true;
        } else {
            let entry = self.hand(intid);
            cpu.write(0, Some(entry));
        }
        true
    }

    /// A maintenance interrupt came: list registers have something to tell. [`Self::flush`] takes
    /// the cause away, after which the interrupt can be deactivated.
    #[inline]
    pub const fn sync(&mut self) {
        self.changed = true;
    }

    /// The guest generates an SGI by writing `value` to `ICC_SGI1R_EL1` ([`Group::One`]) or
    /// `ICC_SGI0R_EL1` ([`Group::Zero`]). "Software Generated Interrupts".
    pub fn generate(&mut self, value: u64, group: Group) {
        let request = register::SgiRequest::from(value);
        let in_group = self.group.contains(request.intid) == (group == Group::One);
        if request.targets_first && in_group {
            self.latch.set(request.intid, true);
            self.changed = true;
        }
    }
}

impl Default for Gic {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether `intid` is one of [`LINKED`].
const fn is_linked(intid: u32) -> bool {
    intid < PRIVATE && LINKED & bit(intid) != 0
}

#[cfg(test)]
mod tests;
