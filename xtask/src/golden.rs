//! Golden reports: what a run must say again next time.
//!
//! Counts and verdicts are golden, durations never: a new compiler changes every duration and no
//! count. `UPDATE_EXPECT=1` accepts what a run says.
//!
//! How often instructions are read (`sh_gva_to_gfn`) is not golden either: that changes with the compiler too.
//!
//! One sort of count would change with a duration: guests print durations, a longer number has more
//! characters, and each character is two accesses to the console. Those are taken out of the counts
//! that they are in.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::emu::Ran;
use crate::paths;
use crate::report::{Report, Row, Verdict};
use crate::run::results;

/// The variable that accepts what a run says.
pub(crate) const UPDATE: &str = "UPDATE_EXPECT";
/// Keys of result lines whose values are durations.
pub(crate) const DURATIONS: [&str; 10] = [
    "ticks",
    "per_page",
    "per_op",
    "min",
    "median",
    "mean",
    "max",
    "clock_cost",
    "cost",
    "frequency",
];

/// What is counted and hangs on where a compiler puts a guest's instructions: how often those at hand had to be
/// read, which is less often where two exits are at neighbouring ones.
pub(crate) const OF_THE_COMPILER: [&str; 1] = ["fn sh_gva_to_gfn"];

/// Accesses to the console for each character: its flags, and its data.
const ACCESSES: u64 = 2;
/// The events in which those accesses count: where the console is in memory, and where it has ports.
const PRINTING: [&[&str]; 2] = [
    &["data_abort", "sh_page_fault", "nested_fault", "mmio", "emulate_mmio"],
    &["io_port", "emulate_port"],
];

/// The event that tells the one from the other.
const PORTS: &str = "emulate_port";

/// What a guest computed: its result lines without durations. The same in every mode.
pub(crate) fn computed(console: &str) -> String {
    let mut out = String::new();
    for line in results(console).iter().filter(|line| line.name != "exit") {
        let _ = write!(out, "@ {}", line.name);
        for (key, value) in line.fields.iter().filter(|(key, _)| !DURATIONS.contains(key)) {
            let _ = write!(out, " {key}={value}");
        }
        out.push('\n');
    }
    out
}

/// What of a run is golden.
pub(crate) fn text(ran: &Ran, report: &Report) -> String {
    let mut out = computed(&ran.console);
    let counts = counts(report, printed(ran)).into_iter();
    for (what, count) in counts.filter(|(what, _)| !OF_THE_COMPILER.contains(&what.as_str())) {
        let _ = writeln!(out, "{what} {count}");
    }
    for phase in &report.phases {
        let _ = writeln!(out, "phase {} ops={} exits={}", phase.name, phase.ops, phase.exits);
    }
    verdict(&mut out, report);
    out
}

/// Every event that happened, and how often, but for what the guest's printing caused.
pub(crate) fn counts(report: &Report, printed: u64) -> Vec<(String, u64)> {
    let has_ports = report.functions.iter().any(|row| row.name == PORTS);
    let printing = PRINTING[usize::from(has_ports)];
    let rows = |kind: &'static str, rows: &[Row]| {
        let count = |row: &Row| {
            let own = if printing.contains(&row.name.as_str()) { ACCESSES * printed } else { 0 };
            let of = row.function.as_ref().map_or(String::new(), |function| format!("{function}."));
            (format!("{kind} {of}{}", row.name), row.count.saturating_sub(own))
        };
        rows.iter().map(count).collect::<Vec<_>>()
    };
    let counters = report.counters.iter();
    let counters = counters.map(|known| (format!("counter {}", known.name), known.value));
    let mut all = rows("exit", &report.reasons);
    all.extend(rows("fn", &report.functions));
    all.extend(rows("outcome", &report.outcomes));
    all.extend(counters);
    all.retain(|(_, count)| *count > 0);
    all
}

/// How many characters the guest printed. The last newline is the hypervisor's, where it runs.
pub(crate) fn printed(ran: &Ran) -> u64 {
    ran.console.len().saturating_sub(1) as u64
}

/// What of a run is golden that was ended from outside, at no exact time.
pub(crate) fn ending(ran: &Ran, report: &Report) -> String {
    let mut out = computed(&ran.console);
    verdict(&mut out, report);
    out
}

fn verdict(out: &mut String, report: &Report) {
    if let Some(Verdict { kind, code, reason }) = &report.verdict {
        let _ = writeln!(out, "verdict {kind} code={code} reason={reason}");
    }
}

/// Compares `text` with the golden file `name`, or accepts it.
pub(crate) fn compare(name: &str, text: &str) -> Result<()> {
    let file = file(name);
    if accepts() {
        return fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()));
    }
    let golden = fs::read_to_string(&file)
        .with_context(|| format!("{} cannot be read; {UPDATE}=1 makes it", file.display()))?;
    match first_difference(&golden, text) {
        None => Ok(()),
        Some((line, expected, found)) => bail!(
            "differs from tests/golden/{name}.txt in line {line}: expected `{expected}`, found `{found}`; if that is \
             right, {UPDATE}=1 accepts it"
        ),
    }
}

/// Whether what a run says is accepted.
pub(crate) fn accepts() -> bool {
    env::var_os(UPDATE).is_some_and(|value| value == "1")
}

fn file(name: &str) -> PathBuf {
    paths::root().join("tests/golden").join(format!("{name}.txt"))
}

/// The number of the first line in which two texts differ, and both lines.
pub(crate) fn first_difference(a: &str, b: &str) -> Option<(usize, String, String)> {
    let (mut ours, mut theirs) = (a.lines(), b.lines());
    for number in 1.. {
        match (ours.next(), theirs.next()) {
            (None, None) => break,
            (x, y) if x == y => {}
            (x, y) => {
                let text = |line: Option<&str>| line.unwrap_or("nothing").to_owned();
                return Some((number, text(x), text(y)));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emu::End;

    #[test]
    fn durations_are_not_golden() {
        let ran = Ran {
            end: End::Off,
            console: "@ a row=1 ticks=5 sum=7\nnoise\n@ exit code=0\n".to_owned(),
            records: Vec::new(),
            registers: None,
            status: None,
        };
        assert_eq!(computed(&ran.console), "@ a row=1 sum=7\n");
    }

    #[test]
    fn the_first_difference_is_found() {
        assert_eq!(first_difference("a\nb", "a\nb"), None);
        assert_eq!(first_difference("a\nb", "a"), Some((2, "b".to_owned(), "nothing".to_owned())));
    }
}
