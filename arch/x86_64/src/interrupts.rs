//! The interrupts of the machine, as the portable model of the guest's local APIC asks for them.
//!
//! Two ways lead to the processor: the local APIC's own timer, and what comes through the 8259s. By its
//! vector an interrupt tells which way it came, and so who has to be told of its end.

use arch::apic::{Divide, HostApic, Mode};

use crate::apic::{Apic, SPURIOUS_VECTOR, TIMER_VECTOR};
use crate::interrupt;
use crate::pic::Pic;

/// The interrupt controllers of the CPU that runs this, with
/// [`Vectors`](crate::interrupt::Vectors) loaded.
#[derive(Debug)]
pub struct Interrupts {
    /// The local APIC.
    apic: Apic,
    /// The two 8259s.
    pic: Pic,
    /// An interrupt that came while one was waited for.
    taken: Option<u8>,
}

impl Interrupts {
    /// Both controllers, of which some lines may be enabled.
    #[must_use]
    pub const fn new(apic: Apic, pic: Pic) -> Self {
        Self { apic, pic, taken: None }
    }
}

impl HostApic for Interrupts {
    const TIMER: u8 = TIMER_VECTOR;

    #[inline]
    fn acknowledge(&mut self) -> Option<u8> {
        let vector = self.taken.take().or_else(interrupt::take);
        // A spurious interrupt is in service nowhere.
        vector.filter(|&vector| vector != SPURIOUS_VECTOR)
    }

    #[inline]
    fn end(&mut self, vector: u8) {
        match Pic::line(vector) {
            Some(line) => self.pic.end(line),
            None => self.apic.end(),
        }
    }

    fn wait(&mut self) {
        if self.taken.is_none() {
            self.taken = interrupt::wait();
        }
    }

    #[inline]
    fn start_timer(&mut self, count: u32, divide: Divide, mode: Mode) {
        self.apic.start_timer(count, divide, mode);
    }

    fn stop_timer(&mut self) {
        self.apic.stop_timer();
    }

    #[inline]
    fn remaining(&self) -> u32 {
        self.apic.remaining()
    }
}
