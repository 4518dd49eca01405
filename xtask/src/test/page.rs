//! The page of `compare`, looked at in a browser.
//!
//! The results that it shows are in `tests/page/results.json`: those that
//! `cargo xtask compare --guest memory-motion,scale --out DIR` leaves in DIR. That the search finds
//! something is shown by pages with one fault each. What the model's part of a page shows has no sample: its
//! figures are [`made_up`], and what its script makes of them is held against what is reckoned here.

pub(crate) mod made_up;
mod settings;

use anyhow::{Context as _, Result, bail, ensure};

use super::browser::{self, Page, Seen, WIDTHS};
use super::tally::Tally;
use crate::results::{self, Results, Status};
use crate::{page, paths};

/// Results of a comparison.
const SAMPLE: &str = "tests/page/results.json";

/// Where the page of them is left, in the target directory, for a person to look at; and the page with a
/// model.
const FILE: &str = "page.html";
const MODEL_FILE: &str = "page-model.html";

/// A fault: its name, how a page comes to have it, and what must be said of it.
struct Fault {
    name: &'static str,
    /// What is replaced, where it stands first, and by what.
    change: (&'static str, &'static str),
    says: &'static str,
}

const FAULTS: [Fault; 8] = [
    Fault {
        name: "a label on another",
        change: (
            "<text ",
            "<text x=\"0\" y=\"24\">one on another</text><text x=\"9\" y=\"24\">one on another</text><text ",
        ),
        says: "one on another\" overlap",
    },
    Fault {
        name: "a label that is cut off",
        change: ("<text ", "<text x=\"350\" y=\"60\">beyond the edge</text><text "),
        says: "beyond the edge\" is cut off",
    },
    Fault {
        name: "a label on a mark",
        change: ("<text ", "<text x=\"60\" y=\"40\">on a bar</text><text "),
        says: "a mark and <text> \"on a bar\" overlap",
    },
    Fault {
        name: "a page that is too wide",
        change: ("<main>", "<main><div style=\"width: 1400px\">wide</div>"),
        says: "it is 14",
    },
    Fault {
        name: "a plot that is missing",
        change: ("<section id=\"exits\"", "<section id=\"other\""),
        says: "the plot exits is missing",
    },
    Fault {
        name: "a plot that draws nothing",
        change: (".panels {", "figure { display: none } .panels {"),
        says: "draws nothing",
    },
    Fault {
        name: "text that is too small",
        change: (".panels {", "figure svg { width: 180px !important } .panels {"),
        says: "pixels high",
    },
    Fault {
        name: "panels on each other",
        change: (".panels {", "figure { margin-bottom: -80px !important } .panels {"),
        says: "overlap",
    },
];

/// Faults of the page with a model.
const MODEL_FAULTS: [Fault; 3] = [
    Fault {
        name: "a script that may not run",
        change: ("script-src 'sha256-", "script-src 'sha256-0"),
        says: "crossing-place is off",
    },
    Fault {
        name: "a script with other figures",
        change: ("\"reads\":[0.0,", "\"reads\":[1.0,"),
        says: "in #crossing tbody, \"1.00",
    },
    Fault {
        name: "a control that is missing its choice",
        change: ("<option value=\"30\">", "<option value=\"31\">"),
        says: "crossing-block cannot be 30",
    },
];

/// Looks at pages.
pub(super) fn all(tally: &mut Tally) {
    const NAME: &str = "page";
    let faults = || FAULTS.iter().chain(&MODEL_FAULTS);
    let cases = ["the sample", "failed cells", "a model"].into_iter();
    let cases = cases.chain(faults().map(|fault| fault.name));
    let cases: Vec<_> = cases.map(|case| format!("{NAME}: {case}")).collect();
    if !cases.iter().any(|case| tally.wants(case)) {
        return;
    }
    match pages().and_then(|pages| browser::look(&pages)) {
        Err(error) => tally.fail(NAME, &format!("{error:#}")),
        Ok(seen) => {
            let says = [None; 3].into_iter().chain(faults().map(|fault| Some(fault.says)));
            for ((case, seen), says) in cases.iter().zip(&seen).zip(says) {
                tally.case(case, || judge(seen, says));
            }
        }
    }
}

/// The sample, the sample with failed cells, the sample with a model, and one for each fault.
fn pages() -> Result<Vec<Page>> {
    let sample = Results::read(&paths::root().join(SAMPLE))?;
    let whole = page::render(&sample);
    results::write(&paths::own().join(FILE), &whole)?;
    let mut failed = sample.clone();
    failed.complete = false;
    for cell in failed.cells.iter_mut().step_by(3) {
        let error = format!("the emulator died: {}", "no-word-ends-here".repeat(12));
        (cell.status, cell.ran, cell.exits, cell.report) =
            (Status::Failed { error }, None, None, None);
        cell.lines.clear();
    }
    let modelled = modelled(&sample);
    let model = page::render(&modelled);
    results::write(&paths::own().join(MODEL_FILE), &model)?;
    let changes = settings::changes(&modelled)?;
    let measured = |text: String| Page { text, plots: page::PLOTS.to_vec(), changes: Vec::new() };
    let with_model = |text: String| {
        let plots = page::PLOTS.into_iter().chain([page::crossing::ID]).collect();
        Page { text, plots, changes: changes.clone() }
    };
    let mut pages =
        vec![measured(whole.clone()), measured(page::render(&failed)), with_model(model.clone())];
    for fault in &FAULTS {
        pages.push(measured(fault.of(&whole)?));
    }
    for fault in &MODEL_FAULTS {
        pages.push(with_model(fault.of(&model)?));
    }
    Ok(pages)
}

/// The sample with what was made up of a model.
fn modelled(sample: &Results) -> Results {
    let made_up = made_up::results();
    let mut modelled = sample.clone();
    modelled.geometry = made_up.geometry;
    modelled.cells.extend(made_up.cells);
    modelled
}

impl Fault {
    /// A page that has it.
    fn of(&self, page: &str) -> Result<String> {
        let Self { name, change: (from, to), .. } = self;
        ensure!(page.contains(from), "there is no place for {name}");
        Ok(page.replacen(from, to, 1))
    }
}

/// Whether what was seen is nothing, or what must be said.
fn judge(seen: &[Seen], says: Option<&str>) -> Result<()> {
    ensure!(seen.iter().map(|seen| seen.width).eq(WIDTHS), "it was not seen at every width");
    for Seen { width, problems } in seen {
        match says {
            None if problems.is_empty() => {}
            None => {
                let first = problems.first().context("there are problems")?;
                bail!("at {width} pixels, {} problems, the first: {first}", problems.len());
            }
            Some(says) => {
                let said = problems.iter().any(|problem| problem.contains(says));
                ensure!(said, "at {width} pixels nobody says `{says}`: {problems:?}");
            }
        }
    }
    Ok(())
}
