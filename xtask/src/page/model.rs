//! What the model of the MMU says, apart from all that was measured.

mod figures;

use std::fmt::Write as _;

use mmu_model::geometry::{Geometry, Structure};

use super::cells::computer;
use super::html::{Table, escape};
use crate::results::Results;

/// The name of the section.
pub(super) const ID: &str = "model";
/// Its heading.
pub(super) const TITLE: &str = "What a model of TLBs and page walks says";
/// What it says.
const SAYS: [&str; 2] = [
    "Under an emulator a TLB never misses and a page walk costs nothing. A model of TLBs was driven by the \
     accesses and by the page tables of each run, and says how often they would have missed, and how many \
     entries of tables the walks would have read: of a page table alone (1-D), of a page table with another \
     below (2-D), and of the lower one alone (stage 2). Each is counted twice: without the caches that walks \
     ask, and with those of the geometry.",
    "None of it was measured, and none of it is part of a count of instructions on this page. The geometry is \
     that of a document. The processor of that name also speculates, fetches ahead and replaces entries in ways \
     that nobody publishes.",
];

/// The section; none where nothing was modelled, nor was to be.
pub(super) fn section(results: &Results) -> Option<String> {
    let asked = |cell: &crate::results::Cell| !cell.models.is_empty() || cell.unmodelled.is_some();
    if !results.cells.iter().any(asked) {
        return None;
    }
    let mut out = format!(
        "<section id=\"{ID}\" class=\"apart\" aria-labelledby=\"{ID}-title\">\n\
         <h2 id=\"{ID}-title\">{TITLE}</h2>\n"
    );
    let _ = writeln!(out, "<p class=\"model\">{}</p>", label(results));
    for paragraph in SAYS {
        let _ = writeln!(out, "<p class=\"says\">{}</p>", escape(paragraph));
    }
    let tables = [figures::table(results), without(results)];
    tables.iter().filter(|table| !table.is_empty()).for_each(|table| out += &table.finish());
    if let Some(geometry) = &results.geometry {
        sources(&mut out, geometry);
    }
    Some(out + "</section>\n")
}

/// What all that is modelled is marked with.
pub(super) fn label(results: &Results) -> String {
    let name = results.geometry.as_ref().map(|geometry| escape(&geometry.name));
    let of = name.map(|name| format!(" of the geometry {name}")).unwrap_or_default();
    format!("<strong>MODEL</strong>{of}: no measurement; never added to an instruction column.")
}

/// A block for a person, of its log2.
pub(super) fn block(log2: u32) -> String {
    let (unit, name) = match log2 {
        30.. => (30, "GiB"),
        20.. => (20, "MiB"),
        _ => (10, "KiB"),
    };
    format!("{} {name}", 1_u64 << log2.saturating_sub(unit).min(63))
}

/// The cells of which there is no model, and why.
fn without(results: &Results) -> Table {
    let headings = ["workload", "computer", "mode", "why"];
    let mut table = Table::new("No model", 4, &headings);
    for cell in &results.cells {
        let refused = cell.models.iter().filter_map(|model| {
            let of = model.block.map(|log2| format!("blocks of {}: ", block(log2)));
            Some(of.unwrap_or_default() + model.output.refused.as_ref()?)
        });
        for why in cell.unmodelled.iter().cloned().chain(refused) {
            let mode = cell.place.mode.name().to_owned();
            table.row([cell.guest.clone(), computer(&cell.place), mode, why]);
        }
    }
    table
}

/// What the geometry is, and who says so.
fn sources(out: &mut String, geometry: &Geometry) {
    let Geometry { name, about, l1_instruction, l1_data, l2, l2_instruction, walk_caches } =
        geometry;
    let _ = writeln!(
        out,
        "<details class=\"data\"><summary>The geometry {}, and its sources</summary>",
        escape(name)
    );
    if !about.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", escape(about));
    }
    let levels: [(&str, &[Structure]); 5] = [
        ("L1, instructions", l1_instruction),
        ("L1, data", l1_data),
        ("L2", l2),
        ("L2, instructions", l2_instruction),
        ("walk caches", walk_caches),
    ];
    let mut table =
        Table::new("Its structures", 5, &["level", "entries", "ways", "holds", "source"]);
    for (level, structure) in
        levels.iter().flat_map(|(level, all)| all.iter().map(move |one| (level, one)))
    {
        let held: Vec<String> = structure.holds.iter().map(|&held| held.into()).collect();
        let figures = [structure.entries, structure.ways].map(|figure| figure.to_string());
        let words = [held.join(", "), structure.source.clone()];
        table.row(std::iter::once((*level).to_owned()).chain(figures).chain(words));
    }
    let _ = writeln!(out, "{}</details>", table.finish());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::small;
    use crate::test::page::made_up;

    #[test]
    fn what_was_not_modelled_has_no_section() {
        assert!(section(&small()).is_none());
    }

    #[test]
    fn a_model_is_called_one_and_names_its_geometry() {
        let text = section(&made_up::results()).unwrap();
        assert!(text.contains("<strong>MODEL</strong> of the geometry cortex-a76: no measurement"));
        assert!(text.contains("Arm Cortex-A76 Core Technical Reference Manual (100798)"));
    }

    #[test]
    fn cells_without_a_model_say_why() {
        let mut results = made_up::results();
        assert!(section(&results).unwrap().contains("Bochs has no plugins"));
        let model = results.cells.iter_mut().find_map(|cell| cell.models.last_mut()).unwrap();
        model.output.refused = Some("two <processors>".to_owned());
        let text = section(&results).unwrap();
        assert!(text.contains("two &lt;processors&gt;"));
    }

    #[test]
    fn blocks_have_their_names() {
        assert_eq!([12, 21, 30].map(block), ["4 KiB", "2 MiB", "1 GiB"]);
    }
}
