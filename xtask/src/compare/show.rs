//! The figures side by side, for a terminal.

mod modelled;

use std::fmt::Write as _;

use anyhow::Result;
use comfy_table::Cell as TableCell;

use super::published::{Column, Published, WHOLE, percent};
use crate::cli::Paging;
use crate::lab::Mode;
use crate::mmu;
use crate::report::Row;
use crate::results::{Cell, Results, Work, loss};
use crate::table::{self, cells, decimal, drawn, number};

/// What stands where nothing was measured.
const NOTHING: &str = "-";
/// What must be known to read the tables.
const NOTES: &str = "
Instructions are executed ones, of guest and hypervisor together, probes off; they are no cycles. Those of a row,
and its exits, are for each operation. Loss is the share of native speed that is lost: 1 - native / mode.
Columns under the name of a paper are of another machine, in the unit that the heading names: compare ratios and
shapes, never absolute values.
";
/// The columns of every table of work: the mode, and what of it.
const COLUMNS: [&str; 8] = [
    "operations",
    "native\ninstructions",
    "nested\ninstructions",
    "shadow\ninstructions",
    "nested\nloss",
    "shadow\nloss",
    "nested\nexits",
    "shadow\nexits",
];

/// A guest on a computer, in up to three modes.
struct Group<'a>([Option<&'a Cell>; 3]);

/// All tables.
pub(super) fn render(results: &Results) -> Result<String> {
    let published = Published::read()?;
    let mut out = made_with(results);
    for (index, cell) in results.cells.iter().enumerate() {
        let place = &cell.place;
        let known =
            |other: &Cell| other.guest == cell.guest && other.place.computer == place.computer;
        if results.cells[..index].iter().any(known) {
            continue;
        }
        let group = Group::of(results, cell);
        let work = group.work(&published.beside(&cell.guest, place.arch));
        let (guest, arch) = (&cell.guest, place.arch.name());
        let _ =
            writeln!(out, "\n{guest} on {} ({}, {arch})\n{work}", place.computer, place.emulator);
        if let Some(geometry) = &results.geometry {
            let modelled = match modelled::tables(group.0) {
                Ok(tables) => mmu::show::heading(&geometry.name) + "\n" + &tables,
                Err(reason) => format!("no model: {reason}"),
            };
            let _ = writeln!(out, "\n{guest} on {}: {modelled}", place.computer);
        }
        if let Some(functions) = group.functions(&published) {
            let _ =
                writeln!(out, "\n{guest} on {}, shadow: functions\n{functions}", place.computer);
        }
    }
    if !results.cells.is_empty() {
        out.push_str(NOTES);
    }
    if results.geometry.is_some() {
        out.push_str(modelled::NOTES);
    }
    Ok(out)
}

/// What was measured, and with what.
fn made_with(results: &Results) -> String {
    let source = &results.umbra;
    let commit = source.commit.as_deref().unwrap_or("unknown");
    let changed = if source.dirty == Some(true) { ", with changes" } else { "" };
    let mut out = format!("Umbra {}, commit {commit}{changed}\n", source.version);
    for tools in &results.tools {
        let emulators = tools.emulators.iter();
        let emulators =
            emulators.map(|emulator| format!(", {} {}", emulator.name, emulator.version));
        let _ = writeln!(
            out,
            "{}: {}{}",
            tools.arch.name(),
            tools.compiler,
            emulators.collect::<String>()
        );
    }
    let _ = writeln!(out, "steps of shadow paging: {}", results.switches.join(", "));
    if !results.complete {
        out.push_str("INCOMPLETE: it was stopped before its end\n");
    }
    out
}

impl<'a> Group<'a> {
    /// The modes of the guest of a cell, on the computer of it.
    fn of(results: &'a Results, of: &Cell) -> Self {
        let is = |cell: &&Cell, mode| {
            cell.guest == of.guest
                && cell.place.computer == of.place.computer
                && cell.place.mode == mode
        };
        Self(Mode::ALL.map(|mode| match mode {
            Mode::Native => results.native_of(of),
            Mode::Under(_) => results.cells.iter().find(|cell| is(cell, mode)),
        }))
    }

