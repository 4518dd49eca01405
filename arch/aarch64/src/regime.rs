//! The EL1&0 translation regime, as a guest's registers describe it.

use paging::addr::{Gpa, Level};
use paging::format::GuestFormat;
use paging::format::vmsa_stage1::{ADDRESS, HalfRegime, Regime, Stage1};

use crate::feature::GUEST_PHYSICAL_BITS;
use crate::regs::{Sctlr, Tcr};

/// Whether the guest's tables have a form that is not shadowed: a granule other than 4 KiB. TG1 = 0 is
/// reserved and means any granule that there is.
#[must_use]
pub fn excluded(tcr: Tcr) -> bool {
    let upper_granule = tcr.intersection(Tcr::GRANULE1);
    let lower = !tcr.contains(Tcr::NO_WALK0) && tcr.intersects(Tcr::GRANULE0);
    let upper = !tcr.contains(Tcr::NO_WALK1)
        && upper_granule != Tcr::GRANULE1_4K
        && !upper_granule.is_empty();
    lower || upper
}

/// What the guest's registers mean.
#[must_use]
pub fn regime(tcr: Tcr, sctlr: Sctlr) -> Regime {
    let half = |half: usize, disabled, flat, top_byte| HalfRegime {
        input_bits: u64::BITS - tcr.size(half) as u32,
        disabled: tcr.contains(disabled),
        flat: tcr.contains(flat),
        top_byte_ignored: tcr.contains(top_byte),
    };
    Regime {
        halves: [
            half(0, Tcr::NO_WALK0, Tcr::FLAT0, Tcr::TOP_BYTE_IGNORED0),
            half(1, Tcr::NO_WALK1, Tcr::FLAT1, Tcr::TOP_BYTE_IGNORED1),
        ],
        output_bits: tcr.output_bits().min(GUEST_PHYSICAL_BITS),
        write_execute_never: sctlr.contains(Sctlr::WRITE_EXECUTE_NEVER),
    }
}

/// The address of the root table in a TTBR: aligned to its size, at least 64 bytes.
#[must_use]
pub fn base(regime: &Regime, half: usize, ttbr: u64) -> Gpa {
    let entries = Stage1::root(regime, half).map_or(0, |start| start.entries);
    let size = u64::from(entries * 8).max(64);
    /// Bits 47:1 hold the address, and the least significant of them are RES0.
    const WIDTH: u64 = ADDRESS | (Level::PAGE.size() - 1);
    Gpa::from_bits(ttbr & WIDTH & !(size - 1))
}
