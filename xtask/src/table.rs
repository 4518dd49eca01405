//! The report, for a person.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, LineStyle, Table, TableStyle};

use crate::report::{Fields, Phase, Report, Row};

/// No borders; one line under the headings.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
/// The heights of a bar.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The heading of the bars.
const HISTOGRAM: &str = "histogram";
/// What stands where nothing was measured.
const NOTHING: &str = "-";

/// The whole report.
pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    section(&mut out, "Build", &facts(&report.build));
    section(&mut out, "Machine", &facts(&report.machine));
    section(&mut out, "Clock", &facts(&report.clock));
    let unit = report.unit();
    let totals = report.exits;
    let heading = match totals.samples {
        0 => format!("Exits: {}", number(totals.total)),
        samples => format!(
            "Exits: {}, of which {} were measured and took {} {unit}; durations in {unit}",
            number(totals.total),
            number(samples),
            number(totals.time)
        ),
    };
    if !report.reasons.is_empty() {
        section(&mut out, &heading, &rows("reason", report.reasons.iter().map(|row| (0, row))));
    }
    let functions = report.functions.iter().filter(|row| row.count > 0).flat_map(|function| {
        let outcomes = report.outcomes_of(&function.name).map(|row| (1, row));
        std::iter::once((0, function)).chain(outcomes)
    });
    let functions: Vec<_> = functions.collect();
    if !functions.is_empty() {
        let heading = match totals.samples {
            0 => "Functions, and what their calls came to".to_owned(),
            _ => format!("Functions, and what their calls came to; durations in {unit}"),
        };
        section(&mut out, &heading, &rows("function", functions.into_iter()));
    }
    let counters: Vec<_> = report.counters.iter().filter(|counter| counter.value > 0).collect();
    if !counters.is_empty() {
        let mut table = table(&["counter", "value"], &[]);
        for counter in counters {
            table.add_row(cells(&counter.name, [number(counter.value)]));
        }
        section(&mut out, "Counters", &drawn(table));
    }
    if !report.phases.is_empty() {
        let heading = format!("Phases of the guest; time of their exits in {unit}");
        section(&mut out, &heading, &phases(&report.phases, report.exits.total > 0));
    }
    section(&mut out, "Memory, bytes", &facts(&report.memory));
    if let Some(vcpu) = &report.vcpu {
        section(&mut out, "The vCPU where it stopped", &facts(vcpu));
    }
    out
}

fn section(out: &mut String, heading: &str, body: &str) {
    if body.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{heading}");
    for line in body.lines() {
        let _ = writeln!(out, "  {}", line.trim_end());
    }
}

fn facts(fields: &Fields) -> String {
    let pairs: Vec<_> = fields
        .iter()
        .map(|(key, value)| match value.parse() {
            Ok(value) => format!("{key} {}", number(value)),
            Err(_) => format!("{key} {value}"),
        })
        .collect();
    pairs.chunks(6).map(|chunk| chunk.join(" · ")).collect::<Vec<_>>().join("\n")
}

fn rows<'a>(what: &str, rows: impl Iterator<Item = (usize, &'a Row)>) -> String {
    let rows: Vec<_> = rows.filter(|(_, row)| row.count > 0).collect();
    let timed = rows.iter().any(|(_, row)| row.time.is_some());
    if !timed {
        let mut table = table(&[what, "count"], &[]);
        for (depth, row) in rows {
            table.add_row(cells(&indented(depth, &row.name), [number(row.count)]));
        }
        return drawn(table);
    }
    // Where every event was measured, one column says it for both.
    let is_sample = |row: &Row| row.time.as_ref().is_some_and(|time| time.samples != row.count);
    let sampled = rows.iter().any(|(_, row)| is_sample(row));
    let before: &[&str] = if sampled { &[what, "count", "samples"] } else { &[what, "count"] };
    let times = ["total", "self", "mean", "stddev", "min", "p50", "p90", "p99", "max"];
    let mut table = table(&[before, &times, &[HISTOGRAM]].concat(), &[HISTOGRAM]);
    for (depth, row) in rows {
        let mut line = vec![number(row.count)];
        if sampled {
            line.push(row.time.as_ref().map_or(NOTHING.to_owned(), |time| number(time.samples)));
        }
        match &row.time {
            Some(time) if time.samples > 0 => {
                let own = time.exclusive.map_or(NOTHING.to_owned(), number);
                line.extend([
                    number(time.inclusive),
                    own,
                    decimal(time.mean),
                    decimal(time.stddev),
                ]);
                line.extend([time.min, time.p50, time.p90, time.p99, time.max].map(number));
            }
            _ => line.extend(times.map(|_| NOTHING.to_owned())),
        }
        let mut line = cells(&indented(depth, &row.name), line);
        line.push(Cell::new(bars(&row.histogram)));
        table.add_row(line);
    }
    drawn(table)
}

