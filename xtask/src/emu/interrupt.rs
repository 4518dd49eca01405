//! Ctrl-C, and requests from outside to end.

use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Result, anyhow};

/// The status of a program that Ctrl-C ended.
pub(crate) const STATUS: u8 = 130;

static SEEN: AtomicBool = AtomicBool::new(false);
static MACHINES: AtomicUsize = AtomicUsize::new(0);

/// While one of these is there, Ctrl-C is left to the loop that runs the machine. A second Ctrl-C
/// ends everything at once.
pub(super) struct Running;

impl Running {
    /// Begins to watch for Ctrl-C.
    pub(super) fn begin() -> Result<Self> {
        static HANDLER: OnceLock<Result<(), String>> = OnceLock::new();
        HANDLER
            .get_or_init(|| ctrlc::set_handler(handle).map_err(|error| error.to_string()))
            .clone()
            .map_err(|error| anyhow!("cannot watch for Ctrl-C: {error}"))?;
        MACHINES.fetch_add(1, Ordering::SeqCst);
        Ok(Self)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        MACHINES.fetch_sub(1, Ordering::SeqCst);
    }
}

fn handle() {
    let again = SEEN.swap(true, Ordering::SeqCst);
    if again || MACHINES.load(Ordering::SeqCst) == 0 {
        process::exit(STATUS.into());
    }
}

/// Whether Ctrl-C was seen.
pub(crate) fn seen() -> bool {
    SEEN.load(Ordering::SeqCst)
}
