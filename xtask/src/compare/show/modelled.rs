//! What the model says, for a terminal: under the figures that were measured, and apart from them.

use mmu_model::counts::{Counts, Part};

use crate::cli::Block;
use crate::lab::Mode;
use crate::results::{Cell, Modelled};
use crate::table::{self, cells, drawn, number};

/// What must be known to read the tables.
pub(super) const NOTES: &str = "
Tables headed MODEL count what TLBs and page walks of that geometry would have done. Of a row they are the guest's,
for each operation: misses of the L2 TLB, table reads of the walks that follow without walk caches, and with the
geometry's. They are no time, and no instructions.
";
/// The least figure that is shown without decimals.
const LARGE: f64 = 100.0;
/// What stands where there is no model.
const NOTHING: &str = "-";
/// The runs that are modelled, as they stand in headings: the mode, and the largest block where that matters.
const RUNS: [(&str, Mode, Option<Block>); 5] = [
    ("native", Mode::ALL[0], None),
    ("nested 4k", Mode::ALL[1], Some(Block::Page)),
    ("nested 2m", Mode::ALL[1], Some(Block::Middle)),
    ("nested 1g", Mode::ALL[1], Some(Block::Large)),
    ("shadow", Mode::ALL[2], None),
];

/// The modelled runs of a guest on a computer.
type Runs<'a> = [Option<(&'a Cell, &'a Modelled)>; 5];
/// Something that is counted.
type Figure = fn(&Counts) -> u64;
/// A program of a run.
type Program = fn(&Part) -> &Counts;

/// What a row has of each run: the heading, what is counted for each operation, and decimals.
const OF_ROWS: [(&str, Figure, usize); 3] = [
    ("L2 misses", |counts| counts.plain.walks.total(), 3),
    ("reads", |counts| counts.plain.reads.total(), 2),
    ("cached", |counts| counts.cached.reads.total(), 2),
];

/// What the whole run has of each program, under its name and accesses.
const OF_PROGRAMS: [(&str, Figure); 9] = [
    ("L1 misses", Counts::l1_misses),
    ("L2 misses, without walk caches", |counts| counts.plain.walks.total()),
    ("  table reads, 1-D walks", |counts| counts.plain.reads.one_dimensional),
    ("  table reads, 2-D walks", |counts| counts.plain.reads.two_dimensional),
    ("  table reads, stage 2 only", |counts| counts.plain.reads.stage2_only),
    ("L2 misses, with walk caches", |counts| counts.cached.walks.total()),
    ("  table reads, 1-D walks", |counts| counts.cached.reads.one_dimensional),
    ("  table reads, 2-D walks", |counts| counts.cached.reads.two_dimensional),
    ("  table reads, stage 2 only", |counts| counts.cached.reads.stage2_only),
];
const PROGRAMS: [(&str, Program); 2] =
    [("guest", |part| &part.guest), ("hypervisor", |part| &part.hypervisor)];

/// The tables of a guest on a computer, or why there are none.
pub(super) fn tables(modes: [Option<&Cell>; 3]) -> Result<String, &str> {
    let runs: Runs<'_> = RUNS.map(|(_, mode, block)| {
        let cell = modes.into_iter().flatten().find(|cell| cell.place.mode == mode)?;
        Some((cell, cell.modelled(block.map(Block::shift))?))
    });
    if runs.iter().all(Option::is_none) {
        let reason = modes.into_iter().flatten().find_map(|cell| cell.unmodelled.as_deref());
        return Err(reason.unwrap_or("no modelled run came to its end"));
    }
    let rows = rows(&runs).map_or_else(String::new, |rows| rows + "\n\n");
    Ok(rows + &whole(&runs))
}

