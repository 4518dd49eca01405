//! Which register an access reaches.
//!
//! Arm IHI 0069, "The GIC Distributor register map" and "The GIC Redistributor register map".
//! Registers are 32 bits wide; priorities also take single bytes ("GIC memory-mapped register
//! access"), and 64-bit registers take halves. Anything else is a constant zero that ignores writes.

use super::{Frame, PRIVATE, SHARED, Width};

/// The distributor's registers that are not arrays.
pub(super) mod distributor {
    /// `GICD_CTLR`.
    pub(super) const CTLR: u64 = 0x0000;
    /// `GICD_CTLR.EnableGrp0`.
    pub(in super::super) const CTLR_ENABLE_GRP0: u64 = 1 << 0;
    /// `GICD_CTLR.EnableGrp1`.
    pub(in super::super) const CTLR_ENABLE_GRP1: u64 = 1 << 1;
    /// `GICD_CTLR.ARE`: affinity routing, always on.
    pub(in super::super) const CTLR_ARE: u64 = 1 << 4;
    /// `GICD_CTLR.DS`: one security state.
    pub(in super::super) const CTLR_DS: u64 = 1 << 6;
    /// `GICD_TYPER`.
    pub(in super::super) const TYPER: u64 = 0x0004;
    /// What `GICD_TYPER` reads: `ITLinesNumber` counts words of SPIs, `IDbits` is 10 bits less
    /// one, and `No1N` says that an SPI has one target.
    pub(in super::super) const TYPER_VALUE: u64 =
        (super::SHARED as u64 / 32) | (9 << 19) | (1 << 25);
    /// `GICD_IIDR`.
    pub(super) const IIDR: u64 = 0x0008;
    /// The first `GICD_IROUTER`, that of INTID 32.
    pub(super) const IROUTER: u64 = 0x6100;
}

/// The redistributor's registers that are not arrays.
pub(super) mod redistributor {
    /// `GICR_IIDR`.
    pub(super) const IIDR: u64 = 0x0004;
    /// `GICR_TYPER`, 64 bits.
    pub(super) const TYPER: u64 = 0x0008;
    /// Its upper half: the affinity.
    pub(super) const TYPER_HIGH: u64 = 0x000c;
    /// `GICR_TYPER.Last`: no other redistributor follows. Affinity and processor number are 0.
    pub(super) const TYPER_LAST: u64 = 1 << 4;
    /// `GICR_WAKER`.
    pub(super) const WAKER: u64 = 0x0014;
    /// `GICR_WAKER.ProcessorSleep`.
    pub(in super::super) const WAKER_PROCESSOR_SLEEP: u64 = 1 << 1;
    /// `GICR_WAKER.ChildrenAsleep`.
    pub(in super::super) const WAKER_CHILDREN_ASLEEP: u64 = 1 << 2;
    /// Where the frame of SGIs and PPIs begins.
    pub(super) const SGI_BASE: u64 = 0x1_0000;
}

/// `GICD_PIDR2` and `GICR_PIDR2`.
const PIDR2: u64 = 0xffe8;
/// Architecture revision 3, and a JEP106 designer.
const PIDR2_VALUE: u64 = 0x3b;
/// `IIDR`: the implementer Arm, without a product.
const IIDR_VALUE: u64 = 0x43b;
/// The first register with a bit for each interrupt.
const BITS: u64 = 0x0080;
/// The last of them ends here, and `IPRIORITYR` begins.
const PRIORITY: u64 = 0x0400;
/// `IPRIORITYR` ends here.
const PRIORITY_END: u64 = 0x0800;
/// `ICFGR`, two bits for each interrupt.
const CONFIGURATION: u64 = 0x0c00;
/// `ICFGR` ends here.
const CONFIGURATION_END: u64 = 0x0d00;

/// Registers with a bit for each interrupt, in the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bank {
    /// `IGROUPR`.
    Group,
    /// `ISENABLER`.
    SetEnable,
    /// `ICENABLER`.
    ClearEnable,
    /// `ISPENDR`.
    SetPending,
    /// `ICPENDR`.
    ClearPending,
    /// `ISACTIVER`.
    SetActive,
    /// `ICACTIVER`.
    ClearActive,
}

/// The part of a 64-bit register that an access moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// Bits 31 to 0.
    Low,
    /// Bits 63 to 32.
    High,
}

impl Part {
    /// This part of `register`.
    pub(super) const fn of(self, register: u64) -> u64 {
        match self {
            Self::Whole => register,
            Self::Low => register & 0xffff_ffff,
            Self::High => register >> 32,
        }
    }

    /// `register` with this part taken from `value`.
    pub(super) const fn replace(self, register: u64, value: u64) -> u64 {
        match self {
            Self::Whole => value,
            Self::Low => Self::High.of(register) << 32 | Self::Low.of(value),
            Self::High => value << 32 | Self::Low.of(register),
        }
    }
}

/// What an access reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    /// Always the same value; writes are ignored.
    Constant(u64),
    /// `GICD_CTLR`.
    DistributorControl,
    /// `GICR_WAKER`.
    Waker,
    /// A word of a [`Bank`].
    Bits(Bank, usize),
    /// The priority of this interrupt and, by the width, of those after it.
    Priority(usize, Width),
    /// `ICFGR` of the 16 interrupts from this number times 16 on.
    Trigger(usize),
    /// `GICD_IROUTER` of this SPI, counted from 0.
    Route(usize, Part),
}

