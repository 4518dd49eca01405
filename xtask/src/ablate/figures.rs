//! What was measured, as it is saved.

use std::collections::BTreeMap;

use serde::Serialize;

use super::rows::Row;
use crate::results::{Place, Source, Tools};

/// The name of the schema, and its version.
const SCHEMA: &str = "umbra-ablation";
const VERSION: u32 = 1;

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Ablation {
    schema: &'static str,
    version: u32,
    umbra: Source,
    tools: Vec<Tools>,
    /// Each guest on each computer.
    pub(super) blocks: Vec<Block>,
}

/// A guest on a computer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Block {
    /// The guest.
    pub(super) guest: String,
    /// Where it ran.
    pub(super) place: Place,
    /// The instructions that it takes with no hypervisor.
    pub(super) native: Option<u64>,
    /// What it took with different steps.
    pub(super) rows: Vec<Measured>,
}

/// One set of steps.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Measured {
    /// Which.
    pub(super) row: Row,
    /// The names of the steps that are on.
    pub(super) switches: Vec<&'static str>,
    /// What came of it.
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

/// What came of a set of steps.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(super) enum Outcome {
    /// Figures.
    Ok(Figures),
    /// The hardware has no such step.
    Absent {
        /// Why.
        reason: &'static str,
    },
    /// The guest came to no good end.
    Failed {
        /// Why.
        error: String,
    },
}

/// The figures of a set of steps.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Figures {
    /// All exits.
    pub(super) exits: u64,
    /// Instructions of guest and hypervisor.
    pub(super) total: u64,
    /// Instructions of the hypervisor: those beyond what the guest takes natively.
    pub(super) hypervisor: Option<u64>,
    /// Its counters.
    pub(super) counters: BTreeMap<String, u64>,
}

impl Ablation {
    /// Nothing yet.
    pub(super) fn new(tools: Vec<Tools>) -> Self {
        let (umbra, blocks) = (Source::here(), Vec::new());
        Self { schema: SCHEMA, version: VERSION, umbra, tools, blocks }
    }

    /// Whether anything failed.
    pub(super) fn failed(&self) -> bool {
        let rows = |block: &Block| {
            block.rows.iter().any(|row| matches!(row.outcome, Outcome::Failed { .. }))
        };
        self.blocks.iter().any(|block| block.native.is_none() || rows(block))
    }
}

impl Block {
    /// The figures of a set of steps.
    pub(super) fn figures(&self, row: Row) -> Option<&Figures> {
        let measured = self.rows.iter().find(|measured| measured.row == row)?;
        match &measured.outcome {
            Outcome::Ok(figures) => Some(figures),
            Outcome::Absent { .. } | Outcome::Failed { .. } => None,
        }
    }
}
