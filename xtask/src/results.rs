//! What `cargo xtask compare` measured, as it stands in `results.json`.
//!
//! A file holds *cells*: one guest in one place, measured twice. The run without probes tells
//! durations: nothing but the guest's work and the hypervisor's is in them. The run with all probes
//! tells events, and what each took with the instrument in it. The two are never mixed: [`Cell::ran`]
//! and [`Cell::lines`] are of the first, [`Cell::exits`], [`Cell::printed`] and [`Cell::report`] of the
//! second.
//!
//! | figure | counts |
//! | --- | --- |
//! | [`Cell::ran`]; keys of [`Cell::lines`] that are durations ([`crate::golden::DURATIONS`]) | the cell's unit: instructions |
//! | every `time` and `histogram` in the report; `exits.time`; `phases.time` | the same, with the instrument in it |
//! | [`Cell::exits`]; `count`, `value`, `total`, `samples`, `ops` and `exits` in the report | events |
//! | `memory` in the report | bytes |
//!
//! Durations belong to a compiler and to an emulator, whose versions therefore stand in the file;
//! events belong to neither. A reader skips keys that it does not know. A key that is taken away, or
//! comes to mean something else, makes a new [`VERSION`].
//!
//! Beside what was measured, a file can hold what a model says of the same runs: [`Cell::models`], under
//! the [`Results::geometry`] that they belong to. None of it is an instruction or an event, and none of it
//! is ever added to one. A file without a model has no such keys.

mod changes;
mod figures;
mod file;
mod modelled;
mod source;
mod work;

use mmu_model::counts::Output;
use mmu_model::geometry::Geometry;
use serde::{Deserialize, Serialize};

pub(crate) use self::changes::{Comparison, Figures};
pub(crate) use self::figures::loss;
pub(crate) use self::file::{check_writable, write};
pub(crate) use self::work::Work;
use crate::arch::Arch;
use crate::lab::{self, Mode};
use crate::report::Report;
use crate::run::ResultLine;

/// The name of the schema, by which a file of another program is told from one of this.
pub(crate) const SCHEMA: &str = "umbra-results";
/// The version of the schema.
pub(crate) const VERSION: u32 = 1;

/// All that was measured, and with what.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Results {
    /// [`SCHEMA`].
    pub(crate) schema: String,
    /// [`VERSION`].
    pub(crate) version: u32,
    /// What was measured.
    pub(crate) umbra: Source,
    /// What it was built and run with.
    pub(crate) tools: Vec<Tools>,
    /// The names of the steps that shadow paging was built with.
    pub(crate) switches: Vec<String>,
    /// Whether every cell that was asked for is here, be it a failed one.
    pub(crate) complete: bool,
    /// The geometry of the model; none where nothing was modelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) geometry: Option<Geometry>,
    /// The cells, in the order in which they ran.
    pub(crate) cells: Vec<Cell>,
}

/// Where the sources stood.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Source {
    /// Umbra's version.
    pub(crate) version: String,
    /// The commit, where git knows one.
    pub(crate) commit: Option<String>,
    /// Whether files differed from that commit; none where there is no commit.
    pub(crate) dirty: Option<bool>,
}

/// What the cells of one instruction set were built and run with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Tools {
    /// The instruction set.
    pub(crate) arch: Arch,
    /// The version of the compiler, as it prints it.
    pub(crate) compiler: String,
    /// The emulators.
    pub(crate) emulators: Vec<EmulatorVersion>,
}

/// An emulator.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct EmulatorVersion {
    /// Its name: `QEMU` or `Bochs`.
    pub(crate) name: String,
    /// Its version, as it prints it.
    pub(crate) version: String,
}

/// One guest in one place.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Cell {
    /// The guest.
    pub(crate) guest: String,
    /// Where it ran.
    pub(crate) place: Place,
    /// How that went.
    #[serde(flatten)]
    pub(crate) status: Status,
    /// The unit of durations: `instructions`.
    pub(crate) unit: String,
    /// What the guest took from the start of its `main` to the end, with all that a hypervisor did
    /// meanwhile; probes off.
    pub(crate) ran: Option<u64>,
    /// The lines in which the guest told its results; probes off.
    pub(crate) lines: Vec<ResultLine>,
    /// All exits; none natively. With probes.
    pub(crate) exits: Option<u64>,
    /// How many characters the guest printed in the run with probes. Each is two accesses to the
    /// console, and how many there are depends on how long durations are when printed: see
    /// [`crate::golden`].
    pub(crate) printed: u64,
    /// The hypervisor's report; none natively. With probes.
    pub(crate) report: Option<Report>,
    /// What the model says; probes off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) models: Vec<Modelled>,
    /// Why there is no model of this cell, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unmodelled: Option<String>,
}

