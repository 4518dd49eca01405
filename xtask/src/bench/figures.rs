//! The runs whose figures are judged.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::cli::{Paging, Probes};
use crate::computer::Computer;
use crate::emu::Ran;
use crate::lab::{Lab, Mode, Place, Run};
use crate::progress::Step;
use crate::report::Report;
use crate::run::{ResultLine, results};
use crate::{golden, parallel};

/// When a run is stopped.
const TIMEOUT: Duration = Duration::from_secs(240);

/// What is run: a guest with its arguments, where, and with which probes.
type Job = (&'static str, fn(Place) -> bool, Probes);

const JOBS: [Job; 11] = [
    ("bench", everywhere, Probes::Off),
    ("bench", in_shadow, Probes::Counts),
    ("memory-motion", everywhere, Probes::Off),
    (TWICE, under_umbra, Probes::Full),
    ("mmu-ops", in_shadow_or_qemu, Probes::Off),
    ("mmu-ops", in_shadow, Probes::Counts),
    ("aim9-memory", in_shadow_or_native, Probes::Off),
    ("scale map", in_shadow, Probes::Off),
    ("scale switch", in_shadow, Probes::Off),
    ("scale blocks", in_shadow, Probes::Counts),
    ("scale blocks 0", in_shadow, Probes::Counts),
];
/// The guest whose whole report is compared between two runs.
const TWICE: &str = "memory-motion";

const fn everywhere(_: Place) -> bool {
    true
}

fn under_umbra(place: Place) -> bool {
    place.mode != Mode::Native
}

fn in_shadow(place: Place) -> bool {
    place.mode == Mode::Under(Paging::Shadow)
}

fn in_shadow_or_native(place: Place) -> bool {
    in_shadow(place) || place.mode == Mode::Native
}

/// An instruction takes long under Bochs, and what these are compared with ran under QEMU.
fn in_shadow_or_qemu(place: Place) -> bool {
    in_shadow(place) || !matches!(place.computer, Computer::Bochs(_))
}

/// What was measured in one run.
#[derive(Debug)]
struct Measured {
    /// Guest and arguments.
    work: &'static str,
    place: Place,
    probes: Probes,
    /// What the guest printed.
    lines: Vec<ResultLine>,
    /// What the hypervisor reported.
    report: Report,
    /// In how many lines a second run differed, if there was one.
    different_lines: Option<u64>,
}

/// All that was measured.
#[derive(Debug)]
pub(super) struct Figures(Vec<Measured>);

impl Figures {
    /// Runs everything.
    pub(super) fn take(lab: &Lab) -> Result<Self> {
        let places: Vec<_> = Place::all(lab.arch()).collect();
        let of = |place: Place| {
            let jobs = JOBS.into_iter().filter(move |(_, is_wanted, _)| is_wanted(place));
            jobs.map(move |(work, _, probes)| (work, place, probes))
        };
        let jobs: Vec<_> = places.into_iter().flat_map(of).collect();
        let _step = Step::begin(format!("measuring: {} runs", jobs.len()));
        let measured = parallel::each(&jobs, |&(work, place, probes)| {
            measure(lab, work, place, probes)
                .with_context(|| format!("{work}, {}, probes {}", place.name(), probes.name()))
        });
        measured.into_iter().collect::<Result<_>>().map(Self)
    }

    fn of(&self, work: &str, place: Place, probes: Probes) -> Option<&Measured> {
        self.0.iter().find(|measured| {
            (measured.work, measured.place, measured.probes) == (work, place, probes)
        })
    }

    /// The value of `key` in the line that has all of `fields`, probes off.
    pub(super) fn result(
        &self,
        work: &str,
        place: Place,
        fields: &[(&str, &str)],
        key: &str,
    ) -> Option<f64> {
        let lines = &self.of(work, place, Probes::Off)?.lines;
        let has = |line: &ResultLine, (column, wanted): (&str, &str)| {
            line.fields.text(column).is_ok_and(|value| value == wanted)
        };
        let line = lines.iter().find(|line| fields.iter().all(|&field| has(line, field)))?;
        line.fields.decimal(key).ok()
    }

    /// The sum of `key` over the lines of all rounds, probes off.
    pub(super) fn sum(&self, work: &str, place: Place, key: &str) -> Option<f64> {
        let lines = &self.of(work, place, Probes::Off)?.lines;
        let rounds = lines.iter().filter(|line| line.fields.text("round").is_ok());
        rounds.map(|line| line.fields.decimal(key).ok()).sum()
    }

    /// Exits for each operation of a phase, over all phases of that name.
    pub(super) fn exits_per_operation(&self, work: &str, place: Place, phase: &str) -> Option<f64> {
        let phases = self.report(work, place, Probes::Counts)?.phases.iter();
        let (exits, operations) = phases
            .filter(|known| known.name == phase)
            .fold((0, 0), |sum, phase| (sum.0 + phase.exits, sum.1 + phase.ops));
        (operations > 0).then(|| exits as f64 / operations as f64)
    }

    /// What the hypervisor reported.
    pub(super) fn report(&self, work: &str, place: Place, probes: Probes) -> Option<&Report> {
        Some(&self.of(work, place, probes)?.report)
    }

    /// In how many lines two runs differed.
    pub(super) fn different_lines(&self, place: Place) -> Option<f64> {
        self.of(TWICE, place, Probes::Full)?.different_lines.map(|lines| lines as f64)
    }

    /// Everything, to be saved.
    pub(super) fn json(&self) -> Value {
        let all = self.0.iter().map(|measured| {
            json!({
                "guest": measured.work,
                "place": measured.place.name(),
                "probes": measured.probes.name(),
                "results": measured.lines,
                "report": measured.report,
            })
        });
        all.collect()
    }
}

#[cfg(test)]
impl Figures {
    /// Figures of runs in which guest and hypervisor said this.
    pub(super) fn said(runs: &[(&'static str, Place, Probes, &str)]) -> Result<Self> {
        let measured = runs.iter().map(|&(work, place, probes, text)| {
            let records: Vec<_> = text.lines().map(str::to_owned).collect();
            let (lines, report) = (results(text), Report::parse(&records)?);
            Ok(Measured { work, place, probes, lines, report, different_lines: None })
        });
        measured.collect::<Result<_>>().map(Self)
    }
}

fn measure(lab: &Lab, work: &'static str, place: Place, probes: Probes) -> Result<Measured> {
    let (guest, arguments) =
        work.split_once(' ').map_or((work, None), |(guest, arguments)| (guest, Some(arguments)));
    let run = Run { arguments, probes, ..Run::usual(place, guest, TIMEOUT) };
    let (ran, report) = lab.complete(&run)?;
    let again = probes == Probes::Full;
    let different_lines =
        again.then(|| Ok::<_, anyhow::Error>(different_lines(&ran, &lab.complete(&run)?.0)));
    let different_lines = different_lines.transpose()?;
    let lines = results(&ran.console);
    Ok(Measured { work, place, probes, lines, report, different_lines })
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
