//! The registers that say how stage 1's tables are walked: Arm DDI 0487, "SCTLR_EL1, System Control Register",
//! "TCR_EL1, Translation Control Register", "TTBR0_EL1, Translation Table Base Register 0".
//!
//! Numbers in, facts out: who reads and writes the registers is not known here.

use bitflags::bitflags;

use crate::addr::{Gpa, Level};
use crate::format::GuestFormat as _;
use crate::format::vmsa_stage1::{ADDRESS, HalfRegime, Regime, Stage1};
use crate::mem::ENTRY_SHIFT;

bitflags! {
    /// SCTLR_EL1, as far as it is looked at.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Sctlr: u64 {
        /// M: stage 1 is on.
        const MMU = 1 << 0;
        /// WXN: what may be written is not executed.
        const WRITE_EXECUTE_NEVER = 1 << 19;
        /// SPAN: PSTATE.PAN is left alone by an exception.
        const SET_NO_PAN = 1 << 23;
        /// E0E: data accesses at EL0 are big-endian.
        const BIG_ENDIAN_EL0 = 1 << 24;
        /// EE: data accesses and walks at EL1 are big-endian.
        const BIG_ENDIAN = 1 << 25;
        /// DSSBS: PSTATE.SSBS after an exception.
        const DEFAULT_SSBS = 1 << 44;
    }
}

bitflags! {
    /// TCR_EL1: what shadow paging decides about ("TCR_EL1, Translation Control Register").
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Tcr: u64 {
        /// EPD0: no walks of TTBR0_EL1.
        const NO_WALK0 = 1 << 7;
        /// TG0: 0 is 4 KiB.
        const GRANULE0 = 0b11 << 14;
        /// EPD1: no walks of TTBR1_EL1.
        const NO_WALK1 = 1 << 23;
        /// TG1: 0b10 is 4 KiB.
        const GRANULE1 = 0b11 << 30;
        /// TG1 for 4 KiB.
        const GRANULE1_4K = 0b10 << 30;
        /// IPS: the size of an output address.
        const OUTPUT_SIZE = 0b111 << 32;
        /// IPS: 40 bits.
        const OUTPUT_40_BITS = 0b010 << 32;
        /// AS: ASIDs have 16 bits.
        const WIDE_ASIDS = 1 << 36;
        /// TBI0.
        const TOP_BYTE_IGNORED0 = 1 << 37;
        /// TBI1.
        const TOP_BYTE_IGNORED1 = 1 << 38;
        /// HA: hardware sets the access flag.
        const HARDWARE_ACCESS = 1 << 39;
        /// HD: hardware sets the dirty state.
        const HARDWARE_DIRTY = 1 << 40;
        /// HPD0.
        const FLAT0 = 1 << 41;
        /// HPD1.
        const FLAT1 = 1 << 42;
        /// HWU059 to HWU162: hardware uses bits of a leaf.
        const HARDWARE_USE = 0xff << 43;
        /// E0PD0 and E0PD1: a half is not for EL0.
        const NO_USER_HALF = 0b11 << 55;
        /// DS: 52-bit addresses.
        const LARGE_ADDRESS = 1 << 59;
        /// IRGN0, ORGN0 and SH0: how walks of TTBR0_EL1 access memory.
        const WALK0 = 0b11_1111 << 8;
        /// The same for TTBR1_EL1.
        const WALK1 = 0b11_1111 << 24;
        /// Walks of TTBR0_EL1: write-back, inner shareable.
        const WALK0_CACHED = 0b11_0101 << 8;
        /// Walks of TTBR1_EL1: write-back, inner shareable.
        const WALK1_CACHED = 0b11_0101 << 24;
    }
}

impl Tcr {
    /// What the ID registers of a shadowed guest say it does not have: RES0.
    pub const ABSENT: Self = Self::HARDWARE_ACCESS
        .union(Self::HARDWARE_DIRTY)
        .union(Self::HARDWARE_USE)
        .union(Self::NO_USER_HALF)
        .union(Self::LARGE_ADDRESS);
    /// Bits of T0SZ and of T1SZ.
    const SIZE: u64 = 0x3f;
    /// Where T1SZ begins.
    const SIZE1_SHIFT: u32 = 16;
    /// Where IPS begins.
    const OUTPUT_SHIFT: u32 = 32;
    /// The least TnSZ: 48-bit addresses.
    const SIZE_MIN: u64 = 16;
    /// The largest TnSZ without FEAT_TTST: 25-bit addresses.
    const SIZE_MAX: u64 = 39;

    /// TnSZ of `half`, within the limits that the architecture applies to it.
    #[must_use]
    pub fn size(self, half: usize) -> u64 {
        let field = self.bits() >> if half == 0 { 0 } else { Self::SIZE1_SHIFT } & Self::SIZE;
        field.clamp(Self::SIZE_MIN, Self::SIZE_MAX)
    }

    /// The same register with TnSZ of both halves within those limits.
    #[must_use]
    pub fn with_clamped_sizes(self) -> Self {
        let fields = Self::SIZE | Self::SIZE << Self::SIZE1_SHIFT;
        let sizes = self.size(0) | self.size(1) << Self::SIZE1_SHIFT;
        Self::from_bits_retain(self.bits() & !fields | sizes)
    }

    /// Bits of an output address that IPS allows.
    #[must_use]
    pub const fn output_bits(self) -> u32 {
        output_bits(self.bits() >> Self::OUTPUT_SHIFT)
    }
}

/// Whether tables have a form that is not walked here: a granule other than 4 KiB. TG1 = 0 is
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

/// What the registers mean to a processor with `physical_bits` bits of a physical address.
#[must_use]
pub fn regime(tcr: Tcr, sctlr: Sctlr, physical_bits: u32) -> Regime {
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
        output_bits: tcr.output_bits().min(physical_bits),
        write_execute_never: sctlr.contains(Sctlr::WRITE_EXECUTE_NEVER),
    }
}

/// Bits of a physical address that a field of three bits names: IPS, PS.
#[must_use]
pub const fn output_bits(field: u64) -> u32 {
    match field & 0b111 {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        _ => 48,
    }
}

/// The address in a TTBR or in VTTBR_EL2 of a root table of `size` bytes, to which it is aligned: at least 64.
#[must_use]
pub const fn root_address(register: u64, size: u64) -> u64 {
    /// Bits 47:1 hold the address, and the least significant of them are RES0.
    const WIDTH: u64 = ADDRESS | (Level::PAGE.size() - 1);
    let aligned = if size < 64 { 64 } else { size };
    register & WIDTH & !(aligned - 1)
}

/// The root table in a TTBR.
#[must_use]
pub fn base(regime: &Regime, half: usize, ttbr: u64) -> Gpa {
    let entries = Stage1::root(regime, half).map_or(0, |start| start.entries);
    Gpa::from_bits(root_address(ttbr, u64::from(entries) << ENTRY_SHIFT))
}
