//! The committed baseline: what a few cells cost when somebody last looked.
//!
//! Golden reports hold counts of events. A baseline also holds instructions, which belong to one
//! compiler and one emulator: with others only events are compared, and the case says so. A figure may
//! fall; one that rises fails until `UPDATE_EXPECT=1` accepts it. The figures are those of runs that
//! count events.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::tally::Tally;
use crate::emu::Ran;
use crate::lab::{Lab, Mode, Place};
use crate::report::Report;
use crate::results::{Comparison, Figures, Tools};
use crate::run::Told;
use crate::{golden, paths, results};

/// The guests whose figures it holds, on the first computer of each instruction set.
const GUESTS: [&str; 3] = ["aim9-memory", "hello", "mmu-ops"];

/// A file of it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct Baseline {
    /// What its instructions were counted with.
    tools: Tools,
    /// Its cells.
    cells: BTreeMap<String, Figures>,
}

/// The name of a cell's case.
pub(super) fn case(cell: &str) -> String {
    format!("baseline: {cell}")
}

/// Whether the baseline has a cell for a guest in a place.
pub(super) fn has(guest: &str, place: Place) -> bool {
    GUESTS.contains(&guest)
        && place.mode != Mode::Native
        && place.computer == place.computer.arch().computers()[0]
}

/// The figures of a run.
pub(super) fn figures(ran: &Ran, report: &Report) -> Figures {
    let told = Told::on(&ran.console);
    let mut figures = Figures::default();
    figures.ran(told.ran);
    figures.lines(&told.lines);
    figures.answers.clear();
    figures.counts(report, golden::printed(ran));
    figures
}

/// Compares cells with the baseline, or accepts them.
pub(super) fn check(tally: &mut Tally, lab: &Lab, measured: BTreeMap<String, Figures>) {
    if measured.is_empty() {
        return;
    }
    let file = paths::root().join("tests/baseline").join(format!("{}.json", lab.arch().name()));
    let now = Baseline { tools: tools(lab), cells: measured };
    let known = read(&file);
    if golden::accepts() {
        let accepted = now.accept(known.ok()).and_then(|baseline| baseline.write(&file));
        return tally.note(&case(lab.arch().name()), accepted);
    }
    match known {
        Ok(known) => {
            for (cell, figures) in &now.cells {
                known.compare(tally, cell, figures, &now.tools);
            }
        }
        Err(error) => tally.note(&case(lab.arch().name()), Err(error)),
    }
}

/// What was built with, and the one emulator that the cells ran on.
fn tools(lab: &Lab) -> Tools {
    let name = lab.arch().computers()[0].program().title();
    let mut tools = lab.tools();
    tools.emulators.retain(|emulator| emulator.name == name);
    tools
}

fn read(file: &Path) -> Result<Baseline> {
    let shown = file.strip_prefix(paths::root()).unwrap_or(file).display();
    let text = fs::read_to_string(file)
        .with_context(|| format!("{shown} cannot be read; {}=1 makes it", golden::UPDATE))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{shown} is no baseline; {}=1 makes a new one", golden::UPDATE))
}

impl Baseline {
    fn compare(&self, tally: &mut Tally, cell: &str, now: &Figures, tools: &Tools) {
        let name = case(cell);
        let (comparison, same) = match self.cells.get(cell) {
            Some(known) => self.against(known, cell, now, tools),
            None => {
                return tally.fail(&name, &format!("it is new; {}=1 accepts it", golden::UPDATE));
            }
        };
        let name = match (same, comparison.is_empty()) {
            (false, _) => format!("{name}, events only: compiler or emulator is another"),
            (true, false) if !comparison.rose() => format!("{name}, where figures fell"),
            (true, _) => name,
        };
        let rises = comparison.rises();
        let accept = format!("if that is right, {}=1 accepts it", golden::UPDATE);
        let result =
            if comparison.rose() { Err(anyhow::anyhow!("{rises}; {accept}")) } else { Ok(()) };
        tally.note(&name, result);
    }

    /// What changed, and whether instructions were compared.
    fn against(
        &self,
        known: &Figures,
        cell: &str,
        now: &Figures,
        tools: &Tools,
    ) -> (Comparison, bool) {
        let same = self.tools == *tools;
        let mut comparison = Comparison::default();
        comparison.cell(cell, known, now, (!same).then(String::new));
        (comparison, same)
    }

    /// The baseline with these cells in place of those that it had.
    fn accept(self, known: Option<Self>) -> Result<Self> {
        let Some(mut known) = known else { return Ok(self) };
        if known.tools != self.tools {
            let all = known.cells.keys().all(|cell| self.cells.contains_key(cell));
            ensure!(
                all,
                "compiler or emulator is another: accept all cells at once, by the filter `baseline`"
            );
        }
        known.cells.extend(self.cells);
        Ok(Self { tools: self.tools, cells: known.cells })
    }

    fn write(&self, file: &Path) -> Result<()> {
        let folder = file.parent().context("there is no folder for it")?;
        fs::create_dir_all(folder)?;
        results::write(file, &(serde_json::to_string_pretty(self)? + "\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::small;

    fn figures(ran: u64, exits: u64) -> Figures {
        let mut figures = Figures::default();
        figures.ran(Some(ran));
        figures.events.insert("exit a".to_owned(), exits.into());
        figures
    }

    fn baseline(cell: &str, ran: u64) -> Baseline {
        let cells = BTreeMap::from([(cell.to_owned(), figures(ran, 1))]);
        Baseline { tools: small().tools.remove(0), cells }
    }

    fn others() -> Tools {
        Tools { compiler: "rustc 2.0".to_owned(), ..small().tools.remove(0) }
    }

    #[test]
    fn instructions_count_with_the_same_tools_only() {
        let known = baseline("a", 10);
        let rises = |now: &Figures, tools: &Tools| {
            let (comparison, same) = known.against(&known.cells["a"], "a", now, tools);
            (comparison.rises(), same)
        };
        let tools = known.tools.clone();
        assert_eq!(rises(&figures(11, 1), &tools), ("a, ran: 10 became 11".to_owned(), true));
        assert_eq!(rises(&figures(9, 1), &tools), (String::new(), true));
        assert_eq!(rises(&figures(11, 1), &others()), (String::new(), false));
        assert_eq!(rises(&figures(11, 2), &others()).0, "a, exit a: 1 became 2");
    }

    #[test]
    fn a_part_is_accepted_only_with_the_same_tools() {
        let both = baseline("b", 5).accept(Some(baseline("a", 10))).unwrap();
        assert_eq!(both.cells.len(), 2);
        let other = Baseline { tools: others(), ..baseline("b", 5) };
        assert!(other.clone().accept(Some(both)).is_err());
        assert!(other.accept(Some(baseline("b", 1))).is_ok());
    }
}
