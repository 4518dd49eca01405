//! What is to be measured.

use anyhow::{Context as _, Result};

use crate::arch::Arch;
use crate::build;
use crate::cli::Compare;
use crate::lab::Place;
use crate::mmu::Wish;
use crate::results::{Cell, Results};

/// The guests that are measured when none is named. The last of them shows how costs grow.
const GUESTS: [&str; 4] = ["memory-motion", "aim9-memory", "mmu-ops", "scale"];
/// The guest that is measured besides where there is a model: without, it shows nothing.
const MODELLED: &str = "tlb-chase";

/// One cell to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// The guest.
    pub(super) guest: String,
    /// Where.
    pub(super) place: Place,
}

/// What a person asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    archs: Vec<Arch>,
    /// None are all.
    guests: Vec<String>,
    wish: Option<Wish>,
}

impl Asked {
    /// Reads it from the options.
    pub(super) fn of(options: &Compare) -> Result<Self> {
        options.guest.iter().try_for_each(|guest| build::check_guest(guest))?;
        let archs = if options.arch.is_empty() { Arch::ALL.to_vec() } else { options.arch.clone() };
        let wish = Wish::of(&options.mmu, archs[0])?;
        Ok(Self { archs, guests: options.guest.clone(), wish })
    }

    /// What is asked of the model, if anything is.
    pub(super) const fn wish(&self) -> Option<&Wish> {
        self.wish.as_ref()
    }

    fn includes(&self, cell: &Cell) -> bool {
        let named = self.guests.is_empty() || self.guests.contains(&cell.guest);
        named && self.archs.contains(&cell.place.arch)
    }

    /// Results without the cells that were not asked for.
    pub(super) fn of_these(&self, results: &Results) -> Results {
        let mut results = results.clone();
        results.cells.retain(|cell| self.includes(cell));
        results
    }

    /// Every guest in every place.
    pub(super) fn all(&self) -> Result<Vec<Job>> {
        let known = build::guest_names()?;
        let modelled = self.wish.iter().map(|_| MODELLED);
        let usual = GUESTS.into_iter().chain(modelled).map(str::to_owned);
        let usual = || usual.filter(|name| known.contains(name));
        let guests = if self.guests.is_empty() { usual().collect() } else { self.guests.clone() };
        let mut jobs = Vec::new();
        for guest in guests {
            for place in self.archs.iter().flat_map(|&arch| Place::all(arch)) {
                jobs.push(Job { guest: guest.clone(), place });
            }
        }
        Ok(jobs)
    }

    /// The cells of earlier results.
    pub(super) fn again(&self, earlier: &Results) -> Result<Vec<Job>> {
        let cells = earlier.cells.iter().filter(|cell| self.includes(cell));
        cells.map(|cell| job(cell).with_context(|| unknown(cell))).collect()
    }
}

fn job(cell: &Cell) -> Result<Job> {
    build::check_guest(&cell.guest)?;
    let place = Place::all(cell.place.arch).find(|&place| cell.place == place.into());
    let place = place.context("there is no such place")?;
    Ok(Job { guest: cell.guest.clone(), place })
}

fn unknown(cell: &Cell) -> String {
    format!(
        "the earlier results have the cell `{}`, which cannot be measured here: leave it out with --guest or --arch",
        cell.name()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::small;

    fn asked(archs: &[Arch]) -> Asked {
        Asked { archs: archs.to_vec(), guests: Vec::new(), wish: None }
    }

    #[test]
    fn the_same_cells_are_measured_again() {
        let jobs = asked(&[Arch::Aarch64]).again(&small()).unwrap();
        assert_eq!(jobs.len(), 2);
        assert_eq!(jobs[1].place.name(), "shadow");
    }

    #[test]
    fn what_is_not_there_any_more_is_named() {
        let mut results = small();
        results.cells[0].guest = "goodbye".to_owned();
        results.cells[2].place.computer = "z80".to_owned();
        let error = |arch| format!("{:#}", asked(&[arch]).again(&results).unwrap_err());
        assert!(error(Arch::Aarch64).contains("no guest `goodbye`"));
        assert!(error(Arch::X86_64).contains("`hello, z80, shadow`"));
    }
}
