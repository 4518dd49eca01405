//! The browser that `cargo xtask test` looks at the page of `compare` with.

use std::path::PathBuf;
use std::process::Command;

use super::variable;
use crate::process;

/// The variable that names another browser than the one in the search path.
pub(crate) const VARIABLE: &str = "UMBRA_CHROMIUM";
/// What it is called, here and there.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// How it begins when it says its version.
const NAMES: [&str; 2] = ["Chromium ", "Google Chrome "];

/// A browser that will do.
pub(crate) struct Browser {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its name and version, as it prints them.
    pub(crate) version: String,
}

/// The browser, or why there is none.
pub(crate) fn look() -> Result<Browser, String> {
    let program = match variable(VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => PROGRAMS
            .iter()
            .find_map(|name| process::find(name))
            .ok_or_else(|| format!("no {} in the search path", PROGRAMS[0]))?,
    };
    let shown = program.display();
    let version = process::output(Command::new(&program).arg("--version"))
        .ok_or_else(|| format!("`{shown} --version` does not run"))?;
    if !NAMES.iter().any(|name| version.starts_with(name)) {
        return Err(format!("{shown} does not say that it is Chromium"));
    }
    Ok(Browser { program, version })
}
