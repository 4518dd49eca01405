//! Every guest in every mode, in the emulator.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use paging::switch::SwitchSet;

use super::baseline;
use super::deeds::{self, Deed, MISBEHAVE, Must};
use super::tally::Tally;
use crate::cli::{Paging, Probes};
use crate::emu::{End, Ran};
use crate::golden;
use crate::lab::{Lab, Mode, Place, Run};
use crate::parallel;
use crate::report::{Report, Verdict};
use crate::run::native_status;

/// When a run is stopped. Runs that share a computer with others take longer.
const TIMEOUT: Duration = Duration::from_secs(240);
/// The guests whose reports are compared between two runs.
const TWICE: [&str; 2] = ["hello", "mmu-ops"];
/// The guests that do more on the bare machine, whose processor has what the hypervisor hides.
const RICHER_NATIVELY: [&str; 1] = ["table-stores"];
/// The guests that ask the processor what it has, and do more where it has more: each computer's is compared
/// with itself.
const OF_THE_PROCESSOR: [&str; 2] = ["mmu-cases", "table-stores"];
/// The guests that compute the same on every instruction set.
const EVERYWHERE: [&str; 3] = ["aim9-memory", "memory-motion", "tlb-chase"];
/// Guests and arguments with which they take as many interrupts as there is time for: their counts hang on the
/// compiler.
const TIMED: [(&str, &str); 1] = [("mmu-cases", "timed")];
/// How lines begin that tell of the machine: a PC's firmware keeps some of its memory.
const OF_THE_MACHINE: [&str; 1] = ["@ hello ram="];
/// When a guest that does not end by itself is asked to.
const SOON: Duration = Duration::from_secs(3);

/// A case.
#[derive(Clone, Copy, Debug)]
struct Case<'a> {
    place: Place,
    guest: &'a str,
    arguments: Option<&'a str>,
    must: Must,
}

/// What a guest computed, by guest and arguments, and by the place where it did.
pub(super) type Computed = BTreeMap<(String, Option<String>), Vec<(String, String)>>;

impl Case<'_> {
    fn name(&self) -> String {
        let deed =
            self.arguments.map_or_else(String::new, |deed| format!("-{}", deed.replace(' ', "-")));
        format!("{}{deed}-{}", self.guest, self.place.name())
    }

    fn is_timed(&self) -> bool {
        TIMED
            .iter()
            .any(|&(guest, arguments)| self.guest == guest && self.arguments == Some(arguments))
    }

    /// Whether its figures are compared with the baseline, and that is wanted.
    fn is_in_baseline(&self, tally: &Tally) -> bool {
        self.arguments.is_none()
            && baseline::has(self.guest, self.place)
            && tally.wants(&baseline::case(&self.name()))
    }

    const fn run(&self, probes: Probes) -> Run<'_> {
        let timeout = if matches!(self.must, Must::GoOn) { SOON } else { TIMEOUT };
        Run {
            place: self.place,
            guest: self.guest,
            arguments: self.arguments,
            probes,
            switches: SwitchSet::DEFAULT,
            timeout,
        }
    }
}

/// Runs all of them, and returns what they computed.
pub(super) fn all(tally: &mut Tally, lab: &Lab) -> Computed {
    let cases = cases(lab);
    let wanted: Vec<_> = cases
        .iter()
        .filter(|case| tally.wants(&format!("run: {}", case.name())) || case.is_in_baseline(tally))
        .copied()
        .collect();
    let results = parallel::each(&wanted, |case| once(lab, case));
    let mut computed = Computed::new();
    let mut figures = BTreeMap::new();
    for (case, result) in wanted.iter().zip(results) {
        if let Ok(done) = &result
            && case.is_in_baseline(tally)
        {
            figures.insert(case.name(), baseline::figures(&done.ran, &done.report));
        }
        if !tally.wants(&format!("run: {}", case.name())) {
            continue;
        }
        let text = result.and_then(|done| {
            golden::compare(&case.name(), &done.text).map(|()| golden::computed(&done.ran.console))
        });
        // One that is stopped, or stops itself in despair, has computed nothing.
        if let Ok(text) = &text
            && let Must::End(_) = case.must
            && (case.place.mode != Mode::Native || !RICHER_NATIVELY.contains(&case.guest))
        {
            let mut guest = case.guest.to_owned();
            if OF_THE_PROCESSOR.contains(&case.guest) {
                guest = format!("{guest} {}", case.place.computer.name()).trim_end().to_owned();
            }
            let key = (guest, case.arguments.map(str::to_owned));
            computed.entry(key).or_default().push((case.place.name(), text.clone()));
        }
        tally.note(&format!("run: {}", case.name()), text.map(drop));
    }
    baseline::check(tally, lab, figures);
    let arch = lab.arch().name();
    for ((guest, _), texts) in &computed {
        let name = format!("the same answers in every mode, {arch}: {guest}");
        tally.case(&name, || agree(texts));
    }
    let twice: Vec<_> = cases
        .iter()
        .filter(|case| {
            TWICE.contains(&case.guest)
                && case.place.mode != Mode::Native
                && case.arguments.is_none()
        })
        .filter(|case| tally.wants(&format!("twice: {}", case.name())))
        .copied()
        .collect();
    for (case, result) in twice.iter().zip(parallel::each(&twice, |case| identical(lab, case))) {
        tally.note(&format!("twice: {}", case.name()), result);
    }
    computed
}

