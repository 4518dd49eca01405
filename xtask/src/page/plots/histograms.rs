//! How the durations of each function are distributed, and those of its outcomes.

use super::{Group, Panel, Plot, WIDTH, class};
use crate::page::cells::{place, reported};
use crate::page::html::Table;
use crate::page::scale::{Log2, tenths};
use crate::page::svg::{Anchor, Svg};
use crate::report::{Report, Row};
use crate::results::{Cell, Results};
use crate::table::number;

/// From where to where columns are.
const RANGE: (f64, f64) = (8.0, WIDTH - 8.0);
/// How high the columns of one row are.
const COLUMNS: f64 = 34.0;
/// What a row takes: its text, and its columns.
const STRIP: f64 = 60.0;

/// A panel for each function of each cell.
pub(in crate::page) fn histograms(results: &Results) -> Plot {
    let headings = [
        "workload",
        "computer and mode",
        "function",
        "outcome",
        "count",
        "mean",
        "stddev",
        "min",
        "p50",
        "p90",
        "p99",
        "max",
    ];
    let mut table = Table::new("Durations of functions, instructions", 4, &headings);
    for (cell, report) in reported(results) {
        for row in functions(report).flat_map(|row| strips(report, row)) {
            line(&mut table, cell, row);
        }
    }
    let mut groups: Vec<_> = reported(results)
        .map(|(cell, report)| {
            let range = range(report);
            let panels = functions(report).map(|row| panel(cell, report, row, range)).collect();
            let title = format!("{} on {}", cell.guest, place(&cell.place));
            Group { title: Some(title), panels, open: false }
        })
        .filter(|group| !group.panels.is_empty())
        .collect();
    // The functions of shadow paging are most.
    if let Some(group) = groups.iter_mut().rev().max_by_key(|group| group.panels.len()) {
        group.open = true;
    }
    Plot {
        id: "histograms",
        title: "How long calls of each function took",
        says: &[
            "A column for each power of two: one at 2⁸ counts the calls that took 256 to 511 instructions. \
             Heights are logarithmic: each line is ten times the one below, the lowest is one call. So a few \
             long calls among a hundred thousand short ones are seen, and areas must not be compared. Below a \
             function stand its outcomes, which sum to its calls.",
            "Durations are inclusive, in instructions under an emulator, not cycles, and contain the probes of all \
             that was called. Panels of one group share their horizontal scale.",
        ],
        legend: &[],
        nothing: "No cell has histograms.",
        groups,
        table,
    }
}

/// The functions whose durations are known.
fn functions(report: &Report) -> impl Iterator<Item = &Row> {
    report.functions.iter().filter(|row| !row.histogram.is_empty())
}

/// A function, and its outcomes that happened.
fn strips<'a>(report: &'a Report, function: &'a Row) -> impl Iterator<Item = &'a Row> {
    let outcomes = report.outcomes_of(&function.name).filter(|row| row.count > 0);
    std::iter::once(function).chain(outcomes)
}

fn line(table: &mut Table, cell: &Cell, row: &Row) {
    let names = match &row.function {
        Some(function) => [function.clone(), row.name.clone()],
        None => [row.name.clone(), "all".to_owned()],
    };
    let figures = row.time.as_ref().map(|time| {
        let moments = [time.mean, time.stddev].map(tenths);
        let values = [time.min, time.p50, time.p90, time.p99, time.max].map(number);
        moments.into_iter().chain(values)
    });
    let cells = [cell.guest.clone(), place(&cell.place)].into_iter().chain(names);
    table.row(cells.chain([number(row.count)]).chain(figures.into_iter().flatten()));
}

/// The log2 of the shortest duration that any function has, and of what no duration reaches.
fn range(report: &Report) -> (u32, u32) {
    let powers = || functions(report).flat_map(|row| row.histogram.iter().map(|&(log2, _)| log2));
    let [first, last] = [powers().min(), powers().max()].map(|log2| log2.unwrap_or(0).min(63));
    (first, last + 1)
}

fn panel(cell: &Cell, report: &Report, function: &Row, (first, last): (u32, u32)) -> Panel {
    let mut svg = Svg::new(WIDTH);
    let scale = Log2::new((f64::from(first), f64::from(last)), RANGE);
    let highest = function.histogram.iter().map(|&(_, count)| count).max().unwrap_or(1).max(1);
    let mode = class(cell.place.mode);
    let mut bottom = 0.0;
    for row in strips(report, function) {
        bottom += STRIP;
        let (name, class) = match row.function {
            None => ("all calls", format!("mark {mode}")),
            Some(_) => (row.name.as_str(), format!("mark part {mode}")),
        };
        strip(&mut svg, &scale, bottom, row, highest, &class);
        svg.text("label", (RANGE.0, bottom - 43.0), Anchor::Start, name);
        svg.text("label", (RANGE.1, bottom - 43.0), Anchor::End, &number(row.count));
    }
    let step = (last - first).div_ceil(5).max(1);
    for log2 in (first..last).step_by(step as usize) {
        let x = scale.at(f64::from(log2));
        svg.line("axis", (x, bottom), (x, bottom + 4.0));
        svg.text("tick", (x, bottom + 17.0), Anchor::Start, &power(log2));
    }
    let unit = format!("{} for each call", cell.unit);
    svg.text("unit", (WIDTH / 2.0, bottom + 34.0), Anchor::Middle, &unit);
    let (place, calls) = (place(&cell.place), number(function.count));
    let label =
        format!("{}, {place}: distribution of {}, {calls} calls", cell.guest, function.name);
    let svg = Some(svg.finish(bottom + 40.0, &label));
    Panel { title: function.name.clone(), notes: Vec::new(), svg }
}

/// The columns of a row on their base line, and the lines that they are read by.
fn strip(svg: &mut Svg, scale: &Log2, base: f64, row: &Row, highest: u64, class: &str) {
    for decade in 0..=highest.ilog10() {
        let y = base - height(10_u64.pow(decade), highest);
        svg.line("grid", (RANGE.0, y), (RANGE.1, y));
    }
    let column = |&(log2, count): &(u32, u64)| {
        let log2 = f64::from(log2);
        let (from, to) = (scale.at(log2), scale.at(log2 + 1.0));
        (from + 1.0, to - from - 2.0, height(count, highest))
    };
    let columns: Vec<_> = row.histogram.iter().map(column).collect();
    svg.columns(class, base, &columns);
    svg.line("axis", (RANGE.0, base), (RANGE.1, base));
}

/// How high the column of a count is: a step for one, and one more for each power of ten.
fn height(count: u64, highest: u64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    let steps = |count: u64| 1.0 + (count as f64).log10();
    COLUMNS * steps(count) / steps(highest)
}

/// A power of two as one reads it.
fn power(log2: u32) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = log2.to_string();
    let raised = digits.bytes().map(|digit| RAISED[usize::from(digit - b'0')]);
    std::iter::once('2').chain(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_among_many_is_seen() {
        assert!(height(1, 1_000_000) > 4.0);
        assert!((height(1_000_000, 1_000_000) - COLUMNS).abs() < 1e-9);
        assert!(height(0, 5) == 0.0);
    }

    #[test]
    fn powers_are_raised() {
        assert_eq!(power(0), "2⁰");
        assert_eq!(power(17), "2¹⁷");
    }
}
