//! The MMU of a CPU that runs a shadowed guest.

use alloc::vec::Vec;

use crate::addr::{Addr, Frame, Gpa, Gva, HostPhys, Index, Level};
use crate::attrs::Access;
use crate::fault::{Fault, GuestFault};
use crate::format::{GuestFormat, ShadowFormat};
use crate::layout::Layout;
use crate::mem::{Entries as _, Memory as _};
use crate::sim::hardware::{Remembered, Stage, Violation, canonical};
use crate::sim::{Memory, Tlb};

/// What the hardware made of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// It reached a byte of RAM.
    Ram(Gpa),
    /// The guest got a fault, without an exit.
    Native(GuestFault),
    /// The hypervisor got a fault.
    Exit(Fault),
}

/// What one entry makes of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// It goes on in this table, one level below.
    Table(Frame<HostPhys>),
    /// That was all.
    End(Reached),
    /// It is an entry as the engine writes none.
    Astray,
}

/// A guest's architecture, as its processor runs it on shadows.
pub trait Hardware: GuestFormat + ShadowFormat<Self> + Sized {
    /// The tables that shadows are.
    const STAGE: Stage;

    /// Whether what table entries take away is ignored below root `half`.
    fn is_flat(regime: &Self::Regime, half: usize) -> bool;

    /// What `raw`, an entry of a table of `level` with `limits` above it, makes of an access.
    fn step(
        regime: &Self::Regime,
        layout: &Layout,
        at: Gva,
        access: Access,
        entry: (Level, u64, u64),
    ) -> Next;
}

/// An MMU under one set of roots.
#[derive(Clone, Copy, Debug)]
pub struct Mmu<'a, H: Hardware> {
    /// Tables and RAM.
    pub memory: &'a Memory,
    /// What it remembers.
    pub tlb: &'a Tlb,
    /// What the registers say.
    pub regime: &'a H::Regime,
    /// The tag in force.
    pub tag: u16,
}

impl<H: Hardware> Mmu<'_, H> {
    /// All that the hardware may make of an access to `at`, without repetition: by a walk, and by
    /// everything that it remembers. The walk is remembered.
    #[must_use]
    pub fn reach(&self, at: Gva, access: Access) -> Vec<Reached> {
        self.tlb.begin_walk();
        let Some(start) = H::start(self.regime, at) else {
            return alloc::vec![Reached::Native(GuestFault::Translation(Level::TOP))];
        };
        let mut all = Vec::new();
        let mut add = |reached: Option<Reached>| {
            if let Some(reached) = reached
                && !all.contains(&reached)
            {
                all.push(reached);
            }
        };
        for it in self.tlb.matching(self.tag, canonical(at)) {
            add(self.step(at, access, it));
        }
        if let Some(root) = self.tlb.roots(self.tag)[start.half] {
            let base = Gpa::from_bits(root.address.bits());
            let first = Remembered {
                tag: Some(self.tag),
                root,
                at: 0,
                level: start.level,
                raw: 0,
                limits: 0,
            };
            add(self.walk(at, access, root.address.frame(), start.index(base, at), first));
        }
        all
    }

    /// Goes on from the entry `index` of the table in `frame`, which `way` says all about but the
    /// entry itself and its address.
    fn walk(
        &self,
        at: Gva,
        access: Access,
        frame: Frame<HostPhys>,
        index: Index,
        way: Remembered,
    ) -> Option<Reached> {
        let Some(page) = self.memory.page_of(frame) else {
            self.tlb.note(Violation::NoTable(frame.start().bits()));
            return None;
        };
        let raw = self.memory.table(page).get(index);
        let first = Addr::<crate::addr::GuestVirt>::from_bits(canonical(at)).align_down(way.level);
        let here = Remembered { raw, at: first.bits(), ..way };
        self.tlb.remember(page, index, here);
        self.step(at, access, here)
    }

    /// What the entry `it` makes of the access.
    fn step(&self, at: Gva, access: Access, it: Remembered) -> Option<Reached> {
        let entry = (it.level, it.raw, it.limits);
        match (H::step(self.regime, self.memory.layout(), at, access, entry), it.level.below()) {
            (Next::End(reached), _) => Some(reached),
            (Next::Table(table), Some(below)) => {
                let next = Remembered { level: below, limits: self.tlb.limits_below(&it), ..it };
                self.walk(at, access, table, Index::of(at.bits(), below), next)
            }
            (Next::Table(_) | Next::Astray, _) => {
                self.tlb.note(Violation::Astray(it.raw));
                None
            }
        }
    }
}