/// What the model of the MMU says of one run of a guest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Modelled {
    /// The largest block that stage 2 or the nested page tables had, log2 of its bytes; under nested
    /// paging alone.
    pub(crate) block: Option<u32>,
    /// What [`Cell::ran`] is, of this very run.
    pub(crate) ran: Option<u64>,
    /// What [`Cell::lines`] are, of this very run.
    pub(crate) lines: Vec<ResultLine>,
    /// What was modelled.
    pub(crate) output: Output,
}

/// Where a guest ran.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Place {
    /// The instruction set.
    pub(crate) arch: Arch,
    /// The computer: `virt`, `svm`, `skylake_x`, `penryn`.
    pub(crate) computer: String,
    /// The name of the emulator.
    pub(crate) emulator: String,
    /// What the guest had under it.
    pub(crate) mode: Mode,
}

/// How it went with a cell.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum Status {
    /// Both runs came to their end, and the guest found its answers right.
    Ok,
    /// One of them did not. What the cell has besides is from before that.
    Failed {
        /// Why.
        error: String,
    },
}

impl From<lab::Place> for Place {
    fn from(lab::Place { computer, mode }: lab::Place) -> Self {
        Self {
            arch: computer.arch(),
            computer: computer.word().to_owned(),
            emulator: computer.program().title().to_owned(),
            mode,
        }
    }
}

impl Results {
    /// Nothing was measured yet.
    pub(crate) fn new<'a>(
        umbra: Source,
        tools: Vec<Tools>,
        switches: impl Iterator<Item = &'a str>,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            version: VERSION,
            umbra,
            tools,
            switches: switches.map(str::to_owned).collect(),
            complete: false,
            geometry: None,
            cells: Vec::new(),
        }
    }
}

impl Cell {
    /// A cell without figures.
    pub(crate) fn new(guest: &str, place: lab::Place, unit: &str) -> Self {
        Self {
            guest: guest.to_owned(),
            place: place.into(),
            status: Status::Ok,
            unit: unit.to_owned(),
            ran: None,
            lines: Vec::new(),
            exits: None,
            printed: 0,
            report: None,
            models: Vec::new(),
            unmodelled: None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cli::Paging;
    use crate::computer::{Computer, Model};
    use crate::mmu::tests::small_output;
    use crate::report::small_report;
    use crate::run;

    /// A cell of the guest `hello`.
    pub(crate) fn cell(computer: Computer, mode: Mode, ran: u64) -> Cell {
        let report = (mode != Mode::Native).then(small_report);
        Cell {
            ran: Some(ran),
            lines: run::results("@ sum row=all ticks=5 sum=7"),
            exits: report.as_ref().map(|report| report.exits.total),
            printed: 1,
            report,
            ..Cell::new("hello", lab::Place { computer, mode }, "instructions")
        }
    }

    /// What the model says of a run of it.
    pub(crate) fn modelled(block: Option<u32>) -> Modelled {
        let lines = run::results("@ sum row=all ticks=5 sum=7");
        Modelled { block, ran: Some(200), lines, output: small_output() }
    }

    /// Small results: a native cell, one under shadow paging, and one that failed.
    pub(crate) fn small() -> Results {
        let shadow = Mode::Under(Paging::Shadow);
        let failed = Cell {
            status: Status::Failed { error: "no answer".to_owned() },
            ran: None,
            report: None,
            ..cell(Computer::Bochs(Model::PENRYN), shadow, 0)
        };
        let tools = |arch, name: &str| Tools {
            arch,
            compiler: "rustc 1.0".to_owned(),
            emulators: vec![EmulatorVersion { name: name.to_owned(), version: "1.0".to_owned() }],
        };
        let source = Source { version: "0.1.0".to_owned(), commit: None, dirty: None };
        let tools = vec![tools(Arch::Aarch64, "QEMU"), tools(Arch::X86_64, "Bochs")];
        Results {
            complete: true,
            cells: vec![
                cell(Computer::Virt, Mode::Native, 100),
                cell(Computer::Virt, shadow, 200),
                failed,
            ],
            ..Results::new(source, tools, ["reverse-map"].into_iter())
        }
    }

    #[test]
    fn loss_is_against_the_native_run() {
        let results = small();
        assert_eq!(results.loss(&results.cells[1]), Some(0.5));
        assert_eq!(results.loss(&results.cells[0]), Some(0.0));
        assert_eq!(results.loss(&results.cells[2]), None);
    }

    #[test]
    fn models_of_bochs_share_their_native_run() {
        let mut results = small();
        let native = cell(Computer::Bochs(Model::SKYLAKE), Mode::Native, 100);
        results.cells.push(native);
        let found = results.native_of(&results.cells[2]).unwrap();
        assert_eq!(found.place.computer, "skylake_x");
    }
}
