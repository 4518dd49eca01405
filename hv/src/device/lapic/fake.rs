//! A PC's processor and its interrupt controller in memory, for tests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail"
)]

use arch::apic::{Divide, HostApic, Injection, Mode};
use std::collections::VecDeque;
use std::vec::Vec;

/// What was asked of the physical local APIC.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// What is pending.
    pub(crate) arrived: VecDeque<u8>,
    /// What was ended.
    pub(crate) ended: Vec<u8>,
    /// How the timer counts.
    pub(crate) timer: Option<(u32, Divide, Mode)>,
    /// What it has left.
    pub(crate) left: u32,
    /// How often the timer was started or stopped.
    pub(crate) changes: usize,
    /// How often an interrupt was waited for.
    pub(crate) waits: usize,
}

impl Host {
    /// The timer's vector.
    pub(crate) const TIMER_VECTOR: u8 = 0x30;
}

impl HostApic for Host {
    const TIMER: u8 = Self::TIMER_VECTOR;

    fn acknowledge(&mut self) -> Option<u8> {
        self.arrived.pop_front()
    }

    fn end(&mut self, vector: u8) {
        self.ended.push(vector);
    }

    fn wait(&mut self) {
        self.waits += 1;
    }

    fn start_timer(&mut self, count: u32, divide: Divide, mode: Mode) {
        assert_ne!(count, 0);
        self.timer = Some((count, divide, mode));
        self.left = count;
        self.changes += 1;
    }

    fn stop_timer(&mut self) {
        self.timer = None;
        self.left = 0;
        self.changes += 1;
    }

    fn remaining(&self) -> u32 {
        self.left
    }
}

/// A guest's CPU.
#[derive(Debug, Default)]
pub(crate) struct Guest {
    /// RFLAGS.IF.
    pub(crate) enabled: bool,
    /// An instruction holds interrupts off, or another event is being delivered.
    pub(crate) busy: bool,
    /// A trap waits, or an interrupt that was put off.
    pub(crate) event: bool,
    /// CR8 as it reads.
    pub(crate) priority: u8,
    /// The interrupt that the next entry delivers.
    pub(crate) injected: Option<u8>,
    /// Whether an exit was asked for.
    pub(crate) window: bool,
    /// How often that was said.
    pub(crate) windows: usize,
}

impl Guest {
    /// A guest that takes interrupts.
    pub(crate) fn willing() -> Self {
        Self { enabled: true, ..Self::default() }
    }
}

impl Injection for Guest {
    fn takes_interrupts(&self) -> bool {
        self.enabled && !self.busy && self.injected.is_none()
    }

    fn interrupts_enabled(&self) -> bool {
        self.enabled
    }

    fn has_event(&self) -> bool {
        self.event
    }

    fn show_priority(&mut self, class: u8) {
        self.priority = class;
    }

    fn inject_interrupt(&mut self, vector: u8) {
        assert!(self.takes_interrupts());
        self.injected = Some(vector);
    }

    fn want_window(&mut self, wanted: bool) {
        self.window = wanted;
        self.windows += 1;
    }
}
