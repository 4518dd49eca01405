//! Ctrl-C, and requests from outside to end.

use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Result, anyhow};

/// The status of a program that Ctrl-C ended.
pub(crate) const STATUS: u8 = 130;

static SEEN: AtomicBool = AtomicBool::new(false);
static HOLDERS: AtomicUsize = AtomicUsize::new(0);

/// While one of these is there, Ctrl-C is left to its holder: the loop that runs a machine, or one that
/// runs many and keeps what they said. A second Ctrl-C ends everything at once.
pub(crate) struct Running;

impl Running {
    /// Begins to watch for Ctrl-C.
    pub(crate) fn begin() -> Result<Self> {
        static HANDLER: OnceLock<Result<(), String>> = OnceLock::new();
        HANDLER
            .get_or_init(|| ctrlc::set_handler(handle).map_err(|error| error.to_string()))
            .clone()
            .map_err(|error| anyhow!("cannot watch for Ctrl-C: {error}"))?;
        HOLDERS.fetch_add(1, Ordering::SeqCst);
        Ok(Self)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        HOLDERS.fetch_sub(1, Ordering::SeqCst);
    }
}

fn handle() {
    let again = SEEN.swap(true, Ordering::SeqCst);
    if again || HOLDERS.load(Ordering::SeqCst) == 0 {
        process::exit(STATUS.into());
    }
}

/// Whether Ctrl-C was seen.
pub(crate) fn seen() -> bool {
    SEEN.load(Ordering::SeqCst)
}
