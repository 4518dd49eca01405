//! What is set on the page with a model, one thing after another, and what it must then show.

use anyhow::{Context as _, Result};

use crate::page::crossing::{self, Answer, ID, Settings};
use crate::results::Results;
use crate::test::browser::Change;

/// Where the sentence, the drawing and the rows of the table are.
const PLACES: [&str; 3] = ["#crossing-answer", "#crossing-drawing", "#crossing tbody"];

/// The names of controls and their values, step by step. What is set stays set.
const STEPS: [&[(&str, &str)]; 10] = [
    &[],
    &[("block", "21")],
    &[("block", "30"), ("row", "mixed-64")],
    &[("cached", "0")],
    // An exit costs something else there, since nobody has said what it costs.
    &[("place", "svm"), ("row", "mixed-1024")],
    &[("instruction", "0.5"), ("exit", "20000"), ("read", "120")],
    // Now somebody has.
    &[("place", "virt"), ("row", "chase-2m"), ("block", "21")],
    &[("row", "chase-4k"), ("block", "12")],
    &[("instruction", "1"), ("exit", "0"), ("read", "0")],
    &[("row", "mixed-1024"), ("cached", "1"), ("read", "7.25")],
];

/// The changes, from the settings that stand on the page at first.
pub(super) fn changes(results: &Results) -> Result<Vec<Change>> {
    let mut settings = crossing::first(results).context("there is nothing to set")?;
    let mut changes = Vec::new();
    for step in STEPS {
        for (control, value) in step {
            set(results, &mut settings, control, value)?;
        }
        let Answer { says, drawing, rows } = crossing::answer(results, &settings);
        let shows = PLACES.into_iter().zip([says, drawing, rows]).collect();
        changes.push(Change { set: named(step), shows });
    }
    for cost in ["", "-1", "1000001"] {
        let shows = vec![(PLACES[0], crossing::NO_COST.to_owned())];
        changes.push(Change { set: named(&[("read", cost)]), shows });
    }
    Ok(changes)
}

fn named(step: &[(&str, &str)]) -> Vec<(String, String)> {
    step.iter().map(|(name, value)| (format!("{ID}-{name}"), (*value).to_owned())).collect()
}

fn set(results: &Results, settings: &mut Settings, control: &str, value: &str) -> Result<()> {
    let Settings { place, row, block, cached, costs } = settings;
    match control {
        "place" => {
            let was = crossing::exit_cost(results, place);
            value.clone_into(place);
            if was == Some(costs.exit) {
                costs.exit = crossing::exit_cost(results, place).context("no such place")?;
            }
        }
        "row" => value.clone_into(row),
        "block" => *block = value.parse()?,
        "cached" => *cached = value == "1",
        "instruction" => costs.instruction = value.parse()?,
        "exit" => costs.exit = value.parse()?,
        _ => costs.read = value.parse()?,
    }
    Ok(())
}
