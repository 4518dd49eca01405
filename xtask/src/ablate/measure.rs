//! Running the guests on every set of steps.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use paging::switch::{Switch, SwitchSet};

use super::figures::{Ablation, Block, Figures, Measured, Outcome};
use super::rows::Row;
use crate::cli::{Paging, Probes};
use crate::computer::Computer;
use crate::emu;
use crate::lab::{Lab, Mode, Place, Run};
use crate::progress::Step;
use crate::report::Report;
use crate::results;
use crate::run::Told;

/// Measures everything, and writes the file after each row.
pub(super) fn all(
    labs: &[Lab],
    guests: &[String],
    timeout: Duration,
    file: &Path,
) -> Result<Ablation> {
    let mut ablation = Ablation::new(labs.iter().map(Lab::tools).collect());
    let _running = emu::Running::begin()?;
    for guest in guests {
        for lab in labs {
            for &computer in super::computers(lab.arch()).iter().filter(|&&on| lab.has(on)) {
                let bench = Bench { lab, guest, computer, timeout };
                ablation.blocks.push(bench.natively());
                for row in Row::on(computer) {
                    let native = ablation.blocks.last().and_then(|block| block.native);
                    let measured = bench.measure(row, native);
                    if emu::interrupted() {
                        return Ok(ablation);
                    }
                    if let Some(block) = ablation.blocks.last_mut() {
                        block.rows.push(measured);
                    }
                    results::write(file, &(serde_json::to_string_pretty(&ablation)? + "\n"))?;
                }
            }
        }
    }
    Ok(ablation)
}

/// A guest on a computer.
struct Bench<'a> {
    lab: &'a Lab,
    guest: &'a str,
    computer: Computer,
    timeout: Duration,
}

impl Bench<'_> {
    fn run(&self, mode: Mode, probes: Probes, switches: SwitchSet) -> Result<(u64, Report)> {
        let place = Place { computer: self.computer, mode };
        let run = Run { probes, switches, ..Run::usual(place, self.guest, self.timeout) };
        let (ran, report) = self.lab.complete(&run)?;
        let total = Told::on(&ran.console).ran;
        Ok((total.context("the guest did not tell how long it ran")?, report))
    }

    /// The guest with no hypervisor.
    fn natively(&self) -> Block {
        let name = format!("{}, {}, native", self.guest, self.computer.word());
        let _step = Step::begin(format!("measuring {name}"));
        let result = self.run(Mode::Native, Probes::Off, SwitchSet::NONE);
        if let Err(error) = &result {
            complain(&name, error);
        }
        Block {
            guest: self.guest.to_owned(),
            place: Place { computer: self.computer, mode: Mode::Under(Paging::Shadow) }.into(),
            native: result.ok().map(|(total, _)| total),
            rows: Vec::new(),
        }
    }

    /// The guest on a set of steps.
    fn measure(&self, row: Row, native: Option<u64>) -> Measured {
        let switches = row.switches().iter().map(Switch::name).collect();
        let outcome = match row.absent(self.computer) {
            Some(reason) => Outcome::Absent { reason },
            None => {
                let name = format!("{}, {}, {row}", self.guest, self.computer.word());
                let _step = Step::begin(format!("measuring {name}"));
                self.figures(row, native).map_or_else(
                    |error| {
                        complain(&name, &error);
                        Outcome::Failed { error: format!("{error:#}") }
                    },
                    Outcome::Ok,
                )
            }
        };
        Measured { row, switches, outcome }
    }

    fn figures(&self, row: Row, native: Option<u64>) -> Result<Figures> {
        let mode = Mode::Under(Paging::Shadow);
        let (total, _) = self.run(mode, Probes::Off, row.switches())?;
        let (_, report) = self.run(mode, Probes::Counts, row.switches())?;
        let counters = report.counters.into_iter();
        Ok(Figures {
            exits: report.exits.total,
            total,
            hypervisor: native.map(|native| total.saturating_sub(native)),
            counters: counters.map(|counter| (counter.name, counter.value)).collect(),
        })
    }
}

fn complain(name: &str, error: &anyhow::Error) {
    if !emu::interrupted() {
        eprintln!("error: {name} failed: {error:#}");
    }
}
