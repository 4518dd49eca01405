//! What the model of the MMU costs the emulator, and whether it agrees with it.
//!
//! The cost is the one budget of a time, since the model executes no instruction of the machine's. It is the processor
//! time of the emulator's process, which other load disturbs less than a clock does, the least of some runs. It is
//! disturbed all the same, and so a miss is told and is no failure.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::budgets::Budget;
use super::limits::Bound;
use crate::build;
use crate::computer::Program;
use crate::lab::{Lab, Place, Run};
use crate::mmu::{Modelling, Wish};
use crate::progress::Step;
use crate::table;

/// The guests that are run.
const GUESTS: [&str; 4] = ["memory-motion", "aim9-memory", "mmu-ops", "tlb-chase"];
/// How often each is run.
const RUNS: usize = 3;
/// How much longer a run may take with the model.
const MOST: f64 = 2.5;
/// How many translations are compared at least: less than any of the guests makes.
const LEAST: u64 = 500_000;
/// When a run is stopped.
const TIMEOUT: Duration = Duration::from_secs(240);

/// The budgets of the places where there is a model.
pub(super) fn budgets(lab: &Lab) -> Result<Vec<Budget>> {
    let _step = Step::begin("measuring what the model of the MMU costs");
    let plugin = build::plugin()?;
    let places = Place::all(lab.arch());
    let places = places.filter(|place| place.computer.program() == Program::Qemu(lab.arch()));
    let mut budgets = Vec::new();
    for (place, guest) in places.flat_map(|place| GUESTS.map(|guest| (place, guest))) {
        budgets.push(slowdown(lab, &plugin, place, guest)?);
        budgets.push(differences(lab, &plugin, place, guest)?);
    }
    Ok(budgets)
}

fn slowdown(lab: &Lab, plugin: &Path, place: Place, guest: &str) -> Result<Budget> {
    let wish = Wish::usual(lab.arch())?;
    let usual = Run::usual(place, guest, TIMEOUT);
    let without = least(|| lab.complete(&usual).map(drop))?;
    let with = least(|| {
        let modelling = Modelling::new(&wish, plugin)?;
        lab.complete(&Run { model: Some(&modelling), ..usual })?;
        modelling.result().map(drop)
    })?;
    Ok(Budget {
        name: "with the MMU model, against without",
        place: place.name(),
        figure: Some(with as f64 / without.max(1) as f64),
        bound: Bound::AtMost(MOST),
        unit: "times",
        how: format!("guest {guest}, processor time of the emulator, least of {RUNS} runs"),
        mandatory: false,
    })
}

fn differences(lab: &Lab, plugin: &Path, place: Place, guest: &str) -> Result<Budget> {
    let wish = Wish::compared(lab.arch(), LEAST)?;
    let modelling = Modelling::new(&wish, plugin)?;
    lab.complete(&Run { model: Some(&modelling), ..Run::usual(place, guest, TIMEOUT) })?;
    let output = modelling.output()?;
    // A model that gave up has compared a part of the run only.
    let check = output.check.filter(|_| output.refused.is_none());
    let check = check.filter(|check| check.compared >= LEAST);
    let compared = check.as_ref().map_or(0, |check| check.compared);
    Ok(Budget {
        name: "the MMU model differs from QEMU",
        place: place.name(),
        figure: check.map(|check| check.differences as f64),
        bound: Bound::AtMost(0.0),
        unit: "translations",
        how: format!("guest {guest}, of {} that were compared", table::number(compared)),
        mandatory: true,
    })
}

/// The least processor time that children took in some runs, in ticks of the system's clock.
fn least(mut run: impl FnMut() -> Result<()>) -> Result<u64> {
    let mut least = u64::MAX;
    for _ in 0..RUNS {
        let before = time_of_children()?;
        run()?;
        least = least.min(time_of_children()? - before);
    }
    Ok(least)
}

/// The processor time of all children that have ended: `cutime` and `cstime` ("/proc/pid/stat", proc(5)).
fn time_of_children() -> Result<u64> {
    /// Where they stand behind the program's name.
    const FIELDS: std::ops::RangeInclusive<usize> = 13..=14;
    let text =
        fs::read_to_string("/proc/self/stat").context("the system tells no processor time")?;
    let (_, fields) = text.rsplit_once(')').context("the system tells no processor time")?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let times = fields.get(FIELDS).context("the system tells no processor time")?;
    times.iter().map(|time| time.parse::<u64>().context("a processor time is no number")).sum()
}
