//! How the cost of one operation grows with how much there is: the guest `scale`.

use super::{Group, Panel, Plot, WIDTH, class, radius, shape};
use crate::lab::Mode;
use crate::page::cells::{computer, computers, distinct, modes, place};
use crate::page::html::Table;
use crate::page::scale::{Linear, Log2, short, tenths};
use crate::page::svg::{Anchor, Svg};
use crate::results::Results;
use crate::run::ResultLine;
use crate::table::number;

/// The guest whose lines these are.
pub(super) const GUEST: &str = "scale";
/// Its rows: what they are called there, what they are, and what their size counts.
const ROWS: [(&str, &str, &str); 4] = [
    ("map", "A page mapped on demand", "MiB mapped"),
    ("touch", "A mapped page touched again", "MiB mapped"),
    ("switch", "A switch of address spaces and 16 reads", "address spaces"),
    ("switch-cold", "The first switch to each address space", "address spaces"),
];
/// How high a drawing is.
const HEIGHT: f64 = 212.0;
/// Where its curves are: from the left and the top to the right and the bottom.
const AREA: [f64; 4] = [46.0, 24.0, WIDTH - 4.0, 164.0];

/// A row of the guest's at one size.
struct Point<'a> {
    computer: String,
    mode: Mode,
    row: &'a str,
    size: u64,
    cost: f64,
}

/// A panel for each row and computer, with a curve for each mode.
pub(in crate::page) fn scaling(results: &Results) -> Plot {
    let points = points(results);
    let headings = ["row", "computer", "mode", "size", "", "instructions for each"];
    let mut table = Table::new("The cost of one operation by size", 3, &headings);
    let mut groups = Vec::new();
    for (row, title, counts) in ROWS {
        let of_row: Vec<_> = points.iter().filter(|point| point.row == row).collect();
        for point in &of_row {
            let place = [point.computer.clone(), point.mode.name().to_owned()];
            let figures = [number(point.size), counts.to_owned(), tenths(point.cost)];
            table.row([row.to_owned()].into_iter().chain(place).chain(figures));
        }
        let computers = distinct(of_row.iter().map(|point| point.computer.clone()));
        let panels = computers.into_iter().map(|name| {
            let here: Vec<_> =
                of_row.iter().copied().filter(|point| point.computer == name).collect();
            let label = format!("{title} on {name}: instructions for each, by {counts}");
            Panel { title: name, notes: Vec::new(), svg: Some(draw(&here, counts, &label)) }
        });
        groups.push(Group { title: Some(title.to_owned()), panels: panels.collect(), open: true });
    }
    groups.retain(|group| !group.panels.is_empty());
    let failed = results.cells.iter().filter(|cell| cell.guest == GUEST);
    let failed = failed.filter_map(|cell| {
        let title = place(&cell.place);
        Some(Panel { title, notes: vec![format!("failed: {}", cell.error()?)], svg: None })
    });
    groups.push(Group { title: None, panels: failed.collect(), open: true });
    Plot {
        id: "scaling",
        title: "How cost grows with size",
        says: &[
            "What one operation of the guest scale takes, guest and hypervisor together, without probes, by how \
             much is mapped or how many address spaces there are. The horizontal axis doubles with each step, the \
             vertical one begins at 0. A level curve says that the cost of one operation does not depend on size.",
            "These are instructions under an emulator, not cycles. On silicon misses of caches and TLBs grow with \
             size as well, and are not to be seen here. Where nested paging executes what native does, their \
             marks stand on each other.",
        ],
        legend: &Mode::ALL,
        nothing: "The guest scale is not among the cells.",
        groups,
        table,
    }
}

/// What the guest told, on each computer in each mode.
fn points(results: &Results) -> Vec<Point<'_>> {
    let cells = computers(results, GUEST).into_iter().flat_map(|place| {
        let cells = Mode::ALL.into_iter().zip(modes(results, GUEST, place));
        cells.filter_map(move |(mode, cell)| Some((computer(place), mode, cell?)))
    });
    let told = cells.filter(|(.., cell)| cell.error().is_none());
    let points = told.flat_map(|(computer, mode, cell)| {
        let lines = cell.lines.iter().filter(|line| line.name == GUEST);
        lines.filter_map(move |line| point(&computer, mode, line))
    });
    points.collect()
}

fn point<'a>(computer: &str, mode: Mode, line: &'a ResultLine) -> Option<Point<'a>> {
    let fields = &line.fields;
    let (row, size) = (fields.text("row").ok()?, fields.number("size").ok()?);
    let cost = fields.decimal("per_op").ok()?;
    let computer = computer.to_owned();
    (size > 0 && cost.is_finite()).then_some(Point { computer, mode, row, size, cost })
}

fn draw(points: &[&Point<'_>], counts: &str, label: &str) -> String {
    let [left, top, right, bottom] = AREA;
    let mut svg = Svg::new(WIDTH);
    let sizes = distinct(points.iter().map(|point| point.size));
    let log2 = |size: u64| (size as f64).log2();
    let ends = sizes.iter().min().zip(sizes.iter().max());
    let ends = ends.map_or((0.0, 1.0), |(&first, &last)| (log2(first), log2(last)));
    let across = Log2::new(ends, (left + 16.0, right - 16.0));
    let max = points.iter().map(|point| point.cost).fold(0.0, f64::max);
    let up = Linear::new(max, (bottom, top));
    for tick in up.ticks() {
        let y = up.at(tick);
        svg.line("grid", (left, y), (right, y));
        svg.text("tick", (left - 6.0, y + 4.0), Anchor::End, &short(tick, 2));
    }
    for &size in &sizes {
        let x = across.at(log2(size));
        svg.line("axis", (x, bottom), (x, bottom + 4.0));
        svg.text("tick", (x, bottom + 18.0), Anchor::Middle, &number(size));
    }
    svg.line("axis", (left, bottom), (right, bottom));
    for mode in Mode::ALL {
        let curve: Vec<_> = points
            .iter()
            .filter(|point| point.mode == mode)
            .map(|point| (across.at(log2(point.size)), up.at(point.cost)))
            .collect();
        svg.polyline(&format!("curve {}", class(mode)), &curve);
        for &at in &curve {
            svg.marker(&format!("mark point {}", class(mode)), shape(mode), at, radius(mode));
        }
    }
    svg.text("unit", (0.0, 10.0), Anchor::Start, "instructions for each");
    svg.text("unit", (f64::midpoint(left, right), bottom + 38.0), Anchor::Middle, counts);
    svg.finish(HEIGHT, label)
}
