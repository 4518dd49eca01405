//! Figures of papers, apart from ours and in their own units.

use super::cells::{distinct, guests, reported};
use super::html::{Table, escape};
use super::scale::tenths;
use crate::compare::published::Published;
use crate::results::Results;
use crate::table::number;

/// The name of the section.
const ID: &str = "papers";
/// Its heading.
const TITLE: &str = "What papers say";
/// What it says.
const SAYS: &str = "These figures are not Umbra's. Others measured them, on processors of their time, in cycles, seconds \
                    or operations a second. They stand here because rows and functions are the same. Compare ratios \
                    and shapes with the figures above, never absolute values: a cycle there is not an instruction \
                    here.";
/// The guest whose functions a paper lists.
const FUNCTIONS_OF: &str = "memory-motion";

/// The section; none where no guest has a row in a paper.
pub(super) fn section(results: &Results) -> Option<String> {
    let published = Published::read().ok()?;
    let tables = [rows(results, &published), functions(results, &published)];
    let tables: String =
        tables.iter().filter(|table| !table.is_empty()).map(Table::finish).collect();
    let says = escape(SAYS);
    (!tables.is_empty()).then(|| {
        format!(
            "<section id=\"{ID}\" class=\"apart\" aria-labelledby=\"{ID}-title\">\n\
             <h2 id=\"{ID}-title\">{TITLE}</h2>\n<p class=\"says\">{says}</p>\n{tables}</section>\n"
        )
    })
}

/// The figures that stand for a whole row of a workload.
fn rows(results: &Results, published: &Published) -> Table {
    let headings = ["paper and machine", "workload", "row", "unit", "figure"];
    let mut table = Table::new("Rows of workloads", 4, &headings);
    let arches = distinct(results.cells.iter().map(|cell| cell.place.arch));
    for guest in guests(results) {
        let columns = arches.iter().flat_map(|&arch| published.beside(guest, arch));
        for column in distinct(columns) {
            let lines: Vec<_> = column.heading.lines().collect();
            let Some((unit, source)) = lines.split_last() else { continue };
            for (row, figure) in &column.cells {
                let names = [source.join(", "), guest.to_owned(), (*row).to_owned()];
                table.row(names.into_iter().chain([unit.to_lowercase(), figure.clone()]));
            }
        }
    }
    table
}

/// What Xen's study made of the functions that a guest's reports name as well.
fn functions(results: &Results, published: &Published) -> Table {
    let headings = [
        "function",
        "Debian: calls",
        "Debian: mean, cycles",
        "Windows XP: calls",
        "Windows XP: mean, cycles",
    ];
    let caption = "Functions in memory-motion: Xen 3.0.4, shadow paging, Core 2 Duo";
    let mut table = Table::new(caption, 1, &headings);
    let reports = reported(results).filter(|(cell, _)| cell.guest == FUNCTIONS_OF);
    let names = reports.flat_map(|(_, report)| {
        report.functions.iter().chain(&report.outcomes).map(|row| match &row.function {
            Some(function) => format!("{function}.{}", row.name),
            None => row.name.clone(),
        })
    });
    for name in distinct(names) {
        let studied = published.function(&name);
        if studied.iter().all(Option::is_none) {
            continue;
        }
        let figures = studied.into_iter().flat_map(|calls| match calls {
            Some(calls) => [number(calls.count), tenths(calls.mean)],
            None => ["–", "–"].map(str::to_owned),
        });
        table.row(std::iter::once(name).chain(figures));
    }
    table
}
