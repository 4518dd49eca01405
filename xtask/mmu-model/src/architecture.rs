//! The architectures, and what their registers put in force.

use std::fmt::Debug;

use paging::addr::{Gpa, Hpa};
use paging::format::GuestFormat;
use paging::format::vmsa_stage1::{self, Stage1};
use paging::format::vmsa_stage2::Stage2;
use paging::format::x64::{self, X64};

use crate::owner::Owner;

/// A pair of table formats: what a guest's addresses are translated by, and what a hypervisor puts below.
pub trait Architecture: Debug {
    /// Stage 1.
    type Upper: GuestFormat;
    /// Stage 2, nested paging.
    type Lower: GuestFormat;

    /// Whether a leaf of stage 1 is for all address spaces.
    fn is_global(leaf: u64) -> bool;
    /// Whether a leaf of either stage needs no flag set before a store goes through it.
    fn is_dirty(leaf: u64) -> bool;
}

/// VMSAv8-64 with the 4 KiB granule.
#[derive(Debug)]
pub enum Arm {}

impl Architecture for Arm {
    type Upper = Stage1;
    type Lower = Stage2;

    fn is_global(leaf: u64) -> bool {
        !vmsa_stage1::Bits::from_bits_retain(leaf).contains(vmsa_stage1::Bits::NOT_GLOBAL)
    }

    /// What hardware may make writable is read-only until then, and shows it in its rights.
    fn is_dirty(_leaf: u64) -> bool {
        true
    }
}

/// 4-level paging of x86-64, with AMD's nested paging below.
#[derive(Debug)]
pub enum Amd {}

impl Architecture for Amd {
    type Upper = X64;
    type Lower = X64;

    fn is_global(leaf: u64) -> bool {
        x64::Bits::from_bits_retain(leaf).contains(x64::Bits::GLOBAL)
    }

    fn is_dirty(leaf: u64) -> bool {
        x64::Bits::from_bits_retain(leaf).contains(x64::Bits::DIRTY)
    }
}

/// The tables of stage 1 that are in force.
pub struct Upper<A: Architecture> {
    /// What registers say about them.
    pub regime: <A::Upper as GuestFormat>::Regime,
    /// Their roots.
    pub roots: [Gpa; 2],
    /// PAE paging: the four entries above the page directories, which the processor keeps in registers.
    pub pointers: Option<[u64; 4]>,
    /// Whether a leaf can be for all address spaces.
    pub has_global: bool,
}

/// The tables of stage 2 that are in force.
pub struct Lower<A: Architecture> {
    /// What registers say about them.
    pub regime: <A::Lower as GuestFormat>::Regime,
    /// Their root.
    pub root: Hpa,
}

impl<A: Architecture> Clone for Upper<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Architecture> Copy for Upper<A> {}

impl<A: Architecture> Clone for Lower<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Architecture> Copy for Lower<A> {}

/// What translates addresses at the moment.
pub struct Context<A: Architecture> {
    /// Whose translations they are.
    pub(crate) owner: Owner,
    /// Stage 1, unless it is off.
    pub(crate) upper: Option<Upper<A>>,
    /// Stage 2, unless there is none.
    pub(crate) lower: Option<Lower<A>>,
}

impl<A: Architecture> Clone for Context<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Architecture> Copy for Context<A> {}

impl<A: Architecture> Context<A> {
    /// Stage 1 of `owner`, unless it is off, above stage 2, unless there is none.
    #[must_use]
    pub const fn new(owner: Owner, upper: Option<Upper<A>>, lower: Option<Lower<A>>) -> Self {
        let owner = if upper.is_some() { owner } else { owner.flat() };
        Self { owner, upper, lower }
    }

    /// Nothing: every address is physical.
    #[must_use]
    pub const fn untranslated(owner: Owner) -> Self {
        Self::new(owner, None, None)
    }
}
