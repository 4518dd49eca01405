//! What the model of the MMU costs the emulator.
//!
//! This is the one budget of a time, since the model executes no instruction of the machine's. It is the processor
//! time of the emulator's process, which other load disturbs less than a clock does, the least of some runs.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::budgets::Budget;
use super::limits::Bound;
use crate::build;
use crate::computer::Program;
use crate::lab::{Lab, Place, Run};
use crate::mmu::{Modelling, Wish};
use crate::progress::Step;

/// The guests that are run.
const GUESTS: [&str; 4] = ["memory-motion", "aim9-memory", "mmu-ops", "tlb-chase"];
/// How often each is run.
const RUNS: usize = 3;
/// How much longer a run may take with the model.
const MOST: f64 = 2.5;
/// When a run is stopped.
const TIMEOUT: Duration = Duration::from_secs(240);

/// The budgets of the places where there is a model.
pub(super) fn budgets(lab: &Lab) -> Result<Vec<Budget>> {
    let _step = Step::begin("measuring what the model of the MMU costs");
    let wish = Wish::usual(lab.arch())?;
    let plugin = build::plugin()?;
    let places = Place::all(lab.arch());
    let places = places.filter(|place| place.computer.program() == Program::Qemu(lab.arch()));
    let mut budgets = Vec::new();
    for (place, guest) in places.flat_map(|place| GUESTS.map(|guest| (place, guest))) {
        let usual = Run::usual(place, guest, TIMEOUT);
        let without = least(|| lab.complete(&usual).map(drop))?;
        let with = least(|| {
            let modelling = Modelling::new(&wish, &plugin)?;
            lab.complete(&Run { model: Some(&modelling), ..usual })?;
            modelling.result().map(drop)
        })?;
        budgets.push(Budget {
            name: "with the MMU model, against without",
            place: place.name(),
            figure: Some(with as f64 / without.max(1) as f64),
            bound: Bound::AtMost(MOST),
            unit: "times",
            how: format!("guest {guest}, processor time of the emulator, least of {RUNS} runs"),
            mandatory: false,
        });
    }
    Ok(budgets)
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
