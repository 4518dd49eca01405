//! The MMU of a CPU that runs a shadowed guest: stage 1 from the shadow, stage 2 from the windows.

use alloc::vec::Vec;

use crate::addr::{Addr, Frame, Gpa, Gva, HostPhys, Index, Level, Window};
use crate::attrs::{Access, Kind};
use crate::entry::Entry;
use crate::fault::{Fault, GuestFault};
use crate::format::vmsa_shadow::{InWindow, OUTPUT_BITS, window};
use crate::format::vmsa_stage1::{Regime, Stage1};
use crate::format::{Format, GuestFormat};
use crate::mem::{Entries as _, Memory as _};
use crate::sim::hardware::{Remembered, Violation, canonical};
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

/// An MMU under one set of roots.
#[derive(Clone, Copy, Debug)]
pub struct Mmu<'a> {
    /// Tables and RAM.
    pub memory: &'a Memory,
    /// What it remembers.
    pub tlb: &'a Tlb,
    /// What the guest's registers say. The output size in force is that of the windows.
    pub regime: &'a Regime,
    /// The tag in force.
    pub tag: u16,
}

impl Mmu<'_> {
    /// All that the hardware may make of an access to `at`, without repetition: by a walk, and by
    /// everything that it remembers. The walk is remembered.
    #[must_use]
    pub fn reach(&self, at: Gva, access: Access) -> Vec<Reached> {
        self.tlb.begin_walk();
        let Some(start) = Stage1::start(self.regime, at) else {
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
        let entry = Stage1::decode::<Window>(it.level, it.raw);
        let (Entry::Table(to) | Entry::Leaf(to)) = entry else {
            return Some(Reached::Native(GuestFault::Translation(it.level)));
        };
        if to.start().bits() >> OUTPUT_BITS != 0 {
            return Some(Reached::Native(GuestFault::AddressSize(it.level)));
        }
        if let (Entry::Table(_), Some(below)) = (entry, it.level.below()) {
            return match window(to.start()) {
                InWindow::Memory(table) => {
                    let limits = it.limits_below();
                    let next = Remembered { level: below, limits, ..it };
                    self.walk(at, access, table.frame(), Index::of(at.bits(), below), next)
                }
                InWindow::Hole(_) => Some(Reached::Exit(Fault::Missing { at })),
                InWindow::Alias(_) | InWindow::Outside => {
                    self.tlb.note(Violation::Astray(it.raw));
                    None
                }
            };
        }
        if !Stage1::accessed(it.raw) {
            return Some(Reached::Native(GuestFault::AccessFlag(it.level)));
        }
        if !access.allowed_by(Stage1::rights(self.regime, it.raw, it.limits)) {
            return Some(Reached::Native(GuestFault::Permission(it.level)));
        }
        let offset = at.bits() & (it.level.size() - 1);
        let output = Addr::<Window>::from_bits(to.start().bits() | offset);
        let layout = self.memory.layout();
        let reached = match window(output) {
            InWindow::Memory(host) => layout.guest_address(host).map(Reached::Ram),
            InWindow::Alias(host) => layout.guest_address(host).map(|gpa| match access.kind {
                Kind::Write => Reached::Exit(Fault::Protected { at, gpa }),
                Kind::Read | Kind::Execute => Reached::Ram(gpa),
            }),
            InWindow::Hole(gpa) => Some(Reached::Exit(Fault::Device { at: gpa })),
            InWindow::Outside => None,
        };
        if reached.is_none() {
            self.tlb.note(Violation::Astray(it.raw));
        }
        reached
    }
}
