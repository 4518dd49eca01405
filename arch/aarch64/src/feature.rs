//! What the processor has, and what of it a guest is told.
//!
//! A guest's ID registers show what it can really use. Fields are passed one by one: what is not
//! listed reads as zero, which in this scheme means "not there", so a feature that nobody
//! thought of stays hidden. What stays hidden also traps or is without effect (see [`traps`](crate::traps)).

use aarch64_cpu::registers::{
    ID_AA64DFR0_EL1, ID_AA64MMFR0_EL1, ID_AA64MMFR1_EL1, ID_AA64PFR0_EL1, Readable,
};

use crate::regs;

/// Bits of a guest-physical address that guests of either mode are told: 64 GiB.
pub const GUEST_PHYSICAL_BITS: u32 = 36;
/// ID_AA64MMFR0_EL1.PARange for them.
const PHYSICAL_RANGE: u64 = 0b0001;

/// A field that counts from -1: the feature is not there.
const ABSENT: u64 = 0xf;

/// How a field is made from the processor's.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// As it is.
    Pass,
    /// No more than this.
    AtMost(u64),
    /// This.
    Is(u64),
    /// As it is under nested paging; this under shadow paging, where stage 1 is ours.
    Stage1(u64),
}

/// A field of four bits.
type Field = (u32, Rule);

use Rule::{AtMost, Is, Pass, Stage1};

/// "ID_AA64PFR0_EL1": EL0 and EL1 in AArch64 only, FP, AdvSIMD, GIC, DIT, CSV2, CSV3.
const PFR0: &[Field] = &[
    (0, AtMost(1)),
    (4, AtMost(1)),
    (16, Pass),
    (20, Pass),
    (24, AtMost(1)),
    (48, Pass),
    (56, AtMost(1)),
    (60, Pass),
];
/// "ID_AA64PFR1_EL1": BT, SSBS.
const PFR1: &[Field] = &[(0, Pass), (4, Pass)];
/// "ID_AA64DFR0_EL1": DebugVer, breakpoints, watchpoints, context breakpoints; no double lock.
const DFR0: &[Field] = &[(0, Pass), (12, Pass), (20, Pass), (28, Pass), (36, Is(ABSENT))];
/// "ID_AA64ISAR0_EL1": everything but TME.
const ISAR0: &[Field] = &[
    (4, Pass),
    (8, Pass),
    (12, Pass),
    (16, Pass),
    (20, Pass),
    (28, Pass),
    (32, Pass),
    (36, Pass),
    (40, Pass),
    (44, Pass),
    (48, Pass),
    (52, Pass),
    (56, Pass),
    (60, Pass),
];
/// "ID_AA64ISAR1_EL1": everything but XS and LS64.
const ISAR1: &[Field] = &[
    (0, Pass),
    (4, Pass),
    (8, Pass),
    (12, Pass),
    (16, Pass),
    (20, Pass),
    (24, Pass),
    (28, Pass),
    (32, Pass),
    (36, Pass),
    (40, Pass),
    (44, Pass),
    (48, Pass),
    (52, Pass),
];
/// "ID_AA64ISAR2_EL1": WFxT, RPRES, GPA3, APA3, BC, PAC_frac, CSSC.
const ISAR2: &[Field] =
    &[(0, Pass), (4, Pass), (8, Pass), (12, Pass), (20, Pass), (24, Pass), (52, Pass)];
/// "ID_AA64MMFR0_EL1": PARange, ASIDBits, the 4 KiB granule; 16 and 64 KiB under nested paging.
const MMFR0: &[Field] =
    &[(0, Is(PHYSICAL_RANGE)), (4, Pass), (20, Stage1(0)), (24, Stage1(0xf)), (28, Is(0))];
/// "ID_AA64MMFR1_EL1": HAFDBS, HPDS, PAN, XNX is stage 2's, ETS, nTLBPA.
const MMFR1: &[Field] = &[(0, Stage1(0)), (12, AtMost(1)), (20, AtMost(2)), (36, Pass), (48, Pass)];
/// "ID_AA64MMFR2_EL1": CnP, UAO, IESB, CCIDX, AT, IDS, TTL, E0PD.
const MMFR2: &[Field] = &[
    (0, Pass),
    (4, Pass),
    (12, Pass),
    (20, Pass),
    (32, Pass),
    (36, Pass),
    (48, Pass),
    (60, Stage1(0)),
];

