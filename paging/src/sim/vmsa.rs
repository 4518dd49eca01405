//! An Arm processor: stage 1 from the shadow, stage 2 from the windows.

use crate::addr::{Addr, Gva, Level, Window};
use crate::attrs::{Access, Kind};
use crate::entry::Entry;
use crate::fault::{Fault, GuestFault};
use crate::format::vmsa_shadow::{InWindow, OUTPUT_BITS, window};
use crate::format::vmsa_stage1::{Regime, Stage1};
use crate::format::{Format, GuestFormat};
use crate::layout::Layout;
use crate::sim::Stage;
use crate::sim::mmu::{Hardware, Next, Reached};

impl Hardware for Stage1 {
    const STAGE: Stage = Stage::One;

    fn is_flat(regime: &Regime, half: usize) -> bool {
        regime.halves[half].flat
    }

    /// The output size in force is that of the windows.
    fn step(
        regime: &Regime,
        layout: &Layout,
        at: Gva,
        access: Access,
        (level, raw, limits): (Level, u64, u64),
    ) -> Next {
        let native = |fault| Next::End(Reached::Native(fault));
        let entry = Self::decode::<Window>(level, raw);
        let (Entry::Table(to) | Entry::Leaf(to)) = entry else {
            return native(GuestFault::Translation(level));
        };
        if to.start().bits() >> OUTPUT_BITS != 0 {
            return native(GuestFault::AddressSize(level));
        }
        if let Entry::Table(_) = entry {
            return match window(to.start()) {
                InWindow::Memory(table) => Next::Table(table.frame()),
                InWindow::Hole(_) => Next::End(Reached::Exit(Fault::Missing { at })),
                InWindow::Alias(_) | InWindow::Outside => Next::Astray,
            };
        }
        if !Self::accessed(raw) {
            return native(GuestFault::AccessFlag(level));
        }
        if !access.allowed_by(Self::rights(regime, raw, limits)) {
            return native(GuestFault::Permission(level));
        }
        let offset = at.bits() & (level.size() - 1);
        let output = Addr::<Window>::from_bits(to.start().bits() | offset);
        let reached = match window(output) {
            InWindow::Memory(host) => layout.guest_address(host).map(Reached::Ram),
            InWindow::Alias(host) => layout.guest_address(host).map(|gpa| match access.kind {
                Kind::Write => Reached::Exit(Fault::Protected { at, gpa }),
                Kind::Read | Kind::Execute => Reached::Ram(gpa),
            }),
            InWindow::Hole(gpa) => Some(Reached::Exit(Fault::Device { at: gpa })),
            InWindow::Outside => None,
        };
        reached.map_or(Next::Astray, Next::End)
    }
}