/// The guests that compute the same on every instruction set do.
pub(super) fn across(tally: &mut Tally, computed: &[Computed]) {
    for guest in EVERYWHERE {
        let of =
            |computed: &Computed| Some(computed.get(&(guest.to_owned(), None))?.first()?.clone());
        let texts: Vec<_> = computed.iter().filter_map(of).collect();
        tally.case(&format!("the same answers on every processor: {guest}"), || agree(&texts));
    }
}

fn cases(lab: &Lab) -> Vec<Case<'_>> {
    let mut cases = Vec::new();
    for guest in lab.guests() {
        for place in Place::all(lab.arch()) {
            if guest != MISBEHAVE {
                let must = Must::End(0);
                cases.push(Case { place, guest, arguments: None, must });
                let timed = TIMED.iter().filter(|(of, _)| *of == guest);
                cases.extend(timed.map(|&(_, arguments)| Case {
                    place,
                    guest,
                    arguments: Some(arguments),
                    must,
                }));
                continue;
            }
            let Mode::Under(paging) = place.mode else { continue };
            let of = |(deed, [nested, shadow]): Deed| {
                let must = if paging == Paging::Nested { nested } else { shadow };
                Case { place, guest, arguments: Some(deed), must }
            };
            cases.extend(deeds::on(place.computer).map(of));
        }
    }
    cases
}

/// A run that ended as it must.
struct Done {
    ran: Ran,
    report: Report,
    /// What of it is golden.
    text: String,
}

fn once(lab: &Lab, case: &Case<'_>) -> Result<Done> {
    let (ran, report) = lab.run(&case.run(Probes::Counts))?;
    check(case, &ran, &report)?;
    let text = match case.must {
        Must::End(_) if case.is_timed() => golden::computed(&ran.console),
        Must::GoOn => golden::ending(&ran, &report),
        Must::End(_) | Must::Fail => golden::text(&ran, &report),
    };
    Ok(Done { ran, report, text })
}

fn check(case: &Case<'_>, ran: &Ran, report: &Report) -> Result<()> {
    let end = if case.must == Must::GoOn { End::Timeout } else { End::Off };
    ensure!(ran.end == end, "it ended by {:?}: {}", ran.end, ran.last_words());
    let status = if case.place.mode == Mode::Native {
        native_status(&ran.console)
    } else {
        let violations = report.violations();
        ensure!(violations.is_empty(), "{}", violations.join("; "));
        ensure!(report.complete, "the report is not complete: {}", ran.last_words());
        report.verdict.as_ref().map(Verdict::status)
    };
    let status =
        status.with_context(|| format!("it ended without a status: {}", ran.last_words()))?;
    let right = match case.must {
        Must::End(wanted) => status == wanted,
        Must::Fail | Must::GoOn => status != 0,
    };
    let reason = report.verdict.as_ref().map_or("", |verdict| &verdict.reason);
    ensure!(right, "its status is {status} {reason}: {}", ran.last_words());
    Ok(())
}

/// Fails unless every mode computed the same. What a mode says it did not do (`ops=0`), such as
/// hypercalls on the bare machine, is no answer.
fn agree(texts: &[(String, String)]) -> Result<()> {
    let undone: Vec<_> = texts
        .iter()
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.strip_suffix(" ops=0"))
        .collect();
    let done = |text: &str| {
        let differs = |line: &&str| OF_THE_MACHINE.iter().any(|start| line.starts_with(start));
        let lines = text.lines().filter(|line| !undone.iter().any(|row| line.starts_with(row)));
        let lines = lines.filter(|line| !differs(line));
        lines.collect::<Vec<_>>().join("\n")
    };
    let Some(((first, expected), rest)) = texts.split_first() else { return Ok(()) };
    for (mode, text) in rest {
        if let Some((line, a, b)) = golden::first_difference(&done(expected), &done(text)) {
            bail!("line {line}: {first} says `{a}`, {mode} says `{b}`");
        }
    }
    Ok(())
}

/// Runs a case twice, fully measured: every byte must be the same, and every identity must hold.
fn identical(lab: &Lab, case: &Case<'_>) -> Result<()> {
    let (first, report) = lab.run(&case.run(Probes::Full))?;
    let violations = report.violations();
    ensure!(violations.is_empty(), "{}", violations.join("; "));
    let (second, _) = lab.run(&case.run(Probes::Full))?;
    for (what, a, b) in [
        ("console", &first.console, &second.console),
        ("report", &first.records.join("\n"), &second.records.join("\n")),
    ] {
        if let Some((line, a, b)) = golden::first_difference(a, b) {
            bail!("the {what} differs in line {line}: `{a}`, then `{b}`");
        }
    }
    ensure!(first.records.len() > 1 && report.complete, "there is no report");
    Ok(())
}
