//! The sets of steps that are set side by side.

use std::fmt;

use paging::switch::{Switch, SwitchSet};
use serde::{Serialize, Serializer};

use crate::computer::{Accel, Computer};

/// A set of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// All that are on by default.
    AllOn,
    /// None.
    AllOff,
    /// All but one.
    Without(Switch),
    /// All, and one that is off by default.
    With(Switch),
}

impl Row {
    /// All of them, in the order of the table.
    fn all() -> impl Iterator<Item = Self> {
        let one = |switch: Switch| {
            if switch.is_default() { Self::Without(switch) } else { Self::With(switch) }
        };
        [Self::AllOn, Self::AllOff].into_iter().chain(Switch::ALL.into_iter().map(one))
    }

    /// Those that are measured on a computer. Bochs takes ten times as long for an instruction: there it is
    /// what QEMU's SVM cannot tell.
    pub(super) fn on(computer: Computer) -> impl Iterator<Item = Self> {
        let told = [Self::AllOn, Self::AllOff, Self::Without(Switch::NativeFaults)];
        Self::all().filter(move |row| match computer {
            Computer::Bochs(_) => told.contains(row),
            Computer::Virt | Computer::Q35(_) => true,
        })
    }

    /// The steps.
    pub(super) const fn switches(self) -> SwitchSet {
        match self {
            Self::AllOn => SwitchSet::DEFAULT,
            Self::AllOff => SwitchSet::NONE,
            Self::Without(switch) => SwitchSet::DEFAULT.without(switch),
            Self::With(switch) => SwitchSet::DEFAULT.with(switch),
        }
    }

    /// The step that makes the difference, if it is one.
    pub(super) const fn step(self) -> Option<Switch> {
        match self {
            Self::AllOn | Self::AllOff => None,
            Self::Without(switch) | Self::With(switch) => Some(switch),
        }
    }

    /// Why its step makes no difference on a computer, if it makes none.
    pub(super) const fn absent(self, computer: Computer) -> Option<&'static str> {
        match (self.step(), computer) {
            (Some(Switch::NativeFaults), Computer::Virt) => {
                Some("inherent on Arm: what a guest has invalid is invalid natively")
            }
            (Some(Switch::NativeFaults), Computer::Q35(Accel::Tcg)) => {
                Some("SVM has no filter of page faults, each exits: see Bochs")
            }
            (Some(Switch::FaultAround), Computer::Virt) => {
                Some("not on Arm: no leaf can be unknown, so a table is always filled whole")
            }
            _ => None,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllOn => f.write_str("all on"),
            Self::AllOff => f.write_str("all off"),
            Self::Without(switch) => write!(f, "without {}", switch.name()),
            Self::With(switch) => write!(f, "with {}", switch.name()),
        }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The counters that show a step at work.
pub(super) const fn counters(step: Switch) -> &'static [&'static str] {
    match step {
        Switch::ReverseMap => &["rmap_found", "rmap_scanned"],
        Switch::NativeFaults => &["faults_reflected"],
        Switch::LargeLeaves => &["blocks_mapped", "blocks_split", "blocks_joined"],
        Switch::OutOfSync => {
            &["tables_unsynced", "tables_resynced", "entries_resynced", "unsync_wrong"]
        }
        Switch::ManyRoots => &["roots_hit", "roots_missed", "roots_evicted"],
        Switch::WriteFlood => &["shadows_abandoned", "abandoned_wrong"],
        Switch::FaultAround => &["around_faults", "around_filled", "around_again"],
        Switch::Paravirtual => &["batches", "batched_updates"],
    }
}

#[cfg(test)]
mod tests {
    use paging::switch::Switches as _;

    use super::*;

    #[test]
    fn each_step_has_a_row_that_differs_in_it_alone() {
        for switch in Switch::ALL {
            let row = Row::all().find(|row| row.step() == Some(switch)).unwrap();
            let differs =
                |other: &Switch| row.switches().has(*other) != SwitchSet::DEFAULT.has(*other);
            assert!(Switch::ALL.iter().filter(|other| differs(other)).eq([&switch]));
        }
        assert_eq!(Row::all().count(), 2 + Switch::ALL.len());
    }

    #[test]
    fn each_counter_is_one_of_the_hypervisors() {
        let events = include_str!("../../../hv/probe/src/event.rs");
        for name in Switch::ALL.into_iter().flat_map(counters) {
            assert!(events.contains(&format!("\"{name}\" Kind::Counter")), "{name}");
        }
    }
}