    /// What each row of the work took, and all of it.
    fn work(&self, papers: &[Column]) -> String {
        let papers_headings = papers.iter().map(|column| column.heading.as_str());
        let headings: Vec<_> =
            std::iter::once("work").chain(COLUMNS).chain(papers_headings).collect();
        let mut table = table::table(&headings, &[]);
        let works = self.0.map(|cell| cell.map(Cell::work).unwrap_or_default());
        let longest = works.iter().max_by_key(|rows| rows.len()).cloned().unwrap_or_default();
        for work in &longest {
            let Work { row, title, operations, .. } = work;
            let of = |rows: &Vec<Work>| {
                rows.iter().find(|known| (&known.row, &known.title) == (row, title)).cloned()
            };
            let found = works.each_ref().map(of);
            let each = found.each_ref().map(|work| Some(work.as_ref()?.each));
            let exits = found.each_ref().map(|work| work.as_ref()?.exits);
            let exits = exits.map(|exits| exits.map(|exits| format!("{exits:.2}")));
            table.add_row(line(&work.label(), row, *operations, each, exits, papers));
        }
        let ran = self.0.map(|cell| Some(cell?.ran? as f64));
        let exits = self.0.map(|cell| cell?.exits.map(number));
        table.add_row(line(WHOLE, WHOLE, None, ran, exits, papers));
        let failed = self.0.iter().flatten().filter_map(|cell| Some((cell.name(), cell.error()?)));
        let failed = failed.map(|(name, error)| format!("\nFAILED {name}: {error}"));
        drawn(table) + &failed.collect::<String>()
    }

    /// What the functions of shadow paging took, beside those that the study knows too.
    fn functions(&self, published: &Published) -> Option<String> {
        let shadow =
            self.0.iter().flatten().find(|cell| cell.place.mode == Mode::Under(Paging::Shadow))?;
        let report = shadow.report.as_ref().filter(|_| shadow.guest == "memory-motion")?;
        let headings = [
            "function",
            "Umbra\ncalls",
            "Umbra, probes full\nmean INSTRUCTIONS",
            "Xen 3.0.4, Core 2 Duo,\nDebian: calls",
            "Xen 3.0.4, Core 2 Duo,\nDebian: mean CYCLES",
            "Xen 3.0.4, Core 2 Duo,\nWindows XP: calls",
            "Xen 3.0.4, Core 2 Duo,\nWindows XP: mean CYCLES",
        ];
        let mut table = table::table(&headings, &[]);
        for row in report.functions.iter().chain(&report.outcomes) {
            let name = full_name(row);
            let theirs = published.function(&name);
            if theirs.iter().all(Option::is_none) || row.count == 0 {
                continue;
            }
            let mean = row.time.as_ref().map(|time| decimal(time.mean));
            let mut line = vec![number(row.count), or_nothing(mean)];
            for calls in theirs {
                line.push(or_nothing(calls.map(|calls| number(calls.count))));
                line.push(or_nothing(calls.map(|calls| format!("{} cycles", decimal(calls.mean)))));
            }
            table.add_row(cells(&name, line));
        }
        Some(drawn(table))
    }
}

fn full_name(row: &Row) -> String {
    match &row.function {
        Some(function) => format!("{function}.{}", row.name),
        None => row.name.clone(),
    }
}

/// A row of work in the three modes.
fn line(
    label: &str,
    row: &str,
    operations: Option<u64>,
    each: [Option<f64>; 3],
    exits: [Option<String>; 3],
    papers: &[Column],
) -> Vec<TableCell> {
    let [native, nested, shadow] = each;
    let lost = |mode: Option<f64>| {
        or_nothing(native.zip(mode).and_then(|(native, ran)| loss(native, ran)).map(percent))
    };
    let mut line = vec![or_nothing(operations.map(number))];
    line.extend(each.map(|each| or_nothing(each.map(instructions))));
    line.extend([nested, shadow].map(lost));
    line.extend(exits.into_iter().skip(1).map(or_nothing));
    line.extend(papers.iter().map(|column| or_nothing(column.cells.get(row).cloned())));
    cells(label, line)
}

fn or_nothing(text: Option<String>) -> String {
    text.unwrap_or_else(|| NOTHING.to_owned())
}

/// A figure with the decimal that guests print, if it has one.
fn instructions(value: f64) -> String {
    let whole = number(value.trunc() as u64);
    if value.fract() == 0.0 { whole } else { format!("{whole}.{:.0}", value.fract() * 10.0) }
}
