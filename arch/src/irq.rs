//! Arm's interrupts: what a virtual interrupt controller needs from the processor.
//!
//! The processor keeps the interrupts of highest priority in a few *list registers* and plays them
//! to the guest without an exit: the guest acknowledges and ends them on its own. Which interrupts
//! stand there, and what becomes of the rest, is decided by the portable model of the interrupt
//! controller; it sees the registers through [`ListRegisters`]. The few physical interrupts that
//! belong to the guest outright (its timers) are reached through [`PhysicalInterrupts`].
//!
//! Terms are those of Arm IHI 0069, "GIC support for virtualization".

/// How far a virtual interrupt in a list register has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The guest has ended it. A register is only left in this state to say so, after
    /// [`Origin::Software`] with `notify`; [`ListRegisters::empty`] does not count it as empty.
    Ended,
    /// The guest has not taken it yet.
    Pending,
    /// The guest has taken it and not ended it.
    Active,
    /// The guest has taken it, and it became pending again.
    PendingAndActive,
}

/// What happens when the guest deactivates an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing beyond the virtual interrupt changes.
    Software {
        /// Whether a maintenance interrupt tells the hypervisor.
        notify: bool,
    },
    /// The processor deactivates the physical interrupt of this INTID too. Such an interrupt is
    /// never [`State::PendingAndActive`].
    Physical(u32),
}

/// The interrupt group, which decides whether it arrives as IRQ or FIQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Signalled as FIQ.
    Zero,
    /// Signalled as IRQ.
    One,
}

/// The contents of one list register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The virtual interrupt's INTID.
    pub intid: u32,
    /// Its priority; 0 is the highest.
    pub priority: u8,
    /// Its group.
    pub group: Group,
    /// How far it has come.
    pub state: State,
    /// What its deactivation does.
    pub origin: Origin,
}

/// The list registers of the physical CPU, holding the current vCPU's interrupts.
///
/// The caller is the hypervisor, between an exit of the vCPU and its next entry, on the CPU on which
/// it runs. What it writes takes effect at that entry. The caller keeps each INTID in at most one
/// register.
pub trait ListRegisters {
    /// A set bit for each register that holds nothing and may be written, bit 0 for register 0.
    /// Bits of registers that the processor lacks are clear. At most 16 registers are used.
    fn empty(&self) -> u32;

    /// A set bit for each register that the processor has.
    fn present(&self) -> u32;

    /// Reads register `index`, one of [`Self::present`] and not of [`Self::empty`]. For any other
    /// the answer is some entry that means nothing.
    fn read(&self, index: u32) -> Entry;

    /// Writes register `index`, one of [`Self::present`]; `None` empties it. Any other index is
    /// ignored.
    fn write(&mut self, index: u32, entry: Option<Entry>);

    /// Asks for a maintenance interrupt, for as long as `wanted`, once at most one register is in
    /// use.
    fn notify_underflow(&mut self, wanted: bool);
}

/// The interrupts of the machine itself, on the physical CPU that runs this.
///
/// Acknowledging an interrupt drops its priority, so that others can follow, but leaves it active: it
/// is not signalled again until it is deactivated, here or, if it was handed to the guest
/// ([`Origin::Physical`]), by the guest.
pub trait PhysicalInterrupts {
    /// The INTID by which list registers say that they have something to tell.
    const MAINTENANCE: u32;

    /// Acknowledges the most urgent pending interrupt. `None` if there is none: it went away.
    fn acknowledge(&mut self) -> Option<u32>;

    /// Lets the physical interrupt `intid` be signalled, or not. A disabled one whose line is high
    /// stays pending and is signalled once enabled.
    fn set_enabled(&mut self, intid: u32, enabled: bool);

    /// Deactivates the physical interrupt `intid`. If its line is still high it is pending again.
    fn deactivate(&mut self, intid: u32);
}
