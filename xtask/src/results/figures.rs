//! What follows from the figures of several cells.

use super::{Cell, Results, Status};
use crate::lab::Mode;

impl Cell {
    /// Why it failed, if it did.
    pub(crate) fn error(&self) -> Option<&str> {
        match &self.status {
            Status::Ok => None,
            Status::Failed { error } => Some(error),
        }
    }

    /// A name for a person: `memory-motion, svm, shadow`.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}, {}", self.guest, self.place.computer, self.place.mode.name())
    }

    /// Whether another cell is of the same guest in the same place.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.guest == other.guest && self.place == other.place
    }
}

impl Results {
    /// The cell of the same guest without a hypervisor: on the same computer, or else on another of the
    /// same emulator, whose models do not differ in what a native guest executes.
    pub(crate) fn native_of(&self, cell: &Cell) -> Option<&Cell> {
        let native = self.cells.iter().filter(|other| {
            other.guest == cell.guest
                && other.place.mode == Mode::Native
                && (other.place.arch, &other.place.emulator)
                    == (cell.place.arch, &cell.place.emulator)
        });
        let same = native.clone().find(|other| other.place.computer == cell.place.computer);
        same.or_else(|| native.clone().next())
    }

    /// The versions of the compiler and of the emulator behind a cell.
    pub(crate) fn tools_of(&self, cell: &Cell) -> Option<(&str, &str)> {
        let tools = self.tools.iter().find(|tools| tools.arch == cell.place.arch)?;
        let mut emulators = tools.emulators.iter();
        let emulator = emulators.find(|emulator| emulator.name == cell.place.emulator)?;
        Some((&tools.compiler, &emulator.version))
    }

    /// The share of a guest's speed, from 0 to 1, that is lost in this cell against native: what an
    /// execution without the hypervisor saves. The Xen study means the same by loss.
    pub(crate) fn loss(&self, cell: &Cell) -> Option<f64> {
        loss(self.native_of(cell)?.ran? as f64, cell.ran? as f64)
    }
}

/// The share of speed that is lost where something takes `ran` instead of `native`.
pub(crate) fn loss(native: f64, ran: f64) -> Option<f64> {
    (ran > 0.0).then(|| 1.0 - native / ran)
}
