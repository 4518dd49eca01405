//! The budgets.

use anyhow::Result;
use serde_json::{Value, json};

use super::figures::Figures;
use super::limits::{self, Bound, FILL_BASE, FILL_EMPTY, FILL_VALID, FILLS, Limit};
use crate::arch::Arch;
use crate::cli::{Paging, Probes};
use crate::computer::Computer;
use crate::elf::Elf;
use crate::lab::{Lab, Mode, Place};

/// A figure and its limit.
#[derive(Debug)]
pub(super) struct Budget {
    /// What it is about.
    pub(super) name: &'static str,
    /// Where the guest ran.
    pub(super) place: String,
    /// What is reached; nothing, if it could not be measured.
    pub(super) figure: Option<f64>,
    /// What it may be.
    pub(super) bound: Bound,
    /// Of what.
    pub(super) unit: &'static str,
    /// How it is measured.
    pub(super) how: String,
    /// Whether the project has failed if it is missed.
    pub(super) mandatory: bool,
}

impl Budget {
    /// Whether the limit is kept.
    pub(super) fn met(&self) -> bool {
        self.figure.is_some_and(|figure| self.bound.allows(figure))
    }

    /// The budget, to be saved.
    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name, "place": self.place, "figure": self.figure,
            "bound": self.bound.name(), "limit": self.bound.value(), "unit": self.unit,
            "how": self.how, "mandatory": self.mandatory, "met": self.met(),
        })
    }
}

/// The hypervisor's own memory.
const OWN_LIMIT: f64 = 1024.0 * 1024.0;
/// The hypervisor's frame records, of guest RAM.
const RECORDS_SHARE: f64 = 0.004;

/// All budgets, with what is reached.
pub(super) fn all(lab: &Lab, figures: &Figures) -> Result<Vec<Budget>> {
    let mut budgets = Vec::new();
    let places: Vec<_> = Place::all(lab.arch()).collect();
    for &place in &places {
        budgets.extend(limits::of(place).map(|limit| budget(figures, limit, place)));
    }
    if lab.arch() == Arch::Aarch64 {
        let place = Place { computer: Computer::Virt, mode: Mode::Under(Paging::Shadow) };
        budgets.extend(FILLS.map(|(name, row)| fill(figures, place, name, row)));
    }
    for paging in [Paging::Nested, Paging::Shadow] {
        budgets.push(image(lab, paging)?);
    }
    for &place in places.iter().filter(|place| place.mode != Mode::Native) {
        budgets.push(memory(figures, place));
        budgets.push(Budget {
            name: "two runs differ in",
            place: place.name(),
            figure: figures.different_lines(place),
            bound: Bound::AtMost(0.0),
            unit: "lines",
            how: "one guest twice, probes=full, console and records".to_owned(),
            mandatory: true,
        });
    }
    Ok(budgets)
}

fn budget(figures: &Figures, limit: Limit, place: Place) -> Budget {
    let Limit { name, of, bound, mandatory, .. } = limit;
    Budget {
        name,
        place: place.name(),
        figure: of.figure(figures, place),
        bound,
        unit: of.unit(),
        how: of.how(),
        mandatory,
    }
}

fn fill(figures: &Figures, place: Place, name: &'static str, row: &str) -> Budget {
    let entries = |key| figures.result("bench", place, &[("fill", row)], key).unwrap_or(0.0);
    let (valid, empty) = (entries("valid"), entries("empty_below_root"));
    Budget {
        name,
        place: place.name(),
        figure: figures.result("bench", place, &[("row", row)], "median"),
        bound: Bound::AtMost(FILL_VALID * valid + FILL_EMPTY * empty + FILL_BASE),
        unit: "instructions",
        how: format!(
            "guest bench, row {row}, median, probes off; {valid} entries valid, {empty} empty"
        ),
        mandatory: false,
    }
}

fn image(lab: &Lab, paging: Paging) -> Result<Budget> {
    let elf = Elf::read(lab.hypervisor(paging, Probes::Off)?)?;
    let start = elf.loads.iter().map(|load| load.at).min().unwrap_or_default();
    let end =
        elf.loads.iter().map(|load| load.at + load.bytes.len() as u64).max().unwrap_or_default();
    Ok(Budget {
        name: "loadable image",
        place: paging.name().to_owned(),
        figure: Some((end - start) as f64),
        bound: Bound::AtMost(limits::image(lab.arch())),
        unit: "bytes",
        how: "first to last byte that the ELF file loads, probes off".to_owned(),
        mandatory: true,
    })
}

fn memory(figures: &Figures, place: Place) -> Budget {
    let report = figures.report("memory-motion", place, Probes::Off);
    let bytes = |key| report.and_then(|report| report.memory.decimal(key).ok());
    let ram = report.and_then(|report| report.machine.decimal("ram").ok()).unwrap_or(0.0);
    Budget {
        name: "own memory without tables",
        place: place.name(),
        figure: bytes("own").map(|own| own + bytes("records").unwrap_or(0.0)),
        bound: Bound::AtMost((OWN_LIMIT + RECORDS_SHARE * ram).floor()),
        unit: "bytes",
        how: "guest memory-motion, memory record: own + records; 1 MiB + 0.4 % of guest RAM"
            .to_owned(),
        mandatory: true,
    }
}