/// What the guest did in each row, for each operation; none if it has no rows that are phases.
fn rows(runs: &Runs<'_>) -> Option<String> {
    let works = runs.iter().flatten().map(|(cell, _)| cell.work());
    let longest = works.max_by_key(Vec::len)?;
    let short = |name: &str| name.trim_start_matches("nested ").to_owned();
    let headings = OF_ROWS.iter().flat_map(|(what, ..)| {
        RUNS.iter().enumerate().map(move |(place, (name, ..))| match place {
            0 => format!("{what}:\n{}", short(name)),
            _ => format!("\n{}", short(name)),
        })
    });
    let headings: Vec<_> =
        std::iter::once("of the guest\nwork".to_owned()).chain(headings).collect();
    let headings: Vec<_> = headings.iter().map(String::as_str).collect();
    let mut table = table::table(&headings, &[]);
    for work in &longest {
        let parts = runs.map(|run| run.and_then(|(cell, run)| cell.part_of(&run.output, work)));
        if parts.iter().all(Option::is_none) {
            continue;
        }
        let operations = runs.iter().flatten().find_map(|(cell, _)| cell.operations_of(work));
        let operations = operations.or(work.operations).unwrap_or(1);
        let line = OF_ROWS.iter().flat_map(|(_, of, decimals)| {
            parts.iter().map(move |part| {
                let guest = part.as_ref().map(|part| &part.guest);
                or_nothing(guest.map(|guest| each(of(guest), operations, *decimals)))
            })
        });
        table.add_row(cells(&work.label(), line.collect::<Vec<_>>()));
    }
    (table.row_count() > 0).then(|| drawn(table))
}

/// What the guest and the hypervisor did in all. Lines in which nothing is counted are left out.
fn whole(runs: &Runs<'_>) -> String {
    let headings: Vec<_> = ["whole run"].into_iter().chain(RUNS.map(|(name, ..)| name)).collect();
    let mut table = table::table(&headings, &[]);
    let wholes = runs.map(|run| run.map(|(_, run)| run.output.whole()));
    let mut add = |label: &str, of: &dyn Fn(&Part) -> u64| {
        let values = wholes.each_ref().map(|whole| whole.as_ref().map(of));
        if values.iter().flatten().any(|&value| value > 0) {
            table.add_row(cells(label, values.map(|value| or_nothing(value.map(number)))));
        }
    };
    add("exits", &|part| part.exits);
    for (name, program) in PROGRAMS {
        add(&format!("{name}: accesses"), &|part| program(part).accesses());
        for (label, figure) in OF_PROGRAMS {
            add(&format!("  {label}"), &|part| figure(program(part)));
        }
    }
    drawn(table)
}

/// How much there is of something for each operation. Decimals would not be read in large figures.
fn each(total: u64, operations: u64, decimals: usize) -> String {
    let each = total as f64 / operations as f64;
    if each >= LARGE { number(each.round() as u64) } else { format!("{each:.decimals$}") }
}

fn or_nothing(text: Option<String>) -> String {
    text.unwrap_or_else(|| NOTHING.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Paging;
    use crate::computer::{Computer, Model};
    use crate::results::tests::{cell, modelled};

    #[test]
    fn every_run_has_its_column() {
        let mut native = cell(Computer::Virt, Mode::Native, 100);
        native.models = vec![modelled(None)];
        let mut nested = cell(Computer::Virt, Mode::Under(Paging::Nested), 100);
        nested.models = vec![modelled(Some(12)), modelled(Some(30))];
        let text = tables([Some(&native), Some(&nested), None]).unwrap();
        let line = |start: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(start)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let each = ["50.000", "50.000", "-", "50.000", "-", "1,200", "1,200", "-", "1,200", "-"];
        assert_eq!(line("all")[1..11], each);
        assert_eq!(line("guest: accesses")[2..], ["200", "200", "-", "200", "-"]);
        assert!(
            text.contains("table reads, 2-D walks") && !text.contains("stage 2 only"),
            "{text}"
        );
    }

    #[test]
    fn without_a_model_the_reason_is_told() {
        let mut cell = cell(Computer::Bochs(Model::PENRYN), Mode::Native, 100);
        cell.unmodelled = Some("Bochs has no plugins".to_owned());
        assert_eq!(tables([Some(&cell), None, None]), Err("Bochs has no plugins"));
    }
}
