//! Whether what the model says can be used.

use anyhow::{Context as _, Result, bail, ensure};
use mmu_model::counts::{Check, Output};

use super::Wish;
use crate::table::number;

impl Wish {
    /// Fails if the model gave up, or does not agree with the emulator where that was to be checked.
    pub(super) fn check(&self, output: &Output) -> Result<()> {
        if let Some(reason) = &output.refused {
            bail!("the model gave up, and what it counted is no result: {reason}");
        }
        if self.ignore_invalidations {
            ensure!(
                self.check.is_some(),
                "invalidations were ignored: what was counted is no result"
            );
        } else {
            let whole = output.whole();
            let lost = whole.guest.unexplained + whole.hypervisor.unexplained;
            ensure!(
                lost == 0,
                "the model could not follow {} accesses that the run made: the tables do not allow them as it reads them",
                number(lost)
            );
        }
        let Some(least) = self.check else { return Ok(()) };
        let Check { compared, differences, ref first } =
            *output.check.as_ref().context("the model compared nothing")?;
        if differences > 0 {
            bail!(
                "the model differs from QEMU in {} of {} translations; the first: {}",
                number(differences),
                number(compared),
                first.as_deref().unwrap_or("not told")
            );
        }
        ensure!(
            compared >= least,
            "the model compared {} translations, and at least {} were asked for",
            number(compared),
            number(least)
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mmu::tests::small_output;

    fn error(check: Option<u64>, change: fn(&mut Output)) -> String {
        let geometry = mmu_model::presets::named("cortex-a76").unwrap();
        let wish = Wish { geometry, check, ignore_invalidations: false };
        let mut output = small_output();
        change(&mut output);
        wish.check(&output).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn what_agrees_often_enough_is_right() {
        assert_eq!(error(Some(1_200), |_| {}), "");
        assert!(
            error(Some(1_201), |_| {}).contains("compared 1,200 translations, and at least 1,201")
        );
        assert_eq!(error(None, |output| output.check = None), "");
        assert!(error(Some(0), |output| output.check = None).contains("compared nothing"));
    }

    #[test]
    fn a_difference_is_told_and_so_is_giving_up() {
        let differs = |output: &mut Output| {
            let first = Some("load of 0x1000".to_owned());
            output.check = Some(Check { compared: 5, differences: 2, first });
        };
        assert!(
            error(Some(1), differs).ends_with("2 of 5 translations; the first: load of 0x1000")
        );
        let gives_up =
            |output: &mut Output| output.refused = Some("a granule of 64 KiB".to_owned());
        let loses = |output: &mut Output| output.parts[1].hypervisor.unexplained = 3;
        assert!(error(None, loses).contains("could not follow 3 accesses"));
        assert!(error(None, gives_up).ends_with("no result: a granule of 64 KiB"));
    }
}
