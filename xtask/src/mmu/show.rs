//! What the model says of one run, for a person.

use std::fmt::Write as _;

use mmu_model::counts::{Check, Counts, Output, Part, Walks};

use crate::table::{self, cells, drawn, number};

/// What stands where there is nothing to divide by.
const NOTHING: &str = "-";
/// The part of a run that is in no phase, and all of it.
const OUTSIDE: &str = "outside phases";
const WHOLE: &str = "whole run";
/// The columns of both tables. Each walk is a miss of the L2 TLB.
const COLUMNS: [&str; 10] = [
    "phase",
    "program",
    "accesses",
    "L1 misses",
    "L2 misses",
    "table reads,\n1-D walks",
    "table reads,\n2-D walks",
    "table reads,\nstage 2 only",
    "reads for\neach walk",
    "exits",
];

/// What must be known to read what follows.
pub(crate) fn heading(geometry: &str) -> String {
    format!(
        "MODEL of geometry {geometry}, and no measurement: what such TLBs and page walks would have done.\nIts \
         figures belong to no column of instructions."
    )
}

/// All that it says.
pub(crate) fn render(output: &Output) -> String {
    let mut out = format!("\n{}\n", heading(&output.geometry));
    let whole = Part { phase: WHOLE.to_owned(), ..output.whole() };
    let parts: Vec<_> = output.parts.iter().chain([&whole]).collect();
    for (what, walks) in [
        ("Without walk caches", (|counts| counts.plain) as fn(&Counts) -> Walks),
        ("With the geometry's walk caches", |counts| counts.cached),
    ] {
        let _ = writeln!(out, "\n{what}");
        drawn(table(&parts, walks)).lines().for_each(|line| {
            let _ = writeln!(out, "  {line}");
        });
    }
    let unseen = output.unseen.iter().filter(|unseen| unseen.count != Some(0));
    if unseen.clone().count() > 0 {
        out.push_str("\nNot modelled\n");
    }
    for unseen in unseen {
        let count = unseen.count.map_or_else(|| "not counted".to_owned(), number);
        let _ = writeln!(out, "  {}: {count}", unseen.what);
    }
    if let Some(check) = &output.check {
        let _ = writeln!(out, "\n{}", checked(check));
    }
    out
}

/// What comparing with the emulator found.
fn checked(Check { compared, differences, .. }: &Check) -> String {
    let (compared, differences) = (number(*compared), number(*differences));
    format!("compared {compared} translations with QEMU's own, {differences} differ")
}

fn table(parts: &[&Part], walks: fn(&Counts) -> Walks) -> comfy_table::Table {
    let mut table = table::table(&COLUMNS, &["program"]);
    for part in parts {
        let phase = if part.phase.is_empty() { OUTSIDE } else { &part.phase };
        let programs = [("guest", &part.guest), ("hypervisor", &part.hypervisor)];
        for (program, counts) in programs {
            if program == "hypervisor" && *counts == Counts::default() {
                continue;
            }
            let exits = if program == "guest" { number(part.exits) } else { String::new() };
            let line = [line(counts, walks(counts)).as_slice(), &[exits]].concat();
            let mut row = cells(phase, line);
            row.insert(1, comfy_table::Cell::new(program));
            table.add_row(row);
        }
    }
    table
}

fn line(counts: &Counts, Walks { walks, reads }: Walks) -> [String; 7] {
    [
        number(counts.accesses()),
        number(counts.l1_misses()),
        number(walks.total()),
        number(reads.one_dimensional),
        number(reads.two_dimensional),
        number(reads.stage2_only),
        each(reads.total(), walks.total()),
    ]
}

/// How many of something there are for each of something else.
fn each(total: u64, of: u64) -> String {
    match of {
        0 => NOTHING.to_owned(),
        _ => format!("{:.2}", total as f64 / of as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mmu::tests::small_output;

    #[test]
    fn it_is_a_model_and_every_part_is_there() {
        let text = render(&small_output());
        assert!(text.contains("MODEL of geometry cortex-a76, and no measurement"), "{text}");
        for (line, times) in [
            ("outside phases  guest", 2),
            ("all             hypervisor", 2),
            ("whole run       guest", 2),
            ("DC ZVA: 7", 1),
            ("compared 1,200 translations with QEMU's own, 0 differ", 1),
        ] {
            assert_eq!(text.matches(line).count(), times, "{line} in {text}");
        }
        let whole = text.lines().find(|line| line.contains("whole run       guest")).unwrap();
        let figures: Vec<_> = whole.split_whitespace().skip(3).collect();
        assert_eq!(figures, ["200", "120", "100", "0", "2,400", "0", "24.00", "3"]);
    }

    #[test]
    fn a_native_run_has_no_hypervisor() {
        let mut output = small_output();
        output.parts.iter_mut().for_each(|part| part.hypervisor = Counts::default());
        assert!(!render(&output).contains("hypervisor"));
    }
}
