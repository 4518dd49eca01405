//! `cargo xtask compare`: the same guests natively, under nested and under shadow paging.
//!
//! Everything is built first, so that nothing is measured for a build that fails later. After each cell
//! the file of results is written anew: whatever happens then, the cells so far are kept. What was
//! measured is shown, and set against earlier results if there are some.

mod against;
mod measure;
mod plan;
pub(crate) mod published;
mod show;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use self::plan::Asked;
use crate::cli::Compare;
use crate::results::{self, Results};
use crate::{emu, page, paths};

/// The files in the folder: the results, the page that shows them, and the results that stood there
/// before.
const RESULTS: &str = "results.json";
const PAGE: &str = "index.html";
const BEFORE: &str = "results-before.json";

/// `cargo xtask compare`.
pub(crate) fn run(options: &Compare) -> Result<u8> {
    let asked = Asked::of(options)?;
    let earlier = options.against.as_deref().map(Results::read).transpose()?;
    let mut status = 0;
    let results = match &options.from {
        Some(file) => {
            let results = asked.of_these(&Results::read(file)?);
            if let Some(folder) = &options.out {
                make_room(folder)?;
                results.write(&folder.join(RESULTS))?;
                results::write(&folder.join(PAGE), &page::render(&results))?;
            }
            results
        }
        None => {
            let plan = match &earlier {
                Some(earlier) => asked.again(earlier)?,
                None => asked.all()?,
            };
            ensure!(
                !plan.is_empty(),
                "the earlier results have no cell of what --guest and --arch name"
            );
            let folder = options.out.clone().unwrap_or_else(|| paths::own().join("compare"));
            make_room(&folder)?;
            let file = folder.join(RESULTS);
            let timeout = Duration::from_secs(options.timeout);
            let results =
                measure::all(&plan, asked.wish(), options.set_up.install(), timeout, &file)?;
            if !results.cells.is_empty() {
                println!("saved as {}", file.display());
                let page = folder.join(PAGE);
                results::write(&page, &page::render(&results))?;
                println!("as a page: {}", page.display());
            }
            results
        }
    };
    print!("{}", show::render(&results)?);
    if results.cells.iter().any(|cell| cell.error().is_some()) {
        status = 1;
    }
    if let (Some(file), Some(earlier)) = (&options.against, &earlier) {
        let comparison = against::compare(&asked.of_these(earlier), &asked.of_these(&results));
        print!("\nAgainst {}\n{comparison}", file.display());
        status = status.max(u8::from(comparison.rose()));
    }
    Ok(if emu::interrupted() { emu::INTERRUPTED } else { status })
}

/// Sees that files can be written to a folder, and keeps the results that are there.
fn make_room(folder: &Path) -> Result<()> {
    let file = folder.join(RESULTS);
    results::check_writable(&file, "--out")?;
    if file.is_file() {
        let before = folder.join(BEFORE);
        fs::copy(&file, &before).with_context(|| format!("cannot write {}", before.display()))?;
    }
    Ok(())
}
