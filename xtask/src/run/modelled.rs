//! What a modelled run adds to what a run says.

use std::fs;

use anyhow::{Context as _, Result};
use mmu_model::counts::Output;

use crate::cli::How;
use crate::mmu::{self, Modelling};

/// The status of a run that failed by its model alone.
const FAILED: u8 = 1;

/// Shows what the model says, keeps it where that is asked for, and makes `status` a failure's if it does not
/// stand by it.
pub(super) fn conclude(
    modelling: &Modelling<'_>,
    options: &How,
    status: &mut u8,
) -> Result<Option<Output>> {
    let mut complain = |error: &anyhow::Error| {
        eprintln!("error: {error:#}");
        if *status == 0 {
            *status = FAILED;
        }
    };
    let output = match modelling.output() {
        Ok(output) => output,
        Err(error) => {
            complain(&error);
            return Ok(None);
        }
    };
    if let Some(file) = &options.mmu.mmu_json {
        let text = serde_json::to_string_pretty(&output)? + "\n";
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if !options.raw && output.refused.is_none() {
        print!("{}", mmu::show::render(&output));
    }
    if let Err(error) = modelling.check(&output) {
        complain(&error);
    }
    Ok(Some(output))
}
