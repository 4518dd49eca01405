//! How a run ended, in a line and in an exit status.

use serde::{Deserialize, Serialize};

use crate::emu::{self, End, Ran};
use crate::report::{Fields, Report};

/// The status of a run whose time was up, as `timeout` gives it.
const TIMED_OUT: u8 = 124;

/// What of a stopped vCPU tells at a glance where it was; the report has the rest.
const STATE: [&str; 12] = [
    "pc", "lr", "pstate", "esr_el1", "far_el1", "elr_el1", "sp", "rflags", "cr0", "cr2", "cr3",
    "cr4",
];

/// The names of the lines in which a guest's runtime tells how long `main` ran, and the exit status.
const RAN: &str = "ran";
const EXIT: &str = "exit";

/// A line in which a guest tells a result.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct ResultLine {
    /// What of.
    pub(crate) name: String,
    /// The figures.
    pub(crate) fields: Fields,
}

/// The results that stand on a guest's console.
pub(crate) fn results(console: &str) -> Vec<ResultLine> {
    let lines = console.lines().filter_map(|line| line.strip_prefix(hv_abi::record::RESULT));
    let parse = |line: &str| {
        let (name, fields) = line.split_once(' ').unwrap_or((line, ""));
        ResultLine { name: name.trim().to_owned(), fields: Fields::parse(fields) }
    };
    lines.map(parse).collect()
}

/// What a guest told of its work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// How long its `main` ran.
    pub(crate) ran: Option<u64>,
    /// Its results.
    pub(crate) lines: Vec<ResultLine>,
}

impl Told {
    /// What it told on a console.
    pub(crate) fn on(console: &str) -> Self {
        let mut lines = results(console);
        let ran = lines.iter().find(|line| line.name == RAN);
        let ran = ran.and_then(|line| line.fields.number("ticks").ok());
        lines.retain(|line| line.name != RAN && line.name != EXIT);
        Self { ran, lines }
    }
}

/// The exit status that a native guest printed: it has no other way to give one.
pub(crate) fn native_status(console: &str) -> Option<u8> {
    let last = results(console).into_iter().rfind(|line| line.name == EXIT)?;
    last.fields.number("code").ok().map(|code| (code & 0xff) as u8)
}

/// Says on the standard error stream how the run ended, where that is not plain, and returns the
/// exit status. A native guest from outside the tree may have no way to give one: that it switched its
/// machine off is enough.
pub(super) fn conclude(native: bool, foreign: bool, ran: &Ran, report: &Report) -> u8 {
    for violation in report.violations() {
        eprintln!("warning: the report contradicts itself: {violation}");
    }
    if let Some(message) = &report.error {
        eprintln!("error: the hypervisor gave up: {message}");
        return 1;
    }
    if !native && ran.records.is_empty() {
        eprintln!("warning: no record arrived from the hypervisor");
    } else if !native && !report.complete {
        eprintln!("warning: the report is cut off: its last record did not arrive");
    }
    if ran.end != End::Off {
        describe_stop(ran, report);
    }
    match ran.end {
        End::Timeout => {
            eprintln!("error: the time was up; --timeout S gives a guest more");
            TIMED_OUT
        }
        End::Interrupted => {
            eprintln!("error: interrupted");
            emu::INTERRUPTED
        }
        End::Off if native && foreign => native_status(&ran.console).or(ran.status).unwrap_or(0),
        End::Off if native => native_status(&ran.console).unwrap_or_else(|| {
            eprintln!("error: the guest ended without an exit status");
            1
        }),
        End::Off => match &report.verdict {
            Some(verdict) => {
                if !matches!(verdict.kind.as_str(), "exit" | "off") {
                    eprintln!("error: the guest was {}: {}", verdict.kind, verdict.reason);
                } else if verdict.code != 0 {
                    eprintln!("error: the guest's exit status is {}", verdict.code);
                }
                verdict.status()
            }
            None => {
                eprintln!("error: the hypervisor ended without a verdict");
                1
            }
        },
    }
}

/// The last that is known of a guest that was stopped from outside.
fn describe_stop(ran: &Ran, report: &Report) {
    let phase = report.vcpu.as_ref().and_then(|vcpu| vcpu.text("phase").ok());
    if let Some(phase) = phase.or_else(|| Some(report.phases.last()?.name.as_str())) {
        eprintln!("last phase: {phase}");
    }
    match ran.console.lines().rfind(|line| !line.trim().is_empty()) {
        Some(line) => eprintln!("last line of the console: {line}"),
        None => eprintln!("the guest wrote nothing"),
    }
    if let Some(vcpu) = &report.vcpu {
        let wanted = vcpu.iter().filter(|(key, _)| STATE.contains(key));
        let state: Vec<_> = wanted.map(|(key, value)| format!("{key}={value}")).collect();
        eprintln!("vCPU: {}", state.join(" "));
    }
    if let Some(registers) = &ran.registers {
        eprintln!("nothing answered; the processor's registers:\n{registers}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_found_among_other_lines() {
        let console = "hello\n@ sum pages=1024 ok=1\nbye\n@ exit code=259\n";
        let lines = results(console);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].fields.number("pages").unwrap(), 1024);
        assert_eq!(native_status(console), Some(3));
        assert_eq!(native_status("no result"), None);
    }
}
