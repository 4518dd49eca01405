//! A simulated machine: memory, tables, and a TLB that forgets nothing until it is told.
//!
//! Its hardware is as awkward as the architecture lets it be. Whatever a table has ever given may be
//! in the TLB: entries of tables as well as leaves, of every root that was loaded and not dropped.
//! Just before a live entry is changed, all that it led to is put there. An access may use any entry that
//! matches. So a flush that is missing shows at once, and not when luck would have it:
//!
//! - [`Tlb::audit`] compares all that is remembered with what the tables say now;
//! - a live entry that is exchanged while its old value is remembered, a frame that is handed out anew
//!   while anything refers to it, and a write that no walk was told of are noted as [`Violation`]s.
//!
//! One TLB serves the shadow and another the nested tree: [`Stage`] is what tables a TLB is for.
//! [`Hardware`] is what an architecture's MMU makes of a shadow.

mod hardware;
mod memory;
mod mmu;
mod vmsa;
mod x64;

pub use hardware::{RootTable, Stage, Tlb, Violation};
pub use memory::{GuestFrame, Memory, Table};
pub use mmu::{Hardware, Mmu, Next, Reached};

use crate::mem::{Env, World};
use crate::pool::Pool;

/// The types of a simulated world.
#[derive(Debug)]
pub struct Simulated;

impl Env for Simulated {
    type Memory = Memory;
    type Tlb = Tlb;
    type Probe = probe::Counts;
}

/// A simulated world's parts, which [`world`](Self::world) bundles for an operation.
#[derive(Debug)]
pub struct Parts {
    /// Tables and RAM.
    pub memory: Memory,
    /// Frames for tables.
    pub pool: Pool,
    /// The TLB of `stage`.
    pub tlb: Tlb,
    /// The counters.
    pub probe: probe::Counts,
}

impl Parts {
    /// A machine with the RAM that `layout` describes, `frames` frames for tables, and a TLB for
    /// tables of `stage`.
    #[must_use]
    pub fn new(layout: crate::layout::Layout, frames: u32, stage: Stage) -> Self {
        let tlb = Tlb::new(frames, stage);
        Self {
            memory: Memory::new(layout, frames, &tlb),
            pool: Pool::new(frames),
            tlb,
            probe: probe::Counts::NEW,
        }
    }

    /// All of it, for an operation.
    pub fn world(&mut self) -> World<'_, Simulated> {
        World {
            memory: &self.memory,
            pool: &mut self.pool,
            tlb: &mut self.tlb,
            probe: &mut self.probe,
        }
    }
}
