//! An x86-64 processor: the shadow is all that it walks.

use crate::addr::{Addr, Gva, HostPhys, Level};
use crate::attrs::Access;
use crate::entry::Entry;
use crate::fault::{Fault, GuestFault};
use crate::format::x64::{Bits, Regime, X64};
use crate::format::{Format, GuestFormat};
use crate::layout::Layout;
use crate::sim::Stage;
use crate::sim::mmu::{Hardware, Next, Reached};

impl Hardware for X64 {
    const STAGE: Stage = Stage::X64;

    fn is_flat(_regime: &Regime, _half: usize) -> bool {
        false
    }

    /// As on VT-x with its filter of page faults, one with P = 0 is the guest's. The shadow's flags are
    /// set, so that the hardware need not set them.
    fn step(
        regime: &Regime,
        layout: &Layout,
        at: Gva,
        access: Access,
        (level, raw, limits): (Level, u64, u64),
    ) -> Next {
        let bits = Bits::from_bits_retain(raw);
        let exit = Next::End(Reached::Exit(Fault::Page { at, access, present: true }));
        match Self::decode::<HostPhys>(level, raw) {
            Entry::Hole => Next::End(Reached::Native(GuestFault::Translation(level))),
            _ if !Self::STAGE.is_live(raw) => exit,
            _ if !bits.contains(Bits::ACCESSED) => Next::Astray,
            _ if bits.contains(Bits::EXECUTE_DISABLE) && !regime.execute_disable => Next::Astray,
            Entry::Table(to) => Next::Table(to),
            Entry::Leaf(_) if !access.allowed_by(Self::rights(regime, raw, limits)) => exit,
            Entry::Leaf(_) if bits.contains(Bits::GLOBAL) || !bits.contains(Bits::DIRTY) => {
                Next::Astray
            }
            Entry::Leaf(to) => {
                let offset = at.bits() & (level.size() - 1);
                let host = Addr::<HostPhys>::from_bits(to.start().bits() | offset);
                layout.guest_address(host).map_or(Next::Astray, |gpa| Next::End(Reached::Ram(gpa)))
            }
        }
    }
}