/// A table as text, its columns two characters apart.
pub(crate) fn drawn(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// `counted`: whether exits were.
fn phases(phases: &[Phase], counted: bool) -> String {
    let mut table = table(&["phase", "operations", "exits", "exits/op", "time", "time/op"], &[]);
    for phase in &merged(phases) {
        let each = |total: u64| match phase.ops {
            0 => NOTHING.to_owned(),
            ops => format!("{:.3}", total as f64 / ops as f64),
        };
        let time = phase.time.map_or(NOTHING.to_owned(), number);
        let time_each = phase.time.map_or(NOTHING.to_owned(), each);
        let (exits, exits_each) = if counted {
            (number(phase.exits), each(phase.exits))
        } else {
            (NOTHING.to_owned(), NOTHING.to_owned())
        };
        let line = [number(phase.ops), exits, exits_each, time, time_each];
        table.add_row(cells(&phase.name, line));
    }
    drawn(table)
}

/// Phases of one name as one, where the first of them stands.
fn merged(phases: &[Phase]) -> Vec<Phase> {
    let mut merged = Vec::<Phase>::new();
    for phase in phases {
        match merged.iter_mut().find(|known| known.name == phase.name) {
            Some(known) => {
                known.ops += phase.ops;
                known.exits += phase.exits;
                known.time = known.time.zip(phase.time).map(|(known, more)| known + more);
            }
            None => merged.push(phase.clone()),
        }
    }
    merged
}

/// A table with these headings: the first to the left, and the others to the right but for those in
/// `left`.
pub(crate) fn table(headings: &[&str], left: &[&str]) -> Table {
    let mut table = Table::new();
    let cells = headings.iter().enumerate().map(|(place, heading)| match place {
        1.. if !left.contains(heading) => right((*heading).to_owned()),
        _ => Cell::new(heading),
    });
    table.load_style(STYLE).set_header(cells.collect::<Vec<_>>());
    table
}

/// A line of such a table.
pub(crate) fn cells(first: &str, rest: impl IntoIterator<Item = String>) -> Vec<Cell> {
    std::iter::once(Cell::new(first)).chain(rest.into_iter().map(right)).collect()
}

/// A cell to the right.
pub(crate) fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn indented(depth: usize, name: &str) -> String {
    format!("{}{name}", "  ".repeat(depth))
}

/// A number with its thousands parted.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The same with one decimal.
pub(crate) fn decimal(value: f64) -> String {
    let tenths = (value * 10.0).round() as u64;
    format!("{}.{}", number(tenths / 10), tenths % 10)
}

/// A histogram as bars, between the smallest duration of its first bar and of its last. A bar that
/// counts anything is seen.
fn bars(histogram: &[(u32, u64)]) -> String {
    let (Some(&(first, _)), Some(&(last, _))) = (histogram.first(), histogram.last()) else {
        return String::new();
    };
    let highest = histogram.iter().map(|&(_, count)| count).max().unwrap_or(1).max(1);
    let bar = |log2: u32| {
        let count = histogram.iter().find(|&&(at, _)| at == log2).map_or(0, |&(_, count)| count);
        match count {
            0 => ' ',
            count => BARS[((count * 8).div_ceil(highest) as usize).clamp(1, 8) - 1],
        }
    };
    let drawn: String = (first..=last).map(bar).collect();
    let from = 1_u64.checked_shl(first).map_or_else(String::new, number);
    if first == last {
        return format!("{from} {drawn}");
    }
    format!("{from} {drawn} {}", 1_u64.checked_shl(last).map_or_else(String::new, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::small_report;

    #[test]
    fn numbers_are_parted() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(decimal(1234.56), "1,234.6");
    }

    #[test]
    fn outcomes_stand_below_their_function() {
        let text = render(&small_report());
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        let at = |start: &str| {
            lines.iter().position(|line| line.trim_start().starts_with(start)).unwrap()
        };
        assert_eq!(at("mmio"), at("sh_page_fault") + 2);
        assert!(lines[at("mmio")].starts_with("    mmio"));
        assert!(text.contains("durations in instructions"));
        assert!(lines[at("data_abort")].ends_with("64 █"));
    }

    #[test]
    fn every_count_has_a_bar() {
        assert_eq!(bars(&[(5, 1000), (7, 1)]), "32 █ ▁ 128");
        assert_eq!(bars(&[(3, 5)]), "8 █");
        assert_eq!(bars(&[]), "");
    }
}
