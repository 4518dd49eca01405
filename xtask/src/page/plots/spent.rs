//! Where the hypervisor's time goes.

use super::bars::{Bars, Line, Names};
use super::{Group, Panel, Plot, class};
use crate::page::cells::{distinct, place, reported};
use crate::page::html::Table;
use crate::page::scale::{decimals, short};
use crate::report::Report;
use crate::results::{Cell, Results};
use crate::table::number;

/// How many events have a bar of their own.
const SHOWN: usize = 9;

/// An event, and what it took by itself.
struct Part {
    name: String,
    count: u64,
    time: u64,
}

/// A panel for each cell, with a bar for each event that took most.
pub(in crate::page) fn spent(results: &Results) -> Plot {
    let headings = ["workload", "computer and mode", "event", "count", "instructions", "share"];
    let mut table = Table::new("Time of the hypervisor by event", 3, &headings);
    for (cell, report) in reported(results) {
        for Part { name, count, time } in parts(report) {
            let figures = [number(count), number(time), share(time, report.exits.time)];
            let names = [cell.guest.clone(), place(&cell.place), name];
            table.row(names.into_iter().chain(figures));
        }
    }
    let guests = distinct(reported(results).map(|(cell, _)| cell.guest.as_str()));
    let groups = guests.into_iter().enumerate().map(|(place, guest)| {
        let cells = reported(results).filter(|(cell, _)| cell.guest == guest);
        let panels = cells.filter_map(|(cell, report)| panel(cell, report)).collect();
        Group { title: Some(guest.to_owned()), panels, open: place == 0 }
    });
    Plot {
        id: "spent",
        title: "Where the hypervisor's time goes",
        says: &[
            "The instructions of all exits, divided among the functions that executed them. Each bar is exclusive: \
             without what is counted under another name. “exit …” is what handling an exit of that reason \
             took outside all functions: saving and restoring registers, finding out the reason, going back.",
            "The unit is instructions under an emulator, not cycles. Each measured event contains the probe that \
             measured it, so small functions that are called often look larger than they are. Sums of the run \
             without probes are in the first plot.",
        ],
        legend: &[],
        nothing: "No cell has measured times.",
        groups: groups.collect(),
        table,
    }
}

/// All events that took time, the longest first.
fn parts(report: &Report) -> Vec<Part> {
    let exits = report.reasons.iter().map(|row| (format!("exit {}", row.name), row));
    let functions = report.functions.iter().map(|row| (row.name.clone(), row));
    let parts = exits.chain(functions).filter_map(|(name, row)| {
        let time = row.time.as_ref()?.exclusive?;
        Some(Part { name, count: row.count, time })
    });
    let mut parts: Vec<_> = parts.filter(|part| part.time > 0).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.time));
    parts
}

/// A sum of figures from a file, which may say anything.
fn sum(figures: impl Iterator<Item = u64>) -> u64 {
    figures.fold(0, u64::saturating_add)
}

fn share(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

fn panel(cell: &Cell, report: &Report) -> Option<Panel> {
    let parts = parts(report);
    let (shown, rest) = parts.split_at(parts.len().min(SHOWN));
    let rest = (!rest.is_empty()).then(|| Part {
        name: format!("{} others", rest.len()),
        count: sum(rest.iter().map(|part| part.count)),
        time: sum(rest.iter().map(|part| part.time)),
    });
    let whole = report.exits.time;
    let lines: Vec<_> = shown
        .iter()
        .chain(&rest)
        .map(|part| Line::Bar {
            name: part.name.clone(),
            class: class(cell.place.mode),
            value: 100.0 * part.time as f64 / whole.max(1) as f64,
            figure: format!("{} · {}", short(part.time as f64, 1), share(part.time, whole)),
        })
        .collect();
    if lines.is_empty() {
        return None;
    }
    let title = place(&cell.place);
    let label = format!("{}, {title}: share of each event in the time of all exits", cell.guest);
    let axis = "share of the hypervisor's instructions, %";
    let drawing = Bars {
        label: &label,
        names: Names::Above,
        axis,
        tick: |value| decimals(value, 0),
        max: 100.0,
        reference: None,
        lines: &lines,
    };
    let mut notes =
        vec![format!("{} {} in {} exits", number(whole), cell.unit, number(report.exits.total))];
    if report.exits.samples < report.exits.total {
        notes.push(format!("{} of the exits were measured", number(report.exits.samples)));
    }
    if let Some(error) = cell.error() {
        notes.push(format!("The cell failed: {error}"));
    }
    Some(Panel { title, notes, svg: Some(drawing.draw()) })
}
