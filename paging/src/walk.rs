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
    /// What the tables above take away.
    pub limits: u64,
    /// What it allows, with all that is taken away.
    pub rights: Rights,
}

/// An entry that a walk used, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The frame of its table.
    pub table: Frame<GuestPhys>,
    /// Its place in the table.
    pub index: Index,
    /// The level of the table.
    pub level: Level,
    /// The entry.
    pub raw: u64,
}

/// Translates `at` by the guest tables whose roots are `roots`, whoever asks for whatever.
///
/// # Errors
///
/// The fault that the architecture gives an access there: translation, address size, reserved bits, access
/// flag, or an abort of the walk where a table is not in RAM.
#[inline]
pub fn translate<G: GuestFormat>(
    memory: &impl Memory,
    regime: &G::Regime,
    roots: [Gpa; 2],
    at: Gva,
) -> Result<Translation, GuestFault> {
    follow::<G>(memory, regime, roots, at, |_| {})
}

/// The same, and tells `visit` of every entry that is used, from the root's on.
///
/// # Errors
///
/// Those of [`translate`].
#[inline]
pub fn follow<G: GuestFormat>(
    memory: &impl Memory,
    regime: &G::Regime,
    roots: [Gpa; 2],
    at: Gva,
    visit: impl FnMut(Step),
) -> Result<Translation, GuestFault> {
    let from = begin::<G>(regime, roots, at)?;
    let read = |table, index| Some(memory.guest(table)?.get(index));
    go_on::<G>(regime, at, from, read, visit)
}

/// Where a walk has come to: the table that it reads next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// Which root it began at.
    pub half: usize,
    /// The level of the table.
    pub level: Level,
    /// The frame of the table.
    pub table: Frame<GuestPhys>,
    /// The place of the entry that it reads.
    pub index: Index,
    /// What the tables above take away.
    pub limits: u64,
}

/// Where the walk of `at` begins.
///
/// # Errors
///
/// The fault of an address that the regime does not translate, or of a root that it refuses.
#[inline]
pub fn begin<G: GuestFormat>(
    regime: &G::Regime,
    roots: [Gpa; 2],
    at: Gva,
) -> Result<Way, GuestFault> {
    let start = G::start(regime, at).ok_or(GuestFault::Translation(Level::TOP))?;
    let base = roots.get(start.half).copied().ok_or(GuestFault::Translation(Level::TOP))?;
    let table = base.frame();
    if let Some(fault) = G::refusal(regime, Level::TOP, 0, table) {
        return Err(fault);
    }
    let (half, level, index) = (start.half, start.level, start.index(base, at));
    Ok(Way { half, level, table, index, limits: 0 })
}

/// Goes on from `from`, where a walk of `at` began or has come to, with entries as `read` finds them in a
/// table's frame, and tells `visit` of every entry that is used. A walk that a walk cache has shortened
/// begins in its middle.
///
/// # Errors
///
/// Those of [`translate`].
#[inline]
pub fn go_on<G: GuestFormat>(
    regime: &G::Regime,
    at: Gva,
    from: Way,
    mut read: impl FnMut(Frame<GuestPhys>, Index) -> Option<u64>,
    mut visit: impl FnMut(Step),
) -> Result<Translation, GuestFault> {
    let Way { half, mut level, mut table, mut index, mut limits } = from;
    loop {
        let raw = read(table, index).ok_or_else(|| G::nowhere(level))?;
        let entry = G::decode::<GuestPhys>(level, raw);
        if let Entry::Table(to) | Entry::Leaf(to) = entry {
            if let Some(fault) = G::refusal(regime, level, raw, to) {
                return Err(fault);
            }
            visit(Step { table, index, level, raw });
        }
        match (entry, level.below()) {
            (Entry::Table(next), Some(below)) => {
                limits = G::limit(regime, limits, half, raw);
                (level, index, table) = (below, Index::of(at.bits(), below), next);
            }
            (Entry::Leaf(to), _) => {
                if !G::KEEPS_FLAGS && !G::accessed(raw) {
                    return Err(GuestFault::AccessFlag(level));
                }
                let offset = at.bits() & (level.size() - 1);
                let gpa = Gpa::from_bits(to.start().bits() | offset);
                return Ok(Translation {
                    gpa,
                    level,
                    leaf: raw,
                    limits,
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
