//! The page of `compare`, looked at in a browser.
//!
//! The results that it shows are in `tests/page/results.json`: those that
//! `cargo xtask compare --guest memory-motion,scale --out DIR` leaves in DIR. That the search finds
//! something is shown by pages with one fault each.

use anyhow::{Context as _, Result, bail, ensure};

use super::browser::{self, Seen, WIDTHS};
use super::tally::Tally;
use crate::results::{self, Results, Status};
use crate::{page, paths};

/// Results of a comparison.
const SAMPLE: &str = "tests/page/results.json";

/// Where the page of them is left, in the target directory, for a person to look at.
const FILE: &str = "page.html";

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

/// Looks at pages.
pub(super) fn all(tally: &mut Tally) {
    const NAME: &str = "page";
    let cases =
        ["the sample", "failed cells"].into_iter().chain(FAULTS.iter().map(|fault| fault.name));
    let cases: Vec<_> = cases.map(|case| format!("{NAME}: {case}")).collect();
    if !cases.iter().any(|case| tally.wants(case)) {
        return;
    }
    match pages().and_then(|pages| browser::look(&pages, &page::PLOTS)) {
        Err(error) => tally.fail(NAME, &format!("{error:#}")),
        Ok(seen) => {
            let says = [None, None].into_iter().chain(FAULTS.iter().map(|fault| Some(fault.says)));
            for ((case, seen), says) in cases.iter().zip(&seen).zip(says) {
                tally.case(case, || judge(seen, says));
            }
        }
    }
}

/// The sample, the sample with failed cells, and one for each fault.
fn pages() -> Result<Vec<String>> {
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
    let mut pages = vec![whole.clone(), page::render(&failed)];
    for Fault { name, change: (from, to), .. } in FAULTS {
        ensure!(whole.contains(from), "there is no place for {name}");
        pages.push(whole.replacen(from, to, 1));
    }
    Ok(pages)
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
