//! A PC's interrupts: what a virtual local APIC needs from the processor.
//!
//! The hardware that is asked for here plays no virtual interrupts of its own accord, so the portable
//! model of the local APIC decides at exits which interrupt is next, and gives the processor that one
//! through [`Injection`]. The guest's timer is the machine's: it counts in the physical local APIC,
//! which the hypervisor does not need, through [`HostApic`].
//!
//! Terms are those of Intel SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)".

/// By how much the bus clock is divided before the timer counts it. The discriminants are those of
/// the divide configuration register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Divide {
    /// Every tick counts.
    By1 = 0b1011,
    /// Every second.
    By2 = 0b0000,
    /// Every 4th.
    By4 = 0b0001,
    /// Every 8th.
    By8 = 0b0010,
    /// Every 16th.
    By16 = 0b0011,
    /// Every 32nd.
    By32 = 0b1000,
    /// Every 64th.
    By64 = 0b1001,
    /// Every 128th.
    By128 = 0b1010,
}

impl Divide {
    /// What the divide configuration register says; bit 2 and those above bit 3 are reserved.
    #[must_use]
    pub const fn from_register(value: u32) -> Self {
        match value & 0b1011 {
            0b0000 => Self::By2,
            0b0001 => Self::By4,
            0b0010 => Self::By8,
            0b0011 => Self::By16,
            0b1000 => Self::By32,
            0b1001 => Self::By64,
            0b1010 => Self::By128,
            _ => Self::By1,
        }
    }

    /// The divisor, log2.
    #[must_use]
    pub const fn log2(self) -> u32 {
        match self {
            Self::By1 => 0,
            Self::By2 => 1,
            Self::By4 => 2,
            Self::By8 => 3,
            Self::By16 => 4,
            Self::By32 => 5,
            Self::By64 => 6,
            Self::By128 => 7,
        }
    }
}

/// What the timer does when its count reaches zero, besides interrupting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It stops.
    OneShot,
    /// It begins anew.
    Periodic,
}

/// The interrupts of the machine itself, on the physical CPU that runs this, and its local APIC's timer.
///
/// The hypervisor runs with interrupts off. What comes while a guest runs ends the guest's turn and
/// stays pending until it is acknowledged here.
pub trait HostApic {
    /// The vector of the timer.
    const TIMER: u8;

    /// Takes the most urgent pending interrupt and tells its vector. `None` if there is none, or it
    /// was spurious. Until [`end`](Self::end) those of its priority and below wait.
    fn acknowledge(&mut self) -> Option<u8>;

    /// Ends the interrupt that was acknowledged with `vector`.
    fn end(&mut self, vector: u8);

    /// Waits until an interrupt is pending, for [`acknowledge`](Self::acknowledge) to take.
    fn wait(&mut self);

    /// Starts the timer anew, with `count`, which is not 0.
    fn start_timer(&mut self, count: u32, divide: Divide, mode: Mode);

    /// Stops the timer. An interrupt of it may be pending nevertheless.
    fn stop_timer(&mut self);

    /// What the timer has left to count; 0 when it stands.
    fn remaining(&self) -> u32;
}

/// How a virtual CPU is given an external interrupt.
///
/// The caller is the hypervisor, between an exit and the next entry.
pub trait Injection {
    /// Whether the guest would take an external interrupt before its next instruction: RFLAGS.IF is
    /// set, no STI, MOV SS or POP SS holds interrupts off, no other event is about to be delivered, and
    /// the hypervisor is not stepping it.
    fn takes_interrupts(&self) -> bool;

    /// Whether RFLAGS.IF is set: whether an interrupt would end the guest's HLT.
    fn interrupts_enabled(&self) -> bool;

    /// Whether an event that is not from here ends the guest's HLT: a trap behind it, or an interrupt whose
    /// delivery was put off.
    fn has_event(&self) -> bool;

    /// CR8 is `class` from now on, where the processor answers reads of it by itself.
    fn show_priority(&mut self, class: u8);

    /// The guest takes the external interrupt `vector` at its next entry.
    /// [`takes_interrupts`](Self::takes_interrupts) holds before, and does not after.
    fn inject_interrupt(&mut self, vector: u8);

    /// Asks for one exit ([`Exit::Window`](crate::exit::Exit::Window)) as soon as
    /// [`takes_interrupts`](Self::takes_interrupts) would hold, or no longer asks. Whoever wants that
    /// may say so again at every exit.
    fn want_window(&mut self, wanted: bool);
}