/// What a guest reads in the ID register `crm`, `op2` (op0 = 3, op1 = 0, CRn = 0).
#[must_use]
pub fn guest_id(crm: u8, op2: u8, shadow: bool) -> u64 {
    let fields = match (crm, op2) {
        (4, 0) => PFR0,
        (4, 1) => PFR1,
        (5, 0) => DFR0,
        (6, 0) => ISAR0,
        (6, 1) => ISAR1,
        (6, 2) => ISAR2,
        (7, 0) => MMFR0,
        (7, 1) => MMFR1,
        (7, 2) => MMFR2,
        _ => return 0,
    };
    const FIELD: u64 = 0xf;
    let raw = regs::id_register(crm, op2);
    fields.iter().fold(0, |value, &(shift, rule)| {
        let has = raw >> shift & FIELD;
        let told = match rule {
            Pass => has,
            AtMost(_) if has == ABSENT => ABSENT,
            AtMost(limit) => has.min(limit),
            Is(told) => told,
            Stage1(told) => {
                if shadow {
                    told
                } else {
                    has
                }
            }
        };
        value | told << shift
    })
}

/// The level of a feature that the processor lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The boot CPU is not at EL2.
    El2,
    /// The 4 KiB granule at stage 1 and 2.
    Granule,
    /// 40-bit physical addresses.
    PhysicalAddress,
    /// System registers of a GICv3.
    GicV3,
    /// Performance counters, for the clock.
    Counters,
}

impl Missing {
    /// What to tell a person.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::El2 => "the processor was not started at EL2 (QEMU: virtualization=on)",
            Self::Granule => "the processor lacks the 4 KiB granule",
            Self::PhysicalAddress => "the processor has physical addresses of less than 40 bits",
            Self::GicV3 => "the processor lacks the registers of a GICv3 (QEMU: gic-version=3)",
            Self::Counters => "the processor lacks a cycle counter (FEAT_PMUv3)",
        }
    }
}

/// Checks that the processor has what either mode needs.
///
/// # Errors
///
/// The first thing that is missing.
pub fn check() -> Result<(), Missing> {
    use aarch64_cpu::registers::CurrentEL;
    let has = |ok: bool, missing| if ok { Ok(()) } else { Err(missing) };
    has(CurrentEL.matches_all(CurrentEL::EL::EL2), Missing::El2)?;
    let granule = ID_AA64MMFR0_EL1.read(ID_AA64MMFR0_EL1::TGran4);
    has(granule != 0xf, Missing::Granule)?;
    has(ID_AA64MMFR0_EL1.read(ID_AA64MMFR0_EL1::PARange) >= 2, Missing::PhysicalAddress)?;
    const GIC_SHIFT: u32 = 24;
    has(ID_AA64PFR0_EL1.get() >> GIC_SHIFT & 0xf != 0, Missing::GicV3)?;
    let counters = ID_AA64DFR0_EL1.read(ID_AA64DFR0_EL1::PMUVer);
    has(counters != 0 && counters != 0xf, Missing::Counters)
}

/// The last ASID.
#[must_use]
pub fn last_asid() -> u16 {
    let wide = ID_AA64MMFR0_EL1.matches_all(ID_AA64MMFR0_EL1::ASIDBits::Bits_16);
    if wide { u16::MAX } else { u8::MAX.into() }
}

/// Whether there are fine-grained traps: FEAT_FGT.
#[must_use]
pub fn has_fine_traps() -> bool {
    const FGT_SHIFT: u32 = 56;
    ID_AA64MMFR0_EL1.get() >> FGT_SHIFT & 0xf != 0
}

/// Whether there is an HCRX_EL2: FEAT_HCX.
#[must_use]
pub fn has_extended_configuration() -> bool {
    const HCX_SHIFT: u32 = 40;
    ID_AA64MMFR1_EL1.get() >> HCX_SHIFT & 0xf != 0
}
