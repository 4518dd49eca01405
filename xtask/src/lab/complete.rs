//! Runs whose figures count: those that come to their end, and find their answers right.

use anyhow::{Context as _, Result, bail, ensure};

use super::{Lab, Mode, Run};
use crate::emu::{End, Ran};
use crate::report::{Report, Verdict};
use crate::run::native_status;

impl Lab {
    /// Runs a guest to its end, and fails unless that is a good one.
    pub(crate) fn complete(&self, run: &Run<'_>) -> Result<(Ran, Report)> {
        let (ran, report) = self.run(run)?;
        match ran.end {
            End::Off => {}
            End::Interrupted => bail!("it was interrupted"),
            End::Timeout => {
                bail!("it did not end in {} s; {}", run.timeout.as_secs(), ran.last_words())
            }
        }
        if let Some(message) = &report.error {
            bail!("the hypervisor gave up: {message}");
        }
        let status = match run.place.mode {
            Mode::Native => native_status(&ran.console),
            Mode::Under(_) => report.verdict.as_ref().map(Verdict::status),
        };
        let status =
            status.with_context(|| format!("it ended without a status; {}", ran.last_words()))?;
        let reason = report.verdict.as_ref().map_or("", |verdict| &verdict.reason);
        ensure!(status == 0, "its status is {status} {reason}; {}", ran.last_words());
        if run.place.mode != Mode::Native {
            ensure!(report.complete, "its report is cut off");
            let violations = report.violations();
            ensure!(violations.is_empty(), "its report contradicts itself: {violations:?}");
        }
        Ok((ran, report))
    }
}
