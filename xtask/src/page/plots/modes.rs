//! Nested against shadow paging: what a workload takes in all, and how often its guest is left.

use super::bars::{Bars, Line, Names};
use super::{Group, Panel, Plot, class};
use crate::lab::Mode;
use crate::page::cells::{UNDER, computer, computers, find, guests};
use crate::page::html::Table;
use crate::page::scale::{decimals, short};
use crate::results::{Cell, Results};
use crate::table::number;

/// The total of each cell against that of the native run.
pub(in crate::page) fn totals(results: &Results) -> Plot {
    let headings = ["workload", "computer", "mode", "instructions", "against native", "loss"];
    let mut table = Table::new("Total instructions", 3, &headings);
    for cell in &results.cells {
        let ratio = ratio(results, cell).map_or_else(dash, |ratio| format!("{ratio:.3}"));
        let loss = results.loss(cell).map_or_else(dash, |loss| format!("{:.1} %", 100.0 * loss));
        let ran = shown(cell, cell.ran);
        table.row(names(cell).into_iter().chain([ran, ratio, loss]));
    }
    Plot {
        id: "totals",
        title: "What each workload takes, against native",
        says: &[
            "Executed instructions of guest and hypervisor together, from the start of the guest's main to its end, \
             without probes, divided by those of the same guest on the bare emulated machine. The line at 1 is native.",
            "These are instructions under an emulator, not cycles and not seconds. Page walks, TLB misses, cache \
             misses and the switch between guest and hypervisor cost nothing there. Nested paging pays in just \
             these, so it looks free here and is not. Compare bars of one computer; computers differ in \
             instruction set and emulator. Each panel has its own scale. mmu-ops and scale do little but change \
             page tables: their ratios are no program's.",
        ],
        legend: &[],
        nothing: "No cell has a total and a native run to compare it with.",
        groups: panels(results, "instructions, native = 1", Some(1.0), "no native run", |cell| {
            let ratio = ratio(results, cell)?;
            Some((ratio, format!("{ratio:.2} ×")))
        }),
        table,
    }
}

/// The exits of each cell.
pub(in crate::page) fn exits(results: &Results) -> Plot {
    let headings = ["workload", "computer", "mode", "exits"];
    let mut table = Table::new("Exits", 3, &headings);
    for cell in results.cells.iter().filter(|cell| cell.place.mode != Mode::Native) {
        table.row(names(cell).into_iter().chain([shown(cell, cell.exits)]));
    }
    Plot {
        id: "exits",
        title: "How often the guest is left",
        says: &[
            "Exits to the hypervisor from boot to end, the console's included. They are events, counted exactly, \
             and would be nearly the same on silicon with the same features.",
            "What one exit costs on silicon is not to be seen here. Each panel has its own scale.",
        ],
        legend: &[],
        nothing: "No cell has counted exits.",
        groups: panels(results, "exits", None, "not counted", |cell| {
            let exits = cell.exits?;
            Some((exits as f64, number(exits)))
        }),
        table,
    }
}

fn names(cell: &Cell) -> [String; 3] {
    let mode = cell.place.mode.name().to_owned();
    [cell.guest.clone(), computer(&cell.place), mode]
}

fn shown(cell: &Cell, figure: Option<u64>) -> String {
    match (cell.error(), figure) {
        (Some(_), _) => "failed".to_owned(),
        (None, Some(figure)) => number(figure),
        (None, None) => dash(),
    }
}

fn dash() -> String {
    "–".to_owned()
}

fn ratio(results: &Results, cell: &Cell) -> Option<f64> {
    let native = results.native_of(cell)?;
    if native.error().is_some() || cell.error().is_some() {
        return None;
    }
    Some(cell.ran? as f64 / native.ran.filter(|&ran| ran > 0)? as f64)
}

/// A panel for each workload, with a bar for each computer and mode.
fn panels(
    results: &Results,
    axis: &str,
    reference: Option<f64>,
    missing: &'static str,
    measure: impl Fn(&Cell) -> Option<(f64, String)>,
) -> Vec<Group> {
    let panels = guests(results).into_iter().map(|guest| {
        let (mut lines, mut notes, mut max) = (Vec::new(), Vec::new(), reference.unwrap_or(0.0));
        for place in computers(results, guest) {
            lines.push(Line::Heading(computer(place)));
            for mode in UNDER {
                let Some(cell) = find(results, guest, place, mode) else { continue };
                let name = mode.name().to_owned();
                if let Some(error) = cell.error() {
                    notes.push(format!("{}, {name}, failed: {error}", computer(place)));
                    lines.push(Line::Missing { name, why: "failed" });
                } else if let Some((value, figure)) = measure(cell) {
                    max = f64::max(max, value);
                    lines.push(Line::Bar { name, class: class(mode), value, figure });
                } else {
                    lines.push(Line::Missing { name, why: missing });
                }
            }
        }
        let bars = lines.iter().any(|line| !matches!(line, Line::Heading(_)));
        let label = format!("{guest}: {axis}, for each computer under nested and shadow paging");
        let tick =
            if reference.is_some() { |value| decimals(value, 2) } else { |value| short(value, 2) };
        let names = Names::Beside;
        let drawing = Bars { label: &label, names, axis, tick, max, reference, lines: &lines };
        Panel { title: guest.to_owned(), notes, svg: bars.then(|| drawing.draw()) }
    });
    let panels = panels.filter(|panel| panel.svg.is_some()).collect();
    vec![Group { title: None, panels, open: true }]
}
