//! The controller against list registers that a test plays the guest on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

mod delivery;
mod registers;
mod timer;

use super::{Frame, Gic, Width};
use crate::device::fake::Cpu;

const CTLR: u64 = 0x0000;
const IGROUPR: u64 = 0x0080;
const ISENABLER: u64 = 0x0100;
const ICENABLER: u64 = 0x0180;
const ISPENDR: u64 = 0x0200;
const ICPENDR: u64 = 0x0280;
const ISACTIVER: u64 = 0x0300;
const ICACTIVER: u64 = 0x0380;
const IPRIORITYR: u64 = 0x0400;
const ICFGR: u64 = 0x0c00;
const SGI_BASE: u64 = 0x1_0000;

const TIMER: u32 = 27;

/// A controller and the CPU it serves.
struct Machine {
    gic: Gic,
    cpu: Cpu,
}

impl Machine {
    /// Group 1 and every interrupt enabled, all in group 1, with equal priorities.
    fn running() -> Self {
        let mut machine = Self { gic: Gic::new(), cpu: Cpu::default() };
        machine.distributor(CTLR, 0b10);
        for word in 0..3 {
            machine.word(IGROUPR, word, u32::MAX);
            machine.word(ISENABLER, word, u32::MAX);
        }
        for intid in 0..96 {
            machine.priority(intid, 0xa0);
        }
        machine
    }

    fn distributor(&mut self, offset: u64, value: u64) {
        self.gic.write(Frame::Distributor, offset, Width::Word, value, &mut self.cpu);
    }

    /// Writes word `word` of an array of bits, in the frame where it stands.
    fn word(&mut self, array: u64, word: u64, value: u32) {
        let (frame, base) = place(word == 0);
        let offset = base + array + word * 4;
        self.gic.write(frame, offset, Width::Word, value.into(), &mut self.cpu);
    }

    /// Writes the bit of `intid` in an array of bits.
    fn bit(&mut self, array: u64, intid: u32) {
        self.word(array, u64::from(intid / 32), 1 << (intid % 32));
    }

    /// Reads the bit of `intid` in an array of bits.
    fn is_set(&self, array: u64, intid: u32) -> bool {
        let (frame, base) = place(intid < 32);
        let offset = base + array + u64::from(intid / 32) * 4;
        self.gic.read(frame, offset, Width::Word, &self.cpu) >> (intid % 32) & 1 != 0
    }

    fn priority(&mut self, intid: u32, priority: u8) {
        let (frame, base) = place(intid < 32);
        let offset = base + IPRIORITYR + u64::from(intid);
        self.gic.write(frame, offset, Width::Byte, priority.into(), &mut self.cpu);
    }

    fn edge(&mut self, intid: u32) {
        let offset = ICFGR + u64::from(intid / 16) * 4;
        let old = self.gic.read(Frame::Distributor, offset, Width::Word, &self.cpu);
        self.distributor(offset, old | 0b10 << (intid % 16 * 2));
    }

    /// Enters the guest, which takes the most urgent interrupt.
    fn take(&mut self) -> Option<u32> {
        self.gic.flush(&mut self.cpu);
        self.cpu.acknowledge()
    }

    /// The guest ends `intid`; a maintenance interrupt, if one is due, is handled.
    fn end(&mut self, intid: u32) {
        self.cpu.end(intid);
        if self.cpu.maintenance() {
            self.gic.sync();
            self.gic.flush(&mut self.cpu);
            assert!(!self.cpu.maintenance(), "the cause of a maintenance interrupt stayed");
        }
    }

    /// The timer fires and is acknowledged by the hypervisor.
    fn fire(&mut self) {
        assert!(self.cpu.physical_enabled & 1 << TIMER != 0, "it cannot fire");
        assert!(self.gic.physical(TIMER, &mut self.cpu));
        self.gic.flush(&mut self.cpu);
    }
}

fn place(private: bool) -> (Frame, u64) {
    if private { (Frame::Redistributor, SGI_BASE) } else { (Frame::Distributor, 0) }
}
