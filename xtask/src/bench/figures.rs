//! The runs whose figures are judged.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::cli::{Paging, Probes};
use crate::computer::Computer;
use crate::emu::{End, Ran};
use crate::golden;
use crate::lab::{Lab, Mode, Place, Run};
use crate::progress::Step;
use crate::report::Report;
use crate::run::{ResultLine, results};

/// When a run is stopped.
const TIMEOUT: Duration = Duration::from_secs(240);
/// The guests that measure something.
const GUESTS: [&str; 3] = ["bench", "mmu-ops", "memory-motion"];
/// The guest whose whole report is compared between two runs.
const TWICE: &str = "mmu-ops";

/// What one guest measured in one mode.
#[derive(Debug)]
pub(super) struct Measured {
    guest: &'static str,
    mode: Mode,
    /// What it printed, the probes off.
    lines: Vec<ResultLine>,
    /// The report with counts.
    counts: Report,
}

/// All that was measured.
#[derive(Debug)]
pub(super) struct Figures {
    measured: Vec<Measured>,
    /// In how many lines two runs differed, by mode.
    differences: Vec<(Paging, u64)>,
}

impl Figures {
    /// Runs everything.
    pub(super) fn take(lab: &Lab) -> Result<Self> {
        let mut measured = Vec::new();
        for guest in GUESTS {
            for mode in Mode::ALL {
                let _step = Step::begin(format!("measuring {guest}, {}", mode.name()));
                let (ran, _) = complete(lab, guest, mode, Probes::Off)?;
                let counts = match mode {
                    Mode::Native => Report::default(),
                    Mode::Under(_) => complete(lab, guest, mode, Probes::Counts)?.1,
                };
                measured.push(Measured { guest, mode, lines: results(&ran.console), counts });
            }
        }
        let mut differences = Vec::new();
        for paging in [Paging::Nested, Paging::Shadow] {
            let _step = Step::begin(format!("comparing two runs, {}", paging.name()));
            let mode = Mode::Under(paging);
            let [a, b] = [
                complete(lab, TWICE, mode, Probes::Full)?.0,
                complete(lab, TWICE, mode, Probes::Full)?.0,
            ];
            differences.push((paging, different_lines(&a, &b)));
        }
        Ok(Self { measured, differences })
    }

    fn of(&self, guest: &str, mode: Mode) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.guest == guest && measured.mode == mode)
    }

    /// The value of `key` in the line of `guest` whose `column` is `row`.
    pub(super) fn result(
        &self,
        guest: &str,
        mode: Mode,
        (column, row): (&str, &str),
        key: &str,
    ) -> Option<f64> {
        let lines = &self.of(guest, mode)?.lines;
        let line =
            lines.iter().find(|line| line.fields.text(column).is_ok_and(|value| value == row))?;
        line.fields.decimal(key).ok()
    }

    /// Exits for each operation of a phase, over all phases of that name.
    pub(super) fn exits_per_operation(&self, guest: &str, mode: Mode, phase: &str) -> Option<f64> {
        let phases = self.of(guest, mode)?.counts.phases.iter().filter(|known| known.name == phase);
        let (exits, operations) =
            phases.fold((0, 0), |sum, phase| (sum.0 + phase.exits, sum.1 + phase.ops));
        (operations > 0).then(|| exits as f64 / operations as f64)
    }

    /// The report with counts.
    pub(super) fn counts(&self, guest: &str, mode: Mode) -> Option<&Report> {
        Some(&self.of(guest, mode)?.counts)
    }

    /// In how many lines two runs differed.
    pub(super) fn different_lines(&self, paging: Paging) -> Option<f64> {
        self.differences.iter().find(|(of, _)| *of == paging).map(|(_, lines)| *lines as f64)
    }

    /// Everything, to be saved.
    pub(super) fn json(&self) -> Value {
        let all = self.measured.iter().map(|measured| {
            json!({
                "guest": measured.guest,
                "mode": measured.mode.name(),
                "results": measured.lines,
                "counts": measured.counts,
            })
        });
        all.collect()
    }
}

fn complete(lab: &Lab, guest: &str, mode: Mode, probes: Probes) -> Result<(Ran, Report)> {
    let (ran, report) = lab.run(&Run {
        place: Place { computer: Computer::Virt, mode },
        guest,
        arguments: None,
        probes,
        timeout: TIMEOUT,
    })?;
    let name = mode.name();
    ensure!(ran.end == End::Off, "{guest}, {name}: it did not end in {} s", TIMEOUT.as_secs());
    let status = match mode {
        Mode::Native => crate::run::native_status(&ran.console),
        Mode::Under(_) => report.verdict.as_ref().map(|verdict| verdict.status()),
    };
    ensure!(
        status == Some(0),
        "{guest}, {name}: it failed; see `cargo xtask qemu --guest {guest}`"
    );
    Ok((ran, report))
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
