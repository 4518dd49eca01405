//! Where the sources stand.

use std::process::Command;

use super::Source;
use crate::{paths, process};

impl Source {
    /// This tree, as it is now.
    pub(crate) fn here() -> Self {
        let git = |arguments: &[&str]| {
            process::output(Command::new("git").current_dir(paths::root()).args(arguments))
        };
        let commit = git(&["rev-parse", "HEAD"]);
        let changes = git(&["status", "--porcelain", "--untracked-files=no"]);
        let dirty = commit.as_ref().and(changes).map(|changes| !changes.is_empty());
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), commit, dirty }
    }
}
