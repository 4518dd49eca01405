//! The table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::Cell;

use super::figures::{Ablation, Block, Figures, Measured, Outcome};
use super::rows::{Row, counters};
use crate::table::{self, drawn, number, right};

/// What stands where there is nothing.
const NOTHING: &str = "-";
/// The columns. A change is against the row with all steps on.
const COLUMNS: [&str; 8] = [
    "steps",
    "exits",
    "change",
    "in the hypervisor",
    "change",
    "total",
    "change",
    "counters of the step, on > off",
];
/// What must be known to read the table.
const NOTES: &str = "
Figures but exits and counters are executed instructions, probes off. What is in the hypervisor is the total
without what the guest takes natively. Changes are against all steps on; `paravirtual` is off in every row but its own.
";

/// All tables.
pub(super) fn render(ablation: &Ablation) -> String {
    let mut out = String::new();
    for block in &ablation.blocks {
        let place = &block.place;
        let native = block.native.map_or_else(|| "failed".to_owned(), number);
        let _ = writeln!(
            out,
            "\n{} on {} ({}, {}); natively {native} instructions\n{}",
            block.guest,
            place.computer,
            place.emulator,
            place.arch.name(),
            rows(block)
        );
    }
    out + NOTES
}

fn rows(block: &Block) -> String {
    let last = COLUMNS[COLUMNS.len() - 1];
    let mut table = table::table(&COLUMNS, &[last]);
    let mut notes = String::new();
    for measured in &block.rows {
        let Measured { row, outcome, .. } = measured;
        let mut line = vec![Cell::new(row)];
        match outcome {
            Outcome::Ok(figures) => {
                line.extend(amounts(figures, block.figures(Row::AllOn)).map(right));
                line.push(Cell::new(at_work(block, *row, figures)));
            }
            Outcome::Absent { reason } => {
                line.extend([NOTHING; 6].map(|text| right(text.to_owned())));
                line.push(Cell::new(reason));
            }
            Outcome::Failed { error } => {
                line.extend(["failed"; 6].map(|text| right(text.to_owned())));
                line.push(Cell::new(NOTHING));
                let _ = write!(notes, "\nFAILED {row}: {error}");
            }
        }
        table.add_row(line);
    }
    drawn(table) + &notes
}

/// The figures of a row, each with its change.
fn amounts(figures: &Figures, all_on: Option<&Figures>) -> [String; 6] {
    let of = |amount: fn(&Figures) -> Option<u64>| {
        let (now, on) = (amount(figures), all_on.and_then(amount));
        let change = now.zip(on).and_then(|(now, on)| change(now, on));
        [now.map(number), change].map(|text| text.unwrap_or_else(|| NOTHING.to_owned()))
    };
    let [exits, more_exits] = of(|figures| Some(figures.exits));
    let [hypervisor, more_of_it] = of(|figures| figures.hypervisor);
    let [total, more] = of(|figures| Some(figures.total));
    [exits, more_exits, hypervisor, more_of_it, total, more]
}

/// By how many percent a figure is more than another.
fn change(now: u64, on: u64) -> Option<String> {
    (on > 0).then(|| format!("{:+.1} %", (now as f64 - on as f64) / on as f64 * 100.0))
}

/// The counters of a row's step, where it is on and where it is off.
fn at_work(block: &Block, row: Row, figures: &Figures) -> String {
    let (Some(step), Some(usual)) = (row.step(), block.figures(Row::AllOn)) else {
        return String::new();
    };
    let (on, off) = if step.is_default() { (usual, figures) } else { (figures, usual) };
    let of = |counters: &BTreeMap<String, u64>, name| counters.get(name).copied().unwrap_or(0);
    let shown = counters(step).iter().filter_map(|&name| {
        let (on, off) = (of(&on.counters, name), of(&off.counters, name));
        (on + off > 0).then(|| format!("{name} {} > {}", number(on), number(off)))
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use paging::switch::Switch;

    use super::*;
    use crate::cli::Paging;
    use crate::computer::Computer;
    use crate::lab::{Mode, Place};

    fn block() -> Block {
        let measured = |row: Row, exits, found| Measured {
            row,
            switches: Vec::new(),
            outcome: Outcome::Ok(Figures {
                exits,
                total: 100 + exits,
                hypervisor: Some(exits),
                counters: BTreeMap::from([("rmap_found".to_owned(), found)]),
            }),
        };
        let computer = Computer::Virt;
        let around = Row::Without(Switch::FaultAround);
        Block {
            guest: "hello".to_owned(),
            place: Place { computer, mode: Mode::Under(Paging::Shadow) }.into(),
            native: Some(100),
            rows: vec![
                measured(Row::AllOn, 10, 7),
                measured(Row::Without(Switch::ReverseMap), 15, 0),
                Measured {
                    row: around,
                    switches: Vec::new(),
                    outcome: Outcome::Absent { reason: around.absent(computer).unwrap() },
                },
                Measured {
                    row: Row::AllOff,
                    switches: Vec::new(),
                    outcome: Outcome::Failed { error: "it hung".to_owned() },
                },
            ],
        }
    }

    #[test]
    fn every_row_has_its_change() {
        let text = rows(&block());
        let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap();
        let words: Vec<_> = line("without reverse-map").split_whitespace().collect();
        assert_eq!(words[2..].join(" "), "15 +50.0 % 15 +50.0 % 115 +4.5 % rmap_found 7 > 0");
        assert!(line("without fault-around").contains("not on Arm"));
        assert!(line("FAILED all off: it hung").len() > 10);
    }
}
