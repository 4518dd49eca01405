//! The budgets.

use anyhow::Result;
use serde_json::{Value, json};

use super::figures::Figures;
use crate::cli::{Paging, Probes};
use crate::elf::Elf;
use crate::lab::{Lab, Mode};

const NESTED: Mode = Mode::Under(Paging::Nested);
const SHADOW: Mode = Mode::Under(Paging::Shadow);

/// A figure and its limit.
#[derive(Debug)]
pub(super) struct Budget {
    /// What it is about.
    pub(super) name: &'static str,
    /// What the guest ran on.
    pub(super) mode: &'static str,
    /// What is reached; nothing, if it could not be measured.
    pub(super) figure: Option<f64>,
    /// The most it may be.
    pub(super) limit: f64,
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
        self.figure.is_some_and(|figure| figure <= self.limit)
    }

    /// The budget, to be saved.
    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name, "mode": self.mode, "figure": self.figure, "limit": self.limit,
            "unit": self.unit, "how": self.how, "mandatory": self.mandatory, "met": self.met(),
        })
    }
}

/// A row of the guest `bench`: its median may be at most so many instructions.
struct Row {
    name: &'static str,
    modes: &'static [Mode],
    row: &'static str,
    limit: f64,
    mandatory: bool,
}

const ROWS: [Row; 6] = [
    Row {
        name: "null hypercall",
        modes: &[NESTED, SHADOW],
        row: "hvc",
        limit: 90.0,
        mandatory: true,
    },
    Row {
        name: "read of the distributor",
        modes: &[NESTED, SHADOW],
        row: "gicd",
        limit: 200.0,
        mandatory: false,
    },
    Row {
        name: "timer interrupt",
        modes: &[NESTED, SHADOW],
        row: "timer",
        limit: 600.0,
        mandatory: false,
    },
    Row {
        name: "store to a leaf table: read-only",
        modes: &[SHADOW],
        row: "store-change",
        limit: 400.0,
        mandatory: false,
    },
    Row {
        name: "store to a leaf table: absent",
        modes: &[SHADOW],
        row: "store-clear",
        limit: 400.0,
        mandatory: false,
    },
    Row {
        name: "store to a leaf table: present",
        modes: &[SHADOW],
        row: "store-make",
        limit: 400.0,
        mandatory: false,
    },
];

/// A phase of the guest `bench` under shadow paging: exits for each operation.
struct Exits {
    name: &'static str,
    phase: &'static str,
    limit: f64,
    mandatory: bool,
}

const EXITS: [Exits; 3] = [
    Exits {
        name: "exits of a guest fault, not present",
        phase: "fault",
        limit: 0.0,
        mandatory: true,
    },
    Exits {
        name: "exits of a cold fill, 512 valid",
        phase: "fill-512",
        limit: 1.0,
        mandatory: false,
    },
    Exits {
        name: "exits of a cold fill, 16 valid",
        phase: "fill-16",
        limit: 1.0,
        mandatory: false,
    },
];

/// Cold fills: the row of the guest `bench`.
const FILLS: [(&str, &str); 2] =
    [("cold fill, 512 valid", "fill-512"), ("cold fill, 16 valid", "fill-16")];
/// What a cold fill may take for each valid leaf entry.
const FILL_VALID: f64 = 16.0;
/// What it may take for each empty entry of the tables it makes.
const FILL_EMPTY: f64 = 5.0;
/// What it may take besides.
const FILL_BASE: f64 = 1500.0;

/// The hypervisor's loadable image.
const IMAGE_LIMIT: f64 = 160.0 * 1024.0;
/// Its own memory.
const OWN_LIMIT: f64 = 1024.0 * 1024.0;
/// Its frame records, of guest RAM.
const RECORDS_SHARE: f64 = 0.004;

/// All budgets, with what is reached.
pub(super) fn all(lab: &Lab, figures: &Figures) -> Result<Vec<Budget>> {
    let mut budgets = Vec::new();
    for row in &ROWS {
        budgets.extend(row.modes.iter().map(|&mode| Budget {
            name: row.name,
            mode: mode.name(),
            figure: figures.result("bench", mode, ("row", row.row), "median"),
            limit: row.limit,
            unit: "instructions",
            how: format!("guest bench, row {}, median, probes off", row.row),
            mandatory: row.mandatory,
        }));
    }
    budgets.extend(FILLS.map(|(name, row)| fill(figures, name, row)));
    budgets.extend(EXITS.iter().map(|exits| Budget {
        name: exits.name,
        mode: SHADOW.name(),
        figure: figures.exits_per_operation("bench", SHADOW, exits.phase),
        limit: exits.limit,
        unit: "exits",
        how: format!("guest bench, phase {}, exits for each operation, probes=counts", exits.phase),
        mandatory: exits.mandatory,
    }));
    for paging in [Paging::Nested, Paging::Shadow] {
        budgets.push(image(lab, paging)?);
        budgets.push(memory(figures, paging));
        budgets.push(Budget {
            name: "two runs differ in",
            mode: paging.name(),
            figure: figures.different_lines(paging),
            limit: 0.0,
            unit: "lines",
            how: "guest mmu-ops twice, probes=full, console and records".to_owned(),
            mandatory: true,
        });
    }
    Ok(budgets)
}

fn fill(figures: &Figures, name: &'static str, row: &str) -> Budget {
    let entries = |key| figures.result("bench", SHADOW, ("fill", row), key).unwrap_or(0.0);
    let (valid, empty) = (entries("valid"), entries("empty_below_root"));
    Budget {
        name,
        mode: SHADOW.name(),
        figure: figures.result("bench", SHADOW, ("row", row), "median"),
        limit: FILL_VALID * valid + FILL_EMPTY * empty + FILL_BASE,
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
        mode: paging.name(),
        figure: Some((end - start) as f64),
        limit: IMAGE_LIMIT,
        unit: "bytes",
        how: "first to last byte that the ELF file loads, probes off".to_owned(),
        mandatory: true,
    })
}

fn memory(figures: &Figures, paging: Paging) -> Budget {
    let report = figures.counts("memory-motion", Mode::Under(paging));
    let bytes = |key| report.and_then(|report| report.memory.decimal(key).ok());
    let ram = report.and_then(|report| report.machine.decimal("ram").ok()).unwrap_or(0.0);
    Budget {
        name: "own memory without tables",
        mode: paging.name(),
        figure: bytes("own").map(|own| own + bytes("records").unwrap_or(0.0)),
        limit: (OWN_LIMIT + RECORDS_SHARE * ram).floor(),
        unit: "bytes",
        how: "guest memory-motion, memory record: own + records; 1 MiB + 0.4 % of guest RAM"
            .to_owned(),
        mandatory: true,
    }
}
