//! A browser that looks at pages and says what is wrong with them.
//!
//! Pages are shown in frames, since a browser without a display has windows of 500 pixels or more. A script
//! measures what is in them (`page/check.js`) and writes its findings into the document, which the browser
//! prints.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

use crate::scratch::Scratch;
use crate::setup::browser;

/// The widths at which pages are looked at, in pixels: a screen's and a telephone's.
pub(super) const WIDTHS: [u32; 2] = [1280, 400];
/// What measures.
const CHECK: &str = include_str!("page/check.js");
/// How long a browser may take, in seconds.
const TIMEOUT: &str = "120";
/// Around the findings in what the browser prints.
const FINDINGS: [&str; 2] = [r#"<script type="application/json" id="findings">"#, "</script>"];

/// A page to look at.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    /// The page.
    pub(super) text: String,
    /// The names of the plots that it must have.
    pub(super) plots: Vec<&'static str>,
    /// What is then done with its controls, in order.
    pub(super) changes: Vec<Change>,
}

/// What a person sets on a page, and what it must show then.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Change {
    /// The names of controls, and their values.
    pub(super) set: Vec<(String, String)>,
    /// Selectors of elements, and what is in them.
    pub(super) shows: Vec<(&'static str, String)>,
}

/// What was seen of a page at a width.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    /// The width.
    pub(super) width: u32,
    /// What is wrong, a sentence each.
    pub(super) problems: Vec<String>,
}

/// Looks at each page at each width.
pub(super) fn look(pages: &[Page]) -> Result<Vec<Vec<Seen>>> {
    let scratch = Scratch::new("browser")?;
    let file = scratch.path().join("look.html");
    fs::write(&file, harness(pages)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    let text = printed(&file, scratch.path())?;
    let found = text.split_once(FINDINGS[0]).and_then(|(_, rest)| rest.split_once(FINDINGS[1]));
    let (found, _) = found.context("the browser did not come to an end with the pages")?;
    let seen: Vec<Vec<Seen>> = serde_json::from_str(found).context("the findings are no JSON")?;
    ensure!(seen.len() == pages.len(), "the browser looked at {} pages", seen.len());
    Ok(seen)
}

/// The document that shows the pages.
fn harness(pages: &[Page]) -> Result<String> {
    // A script ends at the first `</script`, also within a string.
    let pages = serde_json::to_string(pages)?.replace('<', "\\u003c");
    let widths = serde_json::to_string(&WIDTHS)?;
    Ok(format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><body><script>\n\
         const PAGES = {pages}, WIDTHS = {widths};\n{CHECK}</script>\n"
    ))
}

/// The document as it is once its scripts are through.
fn printed(file: &Path, folder: &Path) -> Result<String> {
    let browser = browser::look().map_err(|why| anyhow!(why))?;
    let messages = folder.join("messages");
    // `timeout` ends what the browser started as well. Its sandbox wants rights that a container does
    // not have; it is shown nothing but pages of this tool's.
    let output = Command::new("timeout")
        .args(["--kill-after=5", TIMEOUT])
        .arg(browser.program)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--disable-extensions", "--disable-background-networking"])
        .args(["--hide-scrollbars", "--virtual-time-budget=60000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stderr(File::create(&messages)?)
        .output()
        .context("cannot run timeout")?;
    let messages = fs::read_to_string(&messages).unwrap_or_default();
    let last = messages.lines().next_back().unwrap_or("no message");
    ensure!(output.status.success(), "the browser ends with {}: {last}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
