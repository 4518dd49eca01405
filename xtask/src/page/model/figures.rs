//! The figures of all models: a row for each program of each modelled run.

use mmu_model::counts::{Counts, Walks};

use super::block;
use crate::page::cells::computer;
use crate::page::html::Table;
use crate::results::{Cell, Modelled, Results};
use crate::table::number;

/// The columns. What is cached is with walk caches, the same before it without.
const HEADINGS: [&str; 15] = [
    "workload",
    "computer",
    "mode",
    "blocks",
    "program",
    "accesses",
    "L1 misses",
    "walks",
    "1-D reads",
    "2-D reads",
    "stage 2 reads",
    "walks, cached",
    "1-D reads, cached",
    "2-D reads, cached",
    "stage 2 reads, cached",
];

const CAPTION: &str = "Accesses, misses, walks and table reads, modelled; cached: with the walk caches of the geometry";

/// The table.
pub(super) fn table(results: &Results) -> Table {
    let mut table = Table::new(CAPTION, 5, &HEADINGS);
    for cell in &results.cells {
        for model in cell.models.iter().filter(|model| model.output.refused.is_none()) {
            rows(&mut table, cell, model);
        }
    }
    table
}

fn rows(table: &mut Table, cell: &Cell, model: &Modelled) {
    let whole = model.output.whole();
    let programs = [("guest", &whole.guest), ("hypervisor", &whole.hypervisor)];
    // Natively there is none.
    let programs = programs.into_iter().filter(|(_, counts)| **counts != Counts::default());
    for (program, counts) in programs {
        let names = [
            cell.guest.clone(),
            computer(&cell.place),
            cell.place.mode.name().to_owned(),
            model.block.map_or_else(|| "–".to_owned(), block),
            program.to_owned(),
        ];
        let looked_up = [counts.accesses(), counts.l1_misses()];
        let walked = [&counts.plain, &counts.cached].into_iter().flat_map(walked);
        table.row(names.into_iter().chain(looked_up.into_iter().chain(walked).map(number)));
    }
}

fn walked(Walks { walks, reads }: &Walks) -> [u64; 4] {
    [walks.total(), reads.one_dimensional, reads.two_dimensional, reads.stage2_only]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::page::made_up;

    #[test]
    fn every_program_of_every_run_has_a_row() {
        let text = table(&made_up::results()).finish();
        // Native, nested with three kinds of blocks, and shadow, on two computers.
        assert_eq!(text.matches("<td>guest</td>").count(), 2 * 5);
        assert_eq!(text.matches("<td>hypervisor</td>").count(), 2 * 4);
        assert!(text.contains("<td>nested</td><td>1 GiB</td><td>guest</td>"));
    }
}
