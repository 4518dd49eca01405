//! `cargo xtask bench`: what the project must reach, and what it reaches.
//!
//! Every figure but those of the MMU model's cost is a count of instructions or bytes under the reference emulator. Those of durations
//! come from a hypervisor without probes, as the guest's own clock saw them; those of exits from one
//! that counts.

mod budgets;
mod compare;
mod figures;
mod limits;
mod model;
mod of;

use std::fs;

use anyhow::{Context as _, Result};
use comfy_table::Cell;
use serde_json::json;

use self::budgets::Budget;
use self::figures::Figures;
use crate::cli::{self, Probes};
use crate::lab::Lab;
use crate::setup;
use crate::{paths, table};

/// `cargo xtask bench`.
pub(crate) fn run(options: &cli::Bench) -> Result<u8> {
    let arch = options.arch;
    let install = options.set_up.install();
    setup::ensure(&setup::needs_of_all(arch), install)?;
    let toolchain = setup::toolchain(arch, install)?;
    let lab = Lab::new(arch, &toolchain, &[Probes::Off, Probes::Counts, Probes::Full])?;
    let figures = Figures::take(&lab)?;
    let mut budgets = budgets::all(&lab, &figures)?;
    budgets.extend(model::budgets(&lab)?);
    print!("{}", render(&budgets));
    let comparisons = [compare::mmu_ops(arch, &figures), compare::memory_motion(arch, &figures)];
    for comparison in &comparisons {
        print!("{comparison}");
    }
    let missed: Vec<_> = budgets.iter().filter(|budget| !budget.met()).collect();
    let mandatory = missed.iter().filter(|budget| budget.mandatory).count();
    println!(
        "\n{} met, {} missed, of which {mandatory} mandatory",
        budgets.len() - missed.len(),
        missed.len()
    );
    for budget in &missed {
        println!("MISSED: {} ({})", budget.name, budget.place);
    }
    if !missed.is_empty() {
        let arch = arch.name();
        println!(
            "where the time goes: cargo xtask qemu --arch {arch} --guest bench --paging shadow"
        );
    }
    let file = options.json.clone().unwrap_or_else(|| paths::own().join(arch.bench_file()));
    let whole = json!({
        "tools": { "emulators": lab.versions(), "compiler": toolchain.compiler.version },
        "budgets": budgets.iter().map(Budget::json).collect::<Vec<_>>(),
        "results": figures.json(),
    });
    let text = serde_json::to_string_pretty(&whole)? + "\n";
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    println!("saved as {}", file.display());
    Ok(u8::from(mandatory > 0))
}

fn render(budgets: &[Budget]) -> String {
    let headings = ["budget", "where", "figure", "", "limit", "of", "", "how it is measured"];
    let mut table = table::table(&headings, &["where", "of", "how it is measured"]);
    for budget in budgets {
        let verdict = match (budget.met(), budget.mandatory) {
            (true, _) => "met",
            (false, true) => "MISSED, mandatory",
            (false, false) => "MISSED",
        };
        table.add_row(vec![
            Cell::new(budget.name),
            Cell::new(&budget.place),
            table::right(budget.figure.map_or_else(|| "none".to_owned(), amount)),
            Cell::new(budget.bound.name()),
            table::right(amount(budget.bound.value())),
            Cell::new(budget.unit),
            Cell::new(verdict),
            Cell::new(&budget.how),
        ]);
    }
    format!("\n{}\n", table::drawn(table))
}

/// A figure, with two decimals where it has some.
fn amount(value: f64) -> String {
    let hundredths = (value.abs() * 100.0).round() as u64;
    let sign = if value < 0.0 && hundredths > 0 { "-" } else { "" };
    let whole = format!("{sign}{}", table::number(hundredths / 100));
    match hundredths % 100 {
        0 => whole,
        rest => format!("{whole}.{rest:02}").trim_end_matches('0').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_decimals_where_they_need_some() {
        let texts = [90.0, 1.6, 0.999, 1_234.567, -0.25, -0.001].map(amount);
        assert_eq!(texts, ["90", "1.6", "1", "1,234.57", "-0.25", "0"]);
    }
}
