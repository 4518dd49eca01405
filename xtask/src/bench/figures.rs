//! The runs whose figures are judged.

use std::time::Duration;

use anyhow::{Context as _, Result};
use paging::switch::SwitchSet;
use serde_json::{Value, json};

use crate::cli::Probes;
use crate::computer::Computer;
use crate::emu::Ran;
use crate::golden;
use crate::lab::{Lab, Mode, Place, Run};
use crate::progress::Step;
use crate::report::Report;
use crate::run::{ResultLine, results};

/// When a run is stopped.
const TIMEOUT: Duration = Duration::from_secs(240);
/// The guests that measure something, and those of them that are run where an instruction takes long.
const GUESTS: [&str; 3] = ["bench", "memory-motion", "mmu-ops"];
const GUESTS_OF_BOCHS: [&str; 2] = ["bench", "memory-motion"];

/// What one guest measured in one mode.
#[derive(Debug)]
pub(super) struct Measured {
    guest: &'static str,
    place: Place,
    /// What it printed, the probes off.
    lines: Vec<ResultLine>,
    /// The report with counts.
    counts: Report,
}

/// All that was measured.
#[derive(Debug)]
pub(super) struct Figures {
    measured: Vec<Measured>,
    /// In how many lines two runs differed, by place.
    differences: Vec<(Place, u64)>,
}

impl Figures {
    /// Runs everything.
    pub(super) fn take(lab: &Lab) -> Result<Self> {
        let mut measured = Vec::new();
        for place in Place::all(lab.arch()) {
            for &guest in guests(place.computer) {
                let _step = Step::begin(format!("measuring {guest}, {}", place.name()));
                let (ran, _) = complete(lab, guest, place, Probes::Off)?;
                let counts = match place.mode {
                    Mode::Native => Report::default(),
                    Mode::Under(_) => complete(lab, guest, place, Probes::Counts)?.1,
                };
                measured.push(Measured { guest, place, lines: results(&ran.console), counts });
            }
        }
        let mut differences = Vec::new();
        for place in Place::all(lab.arch()).filter(|place| place.mode != Mode::Native) {
            let _step = Step::begin(format!("comparing two runs, {}", place.name()));
            let guest = guests(place.computer).last().copied().unwrap_or_default();
            let run = || complete(lab, guest, place, Probes::Full);
            differences.push((place, different_lines(&run()?.0, &run()?.0)));
        }
        Ok(Self { measured, differences })
    }

    fn of(&self, guest: &str, place: Place) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.guest == guest && measured.place == place)
    }

    /// The value of `key` in the line of `guest` whose `column` is `row`.
    pub(super) fn result(
        &self,
        guest: &str,
        place: Place,
        (column, row): (&str, &str),
        key: &str,
    ) -> Option<f64> {
        let lines = &self.of(guest, place)?.lines;
        let line =
            lines.iter().find(|line| line.fields.text(column).is_ok_and(|value| value == row))?;
        line.fields.decimal(key).ok()
    }

    /// Exits for each operation of a phase, over all phases of that name.
    pub(super) fn exits_per_operation(
        &self,
        guest: &str,
        place: Place,
        phase: &str,
    ) -> Option<f64> {
        let phases =
            self.of(guest, place)?.counts.phases.iter().filter(|known| known.name == phase);
        let (exits, operations) =
            phases.fold((0, 0), |sum, phase| (sum.0 + phase.exits, sum.1 + phase.ops));
        (operations > 0).then(|| exits as f64 / operations as f64)
    }

    /// The report with counts.
    pub(super) fn counts(&self, guest: &str, place: Place) -> Option<&Report> {
        Some(&self.of(guest, place)?.counts)
    }

    /// In how many lines two runs differed.
    pub(super) fn different_lines(&self, place: Place) -> Option<f64> {
        self.differences.iter().find(|(of, _)| *of == place).map(|(_, lines)| *lines as f64)
    }

    /// Everything, to be saved.
    pub(super) fn json(&self) -> Value {
        let all = self.measured.iter().map(|measured| {
            json!({
                "guest": measured.guest,
                "place": measured.place.name(),
                "results": measured.lines,
                "counts": measured.counts,
            })
        });
        all.collect()
    }
}

/// The guests that are measured on a computer. The last of them is the one whose whole report is
/// compared between two runs.
const fn guests(computer: Computer) -> &'static [&'static str] {
    match computer {
        Computer::Bochs(_) => &GUESTS_OF_BOCHS,
        Computer::Virt | Computer::Q35(_) => &GUESTS,
    }
}

fn complete(lab: &Lab, guest: &str, place: Place, probes: Probes) -> Result<(Ran, Report)> {
    let switches = SwitchSet::DEFAULT;
    lab.complete(&Run { place, guest, arguments: None, probes, switches, timeout: TIMEOUT })
        .with_context(|| format!("{guest}, {}", place.name()))
}

fn different_lines(a: &Ran, b: &Ran) -> u64 {
    let whole = |ran: &Ran| format!("{}\n{}", ran.console, ran.records.join("\n"));
    let (a, b) = (whole(a), whole(b));
    if golden::first_difference(&a, &b).is_none() {
        return 0;
    }
    let differing = a.lines().zip(b.lines()).filter(|(x, y)| x != y).count();
    (differing + a.lines().count().abs_diff(b.lines().count())) as u64
}
