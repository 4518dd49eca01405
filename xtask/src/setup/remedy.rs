//! A way to get what is missing.

use std::process::{Command, Stdio};

use super::is_root;
use crate::progress::Step;

/// A way to get what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remedy {
    /// Lines for a shell.
    pub(crate) commands: Vec<String>,
}

impl Remedy {
    /// A remedy of one command.
    pub(super) fn of(command: impl Into<String>) -> Self {
        Self { commands: vec![command.into()] }
    }

    /// The whole as one line for a shell.
    pub(super) fn line(&self) -> String {
        self.commands.join(" && ")
    }

    /// Runs it, and says whether it succeeded.
    pub(super) fn apply(&self) -> bool {
        self.commands.iter().all(|command| {
            // A spinner would run over the question for a password.
            let step = is_root().then(|| Step::begin(format!("set-up: {command}")));
            if step.is_none() {
                eprintln!("set-up: {command}");
            }
            let output = Command::new("timeout")
                .args(["--foreground", "600", "sh", "-c", command])
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdin(Stdio::null())
                .output();
            let messages = match &output {
                Ok(output) if output.status.success() => return true,
                Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
                Err(error) => error.to_string(),
            };
            drop(step);
            eprintln!("set-up: `{command}` failed: {}", complaint(&messages));
            false
        })
    }
}

/// The line of a program's messages that says what went wrong.
fn complaint(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let named = |line: &&str| line.starts_with("error") || line.starts_with("E:");
    lines.clone().find(named).or_else(|| lines.next_back()).unwrap_or("no message")
}
