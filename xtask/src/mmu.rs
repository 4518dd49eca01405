//! The model of the MMU: what is asked of it, and what came of that.
//!
//! A plugin in the emulator sees every access of a run and looks it up in TLBs of some geometry. It counts
//! beside the run and changes nothing in it: what a guest prints is the same with it and without. What it
//! counts is a model's, and is never added to what was measured.

mod geometry;
mod modelling;
mod ram;
mod refusal;
pub(crate) mod show;
mod verdict;

use anyhow::Result;
use mmu_model::counts::Part;
use mmu_model::geometry::Geometry;

pub(crate) use self::modelling::Modelling;
pub(crate) use self::refusal::refusal;
use crate::arch::Arch;
use crate::cli::{Mmu, MmuRun};

/// What is asked of the model.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// What is modelled.
    pub(crate) geometry: Geometry,
    /// How many translations must be compared with the emulator's own; none, if none are.
    check: Option<u64>,
    ignore_invalidations: bool,
}

impl Wish {
    /// Reads it from the options; none if they ask for no model.
    pub(crate) fn of(options: &Mmu, arch: Arch) -> Result<Option<Self>> {
        let Some(name) = &options.mmu_model else { return Ok(None) };
        let geometry = geometry::of(name.as_deref(), arch)?;
        let check = options.mmu_check.then_some(options.mmu_check_least);
        Ok(Some(Self { geometry, check, ignore_invalidations: false }))
    }

    /// The usual geometry of an instruction set, and nothing compared.
    pub(crate) fn usual(arch: Arch) -> Result<Self> {
        let geometry = geometry::of(None, arch)?;
        Ok(Self { geometry, check: None, ignore_invalidations: false })
    }

    /// The same, and at least so many translations compared.
    pub(crate) fn compared(arch: Arch, least: u64) -> Result<Self> {
        Ok(Self { check: Some(least), ..Self::usual(arch)? })
    }

    /// Reads it from the options of a single run.
    pub(crate) fn of_run(options: &MmuRun, arch: Arch) -> Result<Option<Self>> {
        let wish = Self::of(&options.mmu, arch)?;
        let ignore_invalidations = options.mmu_ignore_invalidations;
        Ok(wish.map(|wish| Self { ignore_invalidations, ..wish }))
    }
}

/// Parts of a run as one; none if there are none.
pub(crate) fn sum<'a>(parts: impl Iterator<Item = &'a Part>) -> Option<Part> {
    parts.fold(None, |sum, part| {
        let mut sum = sum.unwrap_or_default();
        sum.exits += part.exits;
        sum.guest += part.guest;
        sum.hypervisor += part.hypervisor;
        Some(sum)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use mmu_model::counts::{ByStages, Check, Counts, Output, SCHEMA, Unseen, VERSION, Walks};

    use super::*;

    /// What a small run under nested paging may come to.
    pub(crate) fn small_output() -> Output {
        let walks = |reads| Walks {
            walks: ByStages { two_dimensional: 50, ..ByStages::default() },
            reads: ByStages { two_dimensional: reads, ..ByStages::default() },
        };
        let counts = Counts {
            loads: 90,
            stores: 10,
            l1_data_misses: 60,
            plain: walks(1200),
            cached: walks(250),
            ..Counts::default()
        };
        let part = |phase: &str, exits| Part {
            phase: phase.to_owned(),
            exits,
            guest: counts,
            hypervisor: Counts { loads: 1_000, ..Counts::default() },
        };
        Output {
            schema: SCHEMA.to_owned(),
            version: VERSION,
            geometry: "cortex-a76".to_owned(),
            refused: None,
            parts: vec![part("", 1), part("all", 2)],
            unseen: vec![Unseen { what: "DC ZVA".to_owned(), count: Some(7) }],
            check: Some(Check { compared: 1_200, differences: 0, first: None }),
        }
    }

    #[test]
    fn parts_are_summed_up() {
        let output = small_output();
        let whole = output.whole();
        let summed = sum(output.parts.iter()).unwrap();
        assert_eq!((summed.exits, summed.guest), (whole.exits, whole.guest));
        assert_eq!(sum([].iter()), None);
    }
}
