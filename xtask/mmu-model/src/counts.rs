//! What is counted, and the form in which it leaves the emulator.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What the file of a run says it is.
pub const SCHEMA: &str = "umbra-mmu-model";
/// The version of that form.
pub const VERSION: u32 = 1;

/// Walks, or what they read, by the stages that were walked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ByStages {
    /// One table: stage 1 alone, or a page table with nothing below.
    pub one_dimensional: u64,
    /// Stage 1 with stage 2 below.
    pub two_dimensional: u64,
    /// Stage 2 alone, since stage 1 is off.
    pub stage2_only: u64,
}

impl ByStages {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.one_dimensional + self.two_dimensional + self.stage2_only
    }
}

impl AddAssign for ByStages {
    fn add_assign(&mut self, more: Self) {
        self.one_dimensional += more.one_dimensional;
        self.two_dimensional += more.two_dimensional;
        self.stage2_only += more.stage2_only;
    }
}

/// What missed the L2 TLB, and what that cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Walks {
    /// Walks. Each is one miss of the L2 TLB.
    pub walks: ByStages,
    /// Table entries that they read, 8 bytes each.
    pub reads: ByStages,
}

impl AddAssign for Walks {
    fn add_assign(&mut self, more: Self) {
        self.walks += more.walks;
        self.reads += more.reads;
    }
}

/// What the accesses of one program came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Counts {
    /// Loads that were translated; an access to two pages is two.
    pub loads: u64,
    /// Stores likewise. An atomic instruction's access is a load and a store.
    pub stores: u64,
    /// Moves of the program counter to another page, or into another address space: the model asks the
    /// instruction TLB only then, since a fetch from the page of the one before always hits.
    pub fetches: u64,
    /// Accesses and moves while no translation was in force.
    pub untranslated: u64,
    /// Misses of the L1 instruction TLB.
    pub l1_instruction_misses: u64,
    /// Misses of the L1 data TLB.
    pub l1_data_misses: u64,
    /// What follows from them without walk caches.
    pub plain: Walks,
    /// The same with the walk caches of the geometry.
    pub cached: Walks,
    /// Invalidations of any scope.
    pub invalidations: u64,
    /// Entries of the L1 TLBs that those dropped.
    pub invalidated: u64,
    /// Accesses that the tables do not allow as the model reads them, although they were made.
    pub unexplained: u64,
}

impl Counts {
    /// Accesses that were looked up: loads, stores and fetches.
    #[must_use]
    pub const fn accesses(&self) -> u64 {
        self.loads + self.stores + self.fetches
    }

    /// Misses of both L1 TLBs.
    #[must_use]
    pub const fn l1_misses(&self) -> u64 {
        self.l1_instruction_misses + self.l1_data_misses
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.loads += more.loads;
        self.stores += more.stores;
        self.fetches += more.fetches;
        self.untranslated += more.untranslated;
        self.l1_instruction_misses += more.l1_instruction_misses;
        self.l1_data_misses += more.l1_data_misses;
        self.plain += more.plain;
        self.cached += more.cached;
        self.invalidations += more.invalidations;
        self.invalidated += more.invalidated;
        self.unexplained += more.unexplained;
    }
}

/// A part of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Part {
    /// The name of the phase; empty for what is in none.
    pub phase: String,
    /// How often the guest was left for the hypervisor.
    pub exits: u64,
    /// What the guest did.
    pub guest: Counts,
    /// What the hypervisor did meanwhile.
    pub hypervisor: Counts,
}

/// What a comparison with the emulator's own translations found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Check {
    /// How many accesses were compared.
    pub compared: u64,
    /// How many differed.
    pub differences: u64,
    /// The first that did.
    pub first: Option<String>,
}

/// Something that was executed and is not modelled as an access.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Unseen {
    /// What.
    pub what: String,
    /// How often, where that can be counted.
    pub count: Option<u64>,
}

/// What the model says of one run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Output {
    /// [`SCHEMA`].
    pub schema: String,
    /// [`VERSION`].
    pub version: u32,
    /// The name of the geometry.
    pub geometry: String,
    /// Why the model gave up, if it did. What was counted until then is no result.
    pub refused: Option<String>,
    /// The parts of the run: what is in no phase, then the phases by their first beginning.
    pub parts: Vec<Part>,
    /// What was not modelled.
    pub unseen: Vec<Unseen>,
    /// The comparison, if one was asked for.
    pub check: Option<Check>,
}

impl Output {
    /// The whole run as one part.
    #[must_use]
    pub fn whole(&self) -> Part {
        let mut whole = Part::default();
        for part in &self.parts {
            whole.exits += part.exits;
            whole.guest += part.guest;
            whole.hypervisor += part.hypervisor;
        }
        whole
    }

    /// The part of a phase.
    #[must_use]
    pub fn part(&self, phase: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.phase == phase)
    }
}
