//! What the architectures say of tables and of what may be remembered of them.

use crate::addr::{HostPhys, Level};
use crate::entry::Entry;
use crate::format::ept::Ept;
use crate::format::vmsa_shadow::OUTPUT_BITS;
use crate::format::vmsa_stage1::{self, Stage1};
use crate::format::vmsa_stage2::Stage2;
use crate::format::x64::{self, X64};
use crate::format::{Format, GuestFormat};

/// Bits of a physical address on the x86 processor, with room for the reserved ones.
const X64_OUTPUT_BITS: u32 = 46;

/// Which tables a TLB is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Stage 1 of Arm's EL1&0 regime, where the shadow stands.
    One,
    /// Stage 2.
    Two,
    /// 4-level paging of x86-64, where the shadow stands; or nested tables of AMD.
    X64,
    /// Extended page tables.
    Ept,
}

/// Whether something is remembered, and for whom.
pub(super) enum Kept {
    /// Not at all.
    Not,
    /// For one tag.
    Tagged,
    /// For every tag.
    Global,
}

impl Stage {
    /// Whether walks see a write at once, as on x86.
    pub(super) const fn walks_see_writes(self) -> bool {
        matches!(self, Self::X64 | Self::Ept)
    }

    /// Whether a fault makes the hardware forget its address.
    pub(super) const fn forgets_at_faults(self) -> bool {
        matches!(self, Self::X64)
    }

    /// Whether a walker may use `raw`.
    pub(in crate::sim) fn is_live(self, raw: u64) -> bool {
        match self {
            Self::One => Stage1::is_live(raw),
            Self::Two => Stage2::is_live(raw),
            Self::X64 => X64::is_live(raw) && (raw & x64::ADDRESS) >> X64_OUTPUT_BITS == 0,
            Self::Ept => Ept::is_live(raw),
        }
    }

    /// The address in `raw`, if it has the form of a table entry at some level.
    pub(super) fn table_address(self, raw: u64) -> Option<u64> {
        let table = vmsa_stage1::Bits::TABLE.bits();
        match self {
            Self::One | Self::Two => (raw & table == table).then_some(raw & vmsa_stage1::ADDRESS),
            Self::X64 | Self::Ept => self.is_live(raw).then_some(raw & x64::ADDRESS),
        }
    }

    /// What the table entry `raw` takes away.
    pub(super) fn limits(self, raw: u64) -> u64 {
        match self {
            Self::One => raw & vmsa_stage1::Bits::TABLE_LIMITS.bits(),
            Self::X64 => {
                let taken = x64::Bits::WRITABLE | x64::Bits::USER;
                !raw & taken.bits() | raw & x64::Bits::EXECUTE_DISABLE.bits()
            }
            Self::Two | Self::Ept => 0,
        }
    }

    /// Whether live `old` may become live `new` while it is remembered.
    pub(super) fn may_replace(self, old: u64, new: u64) -> bool {
        match self {
            Self::One => Stage1::may_replace_live(old, new),
            Self::Two => Stage2::may_replace_live(old, new),
            Self::X64 | Self::Ept => true,
        }
    }

    /// Whether an entry with limits may be remembered although the tables say another now. On x86 that is
    /// so if they let more be written: whoever writes takes a fault, which forgets the address.
    pub(super) fn may_linger(self, (raw, limits): (u64, u64), now: (u64, u64)) -> bool {
        let write = x64::Bits::WRITABLE.bits();
        let for_software = 0b111 << 9;
        match self {
            Self::X64 => {
                let same = (raw ^ now.0) & !(write | for_software) == 0;
                let no_more = raw & !now.0 & write == 0;
                same && no_more && (limits == now.1 || limits == now.1 | write)
            }
            _ => (raw, limits) == now,
        }
    }

    /// Whether the TLB may keep `raw`, an entry of a table of `level`.
    pub(super) fn kept(self, level: Level, raw: u64) -> Kept {
        let leaf = match self {
            Self::One | Self::Two => Stage1::decode::<HostPhys>(level, raw),
            Self::X64 => X64::decode(level, raw),
            Self::Ept => Ept::decode(level, raw),
        };
        let vmsa = vmsa_stage1::Bits::from_bits_retain(raw);
        let beyond = (raw & vmsa_stage1::ADDRESS) >> OUTPUT_BITS != 0;
        match (self, leaf) {
            _ if !self.is_live(raw) => Kept::Not,
            (_, Entry::Hole) => Kept::Not,
            (Self::One, _) if beyond => Kept::Not,
            (Self::One | Self::Two, Entry::Leaf(_))
                if !vmsa.contains(vmsa_stage1::Bits::ACCESSED) =>
            {
                Kept::Not
            }
            (Self::One, Entry::Leaf(_)) if !vmsa.contains(vmsa_stage1::Bits::NOT_GLOBAL) => {
                Kept::Global
            }
            (Self::X64, Entry::Leaf(_)) if raw & x64::Bits::GLOBAL.bits() != 0 => Kept::Global,
            _ => Kept::Tagged,
        }
    }

    /// The address that root and indices `bits` select.
    pub(super) fn extended(self, bits: u64) -> u64 {
        match self {
            Self::X64 => X64::canonical(bits).bits(),
            _ => bits,
        }
    }
}