impl Register {
    /// Reads as zero, ignores writes.
    const NOTHING: Self = Self::Constant(0);

    /// The register for `width` at `offset` of `frame`.
    pub(super) fn decode(frame: Frame, offset: u64, width: Width) -> Self {
        if !width.is_aligned(offset) {
            return Self::NOTHING;
        }
        match frame {
            Frame::Distributor => Self::in_distributor(offset, width),
            Frame::Redistributor => match offset.checked_sub(redistributor::SGI_BASE) {
                None => Self::in_redistributor(offset, width),
                Some(offset) => {
                    Self::in_arrays(offset, width).filter(Self::is_private).unwrap_or(Self::NOTHING)
                }
            },
        }
    }

    /// A register of the distributor. With affinity routing the private interrupts are not here.
    fn in_distributor(offset: u64, width: Width) -> Self {
        match (offset, width) {
            (distributor::CTLR, Width::Word) => Self::DistributorControl,
            (distributor::TYPER, Width::Word) => Self::Constant(distributor::TYPER_VALUE),
            (distributor::IIDR, Width::Word) => Self::Constant(IIDR_VALUE),
            (PIDR2, Width::Word) => Self::Constant(PIDR2_VALUE),
            (distributor::IROUTER.., _) => Self::route(offset, width),
            _ => Self::in_arrays(offset, width)
                .filter(|register| !register.is_private())
                .unwrap_or(Self::NOTHING),
        }
    }

    /// A register of the redistributor's control frame.
    const fn in_redistributor(offset: u64, width: Width) -> Self {
        match (offset, width) {
            (redistributor::IIDR, Width::Word) => Self::Constant(IIDR_VALUE),
            (redistributor::TYPER, Width::Word | Width::Double) => {
                Self::Constant(redistributor::TYPER_LAST)
            }
            (redistributor::TYPER_HIGH, Width::Word) => Self::Constant(0),
            (redistributor::WAKER, Width::Word) => Self::Waker,
            (PIDR2, Width::Word) => Self::Constant(PIDR2_VALUE),
            _ => Self::NOTHING,
        }
    }

    /// A register of the arrays, which the distributor and the redistributor have at the same
    /// offsets.
    fn in_arrays(offset: u64, width: Width) -> Option<Self> {
        match (offset, width) {
            (BITS..PRIORITY, Width::Word) => {
                let bank = match offset >> 7 {
                    1 => Bank::Group,
                    2 => Bank::SetEnable,
                    3 => Bank::ClearEnable,
                    4 => Bank::SetPending,
                    5 => Bank::ClearPending,
                    6 => Bank::SetActive,
                    _ => Bank::ClearActive,
                };
                Some(Self::Bits(bank, (offset >> 2 & 0x1f) as usize))
            }
            (PRIORITY..PRIORITY_END, Width::Byte | Width::Word) => {
                Some(Self::Priority((offset & 0x3ff) as usize, width))
            }
            (CONFIGURATION..CONFIGURATION_END, Width::Word) => {
                Some(Self::Trigger((offset >> 2 & 0x3f) as usize))
            }
            _ => None,
        }
    }

    /// A `GICD_IROUTER`, or nothing.
    const fn route(offset: u64, width: Width) -> Self {
        let offset = offset.wrapping_sub(distributor::IROUTER);
        let index = offset >> 3;
        let part = match (width, offset & 4) {
            (Width::Double, _) => Part::Whole,
            (Width::Word, 0) => Part::Low,
            (Width::Word, _) => Part::High,
            _ => return Self::NOTHING,
        };
        if index < SHARED as u64 { Self::Route(index as usize, part) } else { Self::NOTHING }
    }

    /// Whether a register of the arrays is about private interrupts.
    const fn is_private(&self) -> bool {
        match *self {
            Self::Bits(_, word) => word == 0,
            Self::Priority(first, _) => first < PRIVATE as usize,
            Self::Trigger(half) => half < 2,
            _ => false,
        }
    }
}

/// A request for a software generated interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SgiRequest {
    /// The interrupt, 0 to 15.
    pub(super) intid: u32,
    /// Whether the CPU at affinity 0.0.0.0 is a target when it is also the sender.
    pub(super) targets_first: bool,
}

impl From<u64> for SgiRequest {
    /// Decodes `ICC_SGI1R_EL1`: "ICC_SGI1R_EL1, Interrupt Controller Software Generated Interrupt
    /// Group 1 Register".
    fn from(value: u64) -> Self {
        /// `Aff3`, `RS`, `IRM` (all but the sender), `Aff2`, `Aff1`: zero for 0.0.0.0/16.
        const ELSEWHERE: u64 = 0xff << 48 | 0xf << 44 | 1 << 40 | 0xff << 32 | 0xff << 16;
        /// `TargetList`, the bit of affinity 0.
        const FIRST: u64 = 1;
        Self {
            intid: (value >> 24 & 0xf) as u32,
            targets_first: value & ELSEWHERE == 0 && value & FIRST != 0,
        }
    }
}
