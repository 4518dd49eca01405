//! An Arm guest: VMSAv8-64.

use paging::addr::{Gpa, Gva, Level, PAGE_SIZE};
use paging::attrs::Kind;
use paging::fault::GuestFault;
use paging::format::GuestFormat;
use paging::format::vmsa_stage1::{Bits, HalfRegime, Regime, Stage1};
use paging::format::vmsa_stage2::Stage2;
use paging::sim::{Memory, Stage};

use crate::ops::Form;
use crate::scenario::number;
use crate::{Arch, Seen};

/// What the bits of packed attributes stand for.
pub const ATTRS: [Bits; 16] = [
    Bits::ACCESSED,
    Bits::AP_USER,
    Bits::AP_READ_ONLY,
    Bits::NOT_GLOBAL,
    Bits::PRIVILEGED_EXECUTE_NEVER,
    Bits::EXECUTE_NEVER,
    Bits::GUARDED,
    Bits::ATTR_INDEX,
    Bits::INNER_SHAREABLE,
    Bits::CONTIGUOUS,
    Bits::DIRTY_MODIFIER,
    Bits::NON_SECURE,
    Bits::TABLE_NO_USER,
    Bits::TABLE_READ_ONLY,
    Bits::TABLE_EXECUTE_NEVER,
    Bits::TABLE_PRIVILEGED_EXECUTE_NEVER,
];

/// Both halves in use, with addresses of so many bits.
#[must_use]
pub const fn regime(low: u32, high: u32) -> Regime {
    Regime { halves: [plain(low), plain(high)], output_bits: 36, write_execute_never: false }
}

const fn plain(input_bits: u32) -> HalfRegime {
    HalfRegime { input_bits, disabled: false, flat: false, top_byte_ignored: false }
}

impl Arch for Stage1 {
    type Nested = Stage2;
    const NESTED: Stage = Stage::Two;
    const OPEN_BUS: bool = false;
    const REGIME: Regime = regime(48, 48);

    fn input_bits(regime: &Regime, half: usize) -> u32 {
        regime.halves[half].input_bits
    }

    fn lowest(regime: &Regime, half: usize) -> u64 {
        Self::base(regime, half).bits()
    }

    /// At least 64 bytes, as the architecture demands.
    fn root_of(regime: &Regime, half: usize) -> (usize, u64) {
        let described = HalfRegime { disabled: false, ..regime.halves[half] };
        let mut regime = *regime;
        regime.halves[half] = described;
        let start = Self::root(&regime, half);
        (half, start.map_or(PAGE_SIZE, |start| u64::from(start.entries) * 8).max(64))
    }

    fn tagged(at: u64, tag: u8) -> u64 {
        if tag == 0 { at } else { at & (u64::MAX >> 8) | u64::from(tag) << 56 }
    }

    fn is_too_large(regime: &Regime, at: u64) -> bool {
        at >> regime.output_bits != 0
    }

    fn descriptor(form: Form, attrs: u16) -> u64 {
        let mut bits = match form {
            Form::Long => Bits::TABLE,
            Form::Short => Bits::VALID,
            Form::Invalid => Bits::TABLE_OR_PAGE,
            Form::Empty => return 0,
        };
        for (place, attr) in ATTRS.iter().enumerate() {
            bits.set(*attr, attrs >> place & 1 != 0);
        }
        bits.bits()
    }

    fn link(_number: u8) -> u64 {
        Bits::TABLE.bits()
    }

    fn form(name: &str) -> Option<u64> {
        let bits = match name {
            "table" => Bits::TABLE,
            "page" => Bits::TABLE | Bits::ACCESSED | Bits::ATTR_INDEX,
            "block" => Bits::VALID | Bits::ACCESSED | Bits::ATTR_INDEX,
            "invalid" => Bits::TABLE_OR_PAGE,
            _ => return None,
        };
        Some(bits.bits())
    }

    fn attribute(raw: u64, word: &str) -> Option<u64> {
        let mut bits = Bits::from_bits_retain(raw);
        match word {
            "user" => bits |= Bits::AP_USER,
            "ro" => bits |= Bits::AP_READ_ONLY,
            "ng" => bits |= Bits::NOT_GLOBAL,
            "old" => bits -= Bits::ACCESSED,
            "used" => bits |= Bits::ACCESSED | Bits::ATTR_INDEX,
            "other" => bits -= Bits::ATTR_INDEX,
            "pxn" => bits |= Bits::PRIVILEGED_EXECUTE_NEVER,
            "uxn" => bits |= Bits::EXECUTE_NEVER,
            "contiguous" => bits |= Bits::CONTIGUOUS,
            "table-ro" => bits |= Bits::TABLE_READ_ONLY,
            "kernel-only" => bits |= Bits::TABLE_NO_USER,
            "user-never" => bits |= Bits::TABLE_EXECUTE_NEVER,
            "kernel-never" => bits |= Bits::TABLE_PRIVILEGED_EXECUTE_NEVER,
            _ => return None,
        }
        Some(bits.bits())
    }

    fn flags(raw: u64) -> String {
        let accessed = Self::accessed(raw);
        if accessed { "accessed" } else { "neither" }.to_owned()
    }

    fn configure(regime: &mut Regime, name: &str, value: &str) -> bool {
        let Regime { halves: [low, high], .. } = regime;
        match name {
            "low" => low.input_bits = number(value) as u32,
            "high" => high.input_bits = number(value) as u32,
            "flat" => low.flat = value == "yes",
            "tags" => low.top_byte_ignored = value == "yes",
            "disabled" => low.disabled = value == "yes",
            "output" => regime.output_bits = number(value) as u32,
            "wxn" => regime.write_execute_never = value == "yes",
            _ => return false,
        }
        true
    }

    fn keep_flags(_memory: &Memory, _roots: [Gpa; 2], _at: Gva, _kind: Kind) {}

    /// The level of a permission fault of a block may be that of the parts into which it was split.
    fn same(expected: Seen, seen: Seen) -> bool {
        let level = |seen| -> Option<Level> {
            match seen {
                Seen::Fault(GuestFault::Permission(level)) => Some(level),
                _ => None,
            }
        };
        match (level(expected), level(seen)) {
            (Some(level), Some(found)) => found <= level,
            _ => expected == seen,
        }
    }
}
