//! The clock of the instruments: the time-stamp counter.
//!
//! On silicon it counts at a constant rate that is near the processor's own. Under an emulator that
//! counts instructions it ticks once for each, and then "cycles" would be a lie. The clock finds out: a
//! chain of dependent divisions takes many cycles each on any silicon, so if the counter advances
//! by exactly the number of instructions executed, the unit is instructions.

use core::arch::asm;

use arch::clock::Unit;
use probe::Clock;
use x86_64::instructions::port::Port;

/// The counter's name.
pub const NAME: &str = "tsc";

/// The time-stamp counter.
#[derive(Clone, Copy, Debug)]
pub enum Cycles {}

impl Clock for Cycles {
    /// Once everything before is done: Intel SDM vol. 2, "RDTSC"; with AMD LFENCE waits likewise where
    /// it is dispatch-serializing.
    #[inline(always)]
    fn now() -> u64 {
        let low: u32;
        let high: u32;
        // SAFETY: reading the counter changes nothing.
        unsafe {
            asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nomem, nostack));
        }
        u64::from(high) << 32 | u64::from(low)
    }
}

/// Finds out what the counter counts. Never inlined, so that a search of the image can tell these
/// readings from those of a probe.
#[inline(never)]
#[must_use]
pub fn start() -> Unit {
    /// Divisions in the chain.
    const CHAIN: u32 = 64;
    /// Other instructions from one reading to the other.
    const AROUND: u32 = 3;
    let before: u32;
    let after: u32;
    // SAFETY: the block computes in its own registers and reads the counter.
    unsafe {
        asm!(
            "lfence",
            "rdtsc",
            "mov {before:e}, eax",
            "xor edx, edx",
            ".rept {chain}",
            "div {one:e}",
            ".endr",
            "rdtsc",
            before = out(reg) before,
            one = in(reg) 1_u32,
            chain = const CHAIN,
            out("eax") after,
            out("edx") _,
            options(nomem, nostack),
        );
    }
    if after.wrapping_sub(before) == CHAIN + AROUND { Unit::Instructions } else { Unit::Cycles }
}

/// Ticks of the counter in a second, by the interval timer that every PC has.
///
/// Neither CPUID nor a table tells what an emulator's counter does, so it is measured, to a
/// thousandth. Never inlined, as [`start`].
#[inline(never)]
#[must_use]
pub fn frequency() -> u64 {
    /// Ticks of the 8254 in a second.
    const TIMER: u64 = 1_193_182;
    /// Measurements in a second.
    const PART: u64 = 100;
    /// Digits that are kept.
    const DIGITS: u64 = 1000;

    let mut timer = interval::Timer::new();
    timer.start((TIMER / PART) as u16);
    let before = Cycles::now();
    while !timer.is_over() {}
    let ticks = (Cycles::now() - before) * PART;
    let mut unit = 1;
    while ticks / unit >= DIGITS {
        unit *= 10;
    }
    (ticks + unit / 2) / unit * unit
}

/// Channel 2 of the 8254, which counts silently unless somebody listens to the speaker.
mod interval {
    use super::Port;
    use bitflags::bitflags;

    bitflags! {
        /// Port 0x61, as far as it is about channel 2.
        #[derive(Clone, Copy)]
        struct Gate: u8 {
            /// The channel counts.
            const COUNT = 1 << 0;
            /// The speaker hears it.
            const SPEAKER = 1 << 1;
            /// It has counted to the end.
            const OVER = 1 << 5;
        }
    }

    /// The 8254's command for channel 2: both bytes of the count, then count to the end once (mode 0).
    const CHANNEL_2_ONCE: u8 = 0b10 << 6 | 0b11 << 4;

    /// The channel.
    pub(super) struct Timer {
        gate: Port<u8>,
        command: Port<u8>,
        count: Port<u8>,
    }

    impl Timer {
        pub(super) const fn new() -> Self {
            Self { gate: Port::new(0x61), command: Port::new(0x43), count: Port::new(0x42) }
        }

        fn gate(&mut self) -> Gate {
            // SAFETY: reading the gate changes nothing.
            Gate::from_bits_retain(unsafe { self.gate.read() })
        }

        /// Counts `ticks` down from now on.
        pub(super) fn start(&mut self, ticks: u16) {
            let gate = self.gate().difference(Gate::SPEAKER).union(Gate::COUNT);
            // SAFETY: nobody else uses this channel, and nobody listens.
            unsafe { self.gate.write(gate.bits()) };
            // SAFETY: the same.
            unsafe { self.command.write(CHANNEL_2_ONCE) };
            for byte in ticks.to_le_bytes() {
                // SAFETY: the same.
                unsafe { self.count.write(byte) };
            }
        }

        /// Whether the count is over.
        pub(super) fn is_over(&mut self) -> bool {
            self.gate().contains(Gate::OVER)
        }
    }
}
