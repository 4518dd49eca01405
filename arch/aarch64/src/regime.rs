//! The EL1&0 translation regime, as a guest's registers describe it.

pub use paging::format::vmsa_stage1::control::{base, excluded};
use paging::format::vmsa_stage1::{Regime, control};

use crate::feature::GUEST_PHYSICAL_BITS;
use crate::regs::{Sctlr, Tcr};

/// What the guest's registers mean.
#[must_use]
pub fn regime(tcr: Tcr, sctlr: Sctlr) -> Regime {
    control::regime(tcr, sctlr, GUEST_PHYSICAL_BITS)
}
