//! The architectural walk of the tables that a guest owns.
//!
//! Nothing is cached and nothing is written: this is the reference for what the shadow has to give,
//! and what address translation instructions and instruction decoding use.

use crate::addr::{Frame, Gpa, GuestPhys, Gva, Index, Level};
use crate::attrs::{Access, Rights};
use crate::entry::Entry;
use crate::fault::GuestFault;
use crate::format::GuestFormat;
use crate::mem::{ENTRY_SHIFT, Entries, Memory};

/// A translation that the guest's tables give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation {
    /// The byte that the address names.
    pub gpa: Gpa,
    /// The level of the leaf.
    pub level: Level,
    /// The leaf.
    pub leaf: u64,
    /// What it allows, with all that the tables above take away.
    pub rights: Rights,
}

/// Translates `at` by the guest tables whose roots are `roots`, whoever asks for whatever.
///
/// # Errors
///
/// The fault that the architecture gives an access there: translation, address size, access flag,
/// or an abort of the walk where a table is not in RAM.
pub fn translate<G: GuestFormat>(
    memory: &impl Memory,
    regime: &G::Regime,
    roots: [Gpa; 2],
    at: Gva,
) -> Result<Translation, GuestFault> {
    let start = G::start(regime, at).ok_or(GuestFault::Translation(Level::TOP))?;
    let base = roots.get(start.half).copied().ok_or(GuestFault::Translation(Level::TOP))?;
    let too_large = |frame: Frame<GuestPhys>| frame.start().bits() >> G::output_bits(regime) != 0;

    let (mut level, mut index, mut table) = (start.level, start.index(base, at), base.frame());
    if too_large(table) {
        return Err(GuestFault::AddressSize(Level::TOP));
    }
    let mut limits = 0;
    loop {
        let raw = memory.guest(table).ok_or(GuestFault::WalkAbort(level))?.get(index);
        match (G::decode::<GuestPhys>(level, raw), level.below()) {
            (Entry::Table(next), Some(below)) => {
                if too_large(next) {
                    return Err(GuestFault::AddressSize(level));
                }
                limits = G::limit(regime, limits, start.half, raw);
                (level, index, table) = (below, Index::of(at.bits(), below), next);
            }
            (Entry::Leaf(to), _) => {
                if too_large(to) {
                    return Err(GuestFault::AddressSize(level));
                }
                if !G::accessed(raw) {
                    return Err(GuestFault::AccessFlag(level));
                }
                let offset = at.bits() & (level.size() - 1);
                let gpa = Gpa::from_bits(to.start().bits() | offset);
                return Ok(Translation {
                    gpa,
                    level,
                    leaf: raw,
                    rights: G::rights(regime, raw, limits),
                });
            }
            _ => return Err(GuestFault::Translation(level)),
        }
    }
}

/// Translates `at` for one access.
///
/// # Errors
///
/// Those of [`translate`], and a permission fault.
pub fn access<G: GuestFormat>(
    memory: &impl Memory,
    regime: &G::Regime,
    roots: [Gpa; 2],
    at: Gva,
    access: Access,
) -> Result<Translation, GuestFault> {
    let found = translate::<G>(memory, regime, roots, at)?;
    if access.allowed_by(found.rights) {
        Ok(found)
    } else {
        Err(GuestFault::Permission(found.level))
    }
}

/// The aligned 8 bytes of guest RAM that hold `at`, unless it is no RAM.
pub fn load(memory: &impl Memory, at: Gpa) -> Option<u64> {
    let index = Index::wrapping((at.page_offset() >> ENTRY_SHIFT) as u32);
    Some(memory.guest(at.frame())?.get(index))
}
