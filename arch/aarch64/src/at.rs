//! Address translation instructions of a shadowed guest.
//!
//! On a shadow, AT would answer with a host-physical address or, over an unknown entry, with the
//! address of the hole. So the guest's AT traps, its own tables are walked, and the answer goes to PAR_EL1:
//! Arm DDI 0487, "PAR_EL1, Physical Address Register".

use aarch64_cpu::registers::{MAIR_EL1, PAR_EL1, Readable, Writeable};
use bitflags::bitflags;
use paging::attrs::{Access, Kind};
use paging::fault::GuestFault;
use paging::format::vmsa_stage1::{ADDRESS, Bits as Leaf};
use paging::walk::Translation;

use crate::exit::status_of;
use crate::sysreg::Encoding;

bitflags! {
    /// PAR_EL1.
    struct Par: u64 {
        /// F: the translation failed.
        const FAILED = 1 << 0;
        /// NS, in the non-secure state.
        const NON_SECURE = 1 << 9;
        /// RES1.
        const RESERVED = 1 << 11;
    }
}

/// FST: the status of a failure.
const STATUS_SHIFT: u32 = 1;
/// SH: the shareability of the memory.
const SHAREABILITY_SHIFT: u32 = 7;
/// Where SH of a leaf begins.
const LEAF_SHAREABILITY_SHIFT: u32 = 8;
/// Where AttrIndx of a leaf begins.
const LEAF_ATTR_SHIFT: u32 = 2;
/// ATTR: the memory's attributes, as MAIR spells them.
const ATTR_SHIFT: u32 = 56;
/// SH: outer shareable.
const OUTER_SHAREABLE: u64 = 0b10;
/// MAIR: normal memory that is not cacheable.
const NON_CACHEABLE: u64 = 0x44;
/// MAIR: fields up to here are device memory.
const LAST_DEVICE: u64 = 0x0f;

/// What an AT instruction asks. `guarded` is the guest's PSTATE.PAN.
#[must_use]
pub const fn decode(encoding: Encoding, guarded: bool) -> Option<Question> {
    let (kind, user, guarded) = match encoding {
        (1, 0, 7, 8, 0) => (Kind::Read, false, false),
        (1, 0, 7, 8, 1) => (Kind::Write, false, false),
        (1, 0, 7, 8, 2) => (Kind::Read, true, false),
        (1, 0, 7, 8, 3) => (Kind::Write, true, false),
        (1, 0, 7, 9, 0) => (Kind::Read, false, guarded),
        (1, 0, 7, 9, 1) => (Kind::Write, false, guarded),
        (1, 0, 7, 9, 2) => return Some(Question::Any),
        _ => return None,
    };
    Some(Question::For(Access { kind, user, guarded }))
}

/// What an AT instruction asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether this access would succeed.
    For(Access),
    /// Where the address leads, whoever may go there: AT S1E1A.
    Any,
}

/// Answers in PAR_EL1.
pub fn answer(question: Question, found: Result<Translation, GuestFault>) {
    let allowed = found.and_then(|found| match question {
        Question::For(access) if !access.allowed_by(found.rights) => {
            Err(GuestFault::Permission(found.level))
        }
        _ => Ok(found),
    });
    PAR_EL1.set(match allowed {
        Ok(found) => success(&found),
        Err(fault) => (Par::FAILED | Par::RESERVED).bits() | status_of(fault) << STATUS_SHIFT,
    });
}

fn success(found: &Translation) -> u64 {
    let index = (found.leaf & Leaf::ATTR_INDEX.bits()) >> LEAF_ATTR_SHIFT;
    let attr = MAIR_EL1.get() >> (index * 8) & 0xff;
    // Device memory and memory that is cached nowhere are always outer shareable.
    let shareability = if attr <= LAST_DEVICE || attr == NON_CACHEABLE {
        OUTER_SHAREABLE
    } else {
        (found.leaf & Leaf::SHAREABILITY.bits()) >> LEAF_SHAREABILITY_SHIFT
    };
    found.gpa.bits() & ADDRESS
        | attr << ATTR_SHIFT
        | shareability << SHAREABILITY_SHIFT
        | (Par::NON_SECURE | Par::RESERVED).bits()
}
