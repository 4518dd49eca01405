//! What one operation of each row of a workload takes.

use super::{Group, Panel, Plot, WIDTH, class, radius, shape};
use crate::lab::Mode;
use crate::page::cells::{computer, computers, guests, modes};
use crate::page::crossing;
use crate::page::html::Table;
use crate::page::scale::{Log2, short, tenths};
use crate::page::svg::{Anchor, Svg};
use crate::results::{Place, Results, Work, loss};
use crate::table::number;

/// What a row takes: its text, and its marks.
const ROW: f64 = 31.0;
/// From where to where marks are.
const RANGE: (f64, f64) = (18.0, WIDTH - 18.0);

/// A row of a workload natively, under nested and under shadow paging.
struct Row {
    name: String,
    operations: Option<u64>,
    works: [Option<Work>; 3],
}

impl Row {
    /// What one operation takes in each mode.
    fn each(&self) -> [Option<f64>; 3] {
        self.works.each_ref().map(|work| work.as_ref().map(|work| work.each))
    }
}

/// A panel for each workload and computer, with marks for each row and mode.
pub(in crate::page) fn operations(results: &Results) -> Plot {
    let mut table = table();
    let mut groups = Vec::new();
    for guest in guests(results) {
        let mut panels = Vec::new();
        for place in computers(results, guest) {
            let rows = rows(results, guest, place);
            rows.iter().for_each(|row| line(&mut table, guest, place, row));
            // Rows of one name that differ in size are curves, and those another plot's.
            if ![super::scaling::GUEST, crossing::GUEST].contains(&guest) {
                panels.extend(panel(guest, place, &rows));
            }
        }
        if !panels.is_empty() {
            groups.push(Group { title: Some(guest.to_owned()), panels, open: true });
        }
    }
    Plot {
        id: "operations",
        title: "What one operation takes",
        says: &[
            "Instructions of guest and hypervisor for one operation of each row, without probes: the median in \
             mmu-ops, the mean elsewhere. The horizontal axis is logarithmic: distances are ratios. The figure on \
             the right is shadow paging against native.",
            "These are instructions under an emulator, not cycles. Where nested paging executes what native does, \
             their marks stand on each other; page walks would part them on silicon. Rows whose operation is \
             small natively have large ratios: what they add to a program depends on how often it does them.",
        ],
        legend: &Mode::ALL,
        nothing: "No guest told what an operation takes.",
        groups,
        table,
    }
}

/// The rows of a guest on a computer, as the mode that has most tells them.
fn rows(results: &Results, guest: &str, place: &Place) -> Vec<Row> {
    let works = modes(results, guest, place).map(|cell| match cell {
        Some(cell) if cell.error().is_none() => cell.work(),
        _ => Vec::new(),
    });
    let all = works.iter().max_by_key(|rows| rows.len()).into_iter().flatten();
    let row = |of: &Work| {
        let is = |work: &&Work| (&work.row, &work.title) == (&of.row, &of.title);
        let works = works.each_ref().map(|works| works.iter().find(is).cloned());
        let title = of.title.iter().map(|title| format!(" {title}"));
        let name = std::iter::once(of.row.clone()).chain(title).collect();
        Row { name, operations: of.operations, works }
    };
    all.map(row).collect()
}

fn table() -> Table {
    let headings = [
        "workload",
        "computer",
        "row",
        "operations",
        "native",
        "nested",
        "shadow",
        "nested, loss",
        "shadow, loss",
        "nested, exits",
        "shadow, exits",
    ];
    Table::new("Instructions and exits for one operation", 3, &headings)
}

fn line(table: &mut Table, guest: &str, place: &Place, row: &Row) {
    let each = row.each();
    let lost = [each[1], each[2]].map(|ran| loss(each[0]?, ran?));
    let lost = lost.map(|lost| lost.map(|lost| format!("{:.1} %", 100.0 * lost)));
    let exits = [&row.works[1], &row.works[2]];
    let exits = exits.map(|work| Some(format!("{:.2}", work.as_ref()?.exits?)));
    let figures =
        std::iter::once(row.operations.map(number)).chain(each.map(|each| each.map(tenths)));
    let figures = figures.chain(lost).chain(exits);
    let names = [guest.to_owned(), computer(place), row.name.clone()];
    table.row(
        names.into_iter().chain(figures.map(|figure| figure.unwrap_or_else(|| "–".to_owned()))),
    );
}

fn panel(guest: &str, place: &Place, rows: &[Row]) -> Option<Panel> {
    let values = || rows.iter().flat_map(Row::each).flatten().filter(|&value| value > 0.0);
    let least = values().reduce(f64::min)?;
    let powers = (least.log10().floor(), values().fold(least, f64::max).log10().ceil());
    let powers = (powers.0, powers.1.max(powers.0 + 1.0));
    let log2 = |power: f64| power * std::f64::consts::LOG2_10;
    let scale = Log2::new((log2(powers.0), log2(powers.1)), RANGE);
    let bottom = ROW * rows.len() as f64 + 4.0;
    let mut svg = Svg::new(WIDTH);
    for power in powers.0 as i32..=powers.1 as i32 {
        let x = scale.at(log2(f64::from(power)));
        svg.line("grid", (x, 2.0), (x, bottom));
        let name = short(10_f64.powi(power), 1);
        svg.text("tick", (x, bottom + 15.0), Anchor::Middle, &name);
    }
    for (y, row) in (0_u32..).map(|place| f64::from(place) * ROW).zip(rows) {
        marks(&mut svg, &scale, y + 23.0, row);
        svg.text("label", (0.0, y + 13.0), Anchor::Start, &row.name);
        if let [Some(native), _, Some(shadow)] = row.each() {
            let ratio = if native > 0.0 { shadow / native } else { f64::INFINITY };
            svg.text("label", (WIDTH, y + 13.0), Anchor::End, &format!("{ratio:.2} ×"));
        }
    }
    svg.text(
        "unit",
        (WIDTH / 2.0, bottom + 32.0),
        Anchor::Middle,
        "instructions for one operation",
    );
    let title = computer(place);
    let label =
        format!("{guest} on {title}: instructions for one operation of each row, in each mode");
    Some(Panel { title, notes: Vec::new(), svg: Some(svg.finish(bottom + 38.0, &label)) })
}

fn marks(svg: &mut Svg, scale: &Log2, y: f64, row: &Row) {
    let places =
        row.each().map(|each| each.filter(|&each| each > 0.0).map(|each| scale.at(each.log2())));
    let known = || places.iter().flatten().copied();
    if let (Some(first), Some(last)) = (known().reduce(f64::min), known().reduce(f64::max)) {
        svg.line("axis", (first, y), (last, y));
    }
    for (mode, x) in Mode::ALL.into_iter().zip(places) {
        if let Some(x) = x {
            svg.marker(&format!("mark point {}", class(mode)), shape(mode), (x, y), radius(mode));
        }
    }
}
