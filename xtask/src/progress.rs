//! Showing that something is going on.
//!
//! On a terminal a spinner turns on the standard error stream; anywhere else each step is a line
//! when it begins.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// One step that takes a while. It ends when it is dropped, and leaves no trace on a terminal.
pub(crate) struct Step(Option<ProgressBar>);

impl Step {
    /// Begins a step and says what it is.
    pub(crate) fn begin(message: impl Into<String>) -> Self {
        let message = message.into();
        if !stderr().is_terminal() {
            eprintln!("{message}");
            return Self(None);
        }
        let bar = ProgressBar::new_spinner().with_message(message);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(bar))
    }

    /// Begins a step of many: it is shown on a terminal only.
    pub(crate) fn live(message: impl Into<String>) -> Option<Self> {
        stderr().is_terminal().then(|| Self::begin(message))
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
