//! What is judged, and how it is worked out of what guests and the hypervisor said.

use super::figures::Figures;
use crate::cli::{Paging, Probes};
use crate::computer::{Computer, Model};
use crate::lab::{Mode, Place};
use crate::report::Row;
use crate::results::loss;

/// Work that is judged as a whole.
const MOTION: &str = "memory-motion";
const AIM9: &str = "aim9-memory";
/// 1 GiB mapped with 2 MiB pages: all of them touched, and none.
const BLOCKS: [&str; 2] = ["scale blocks", "scale blocks 0"];
/// Cold fills of a leaf table, the fuller one first.
const FILLS: [&str; 2] = ["fill-512", "fill-16"];

/// A figure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    /// The median of a row of a guest's.
    Median(&'static str, &'static str),
    /// Exits for each operation of a phase of a guest's.
    Exits(&'static str, &'static str),
    /// A page of `memory-motion`.
    Page,
    /// All of `memory-motion`, against the same under nested paging.
    AgainstNested,
    /// A row of `aim9-memory`: the share of its native speed that is lost.
    Loss(&'static str),
    /// A fault in `memory-motion` that the shadow was filled for.
    Fixed,
    /// A store to a table in `memory-motion`.
    Emulated,
    /// What a valid entry adds to a cold fill.
    FillEntry,
    /// Leaves of 2 MiB in the shadow of 1 GiB of them.
    Blocks,
    /// How the cost of an operation grows.
    Growth(Growth),
}

/// A row that is measured at several sizes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    /// The work.
    pub(super) work: &'static str,
    /// Its row.
    pub(super) row: &'static str,
    /// The smaller size, and the larger.
    pub(super) sizes: [&'static str; 2],
}

impl Of {
    /// Its unit.
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Median(..) | Self::Page | Self::Fixed | Self::Emulated | Self::FillEntry => {
                "instructions"
            }
            Self::Exits(..) => "exits",
            Self::AgainstNested | Self::Growth(_) => "times",
            Self::Loss(_) => "% of native",
            Self::Blocks => "leaves",
        }
    }

    /// How it is measured.
    pub(super) fn how(self) -> String {
        match self {
            Self::Median(guest, row) => format!("guest {guest}, row {row}, median, probes off"),
            Self::Exits(guest, phase) => {
                format!("guest {guest}, phase {phase}, exits for each operation, probes=counts")
            }
            Self::Page => format!("guest {MOTION}, both rounds, ticks / pages"),
            Self::AgainstNested => {
                format!("guest {MOTION}, ticks of both rounds, shadow / nested, probes off")
            }
            Self::Loss(row) => {
                format!("guest {AIM9}, row {row}, 1 - native ticks / shadow ticks, probes off")
            }
            Self::Fixed => {
                format!(
                    "guest {MOTION}, mean of sh_page_fault.fault_fixed, probes=full, theirs included"
                )
            }
            Self::Emulated => {
                format!("guest {MOTION}, mean of sh_emulate_write, probes=full, theirs included")
            }
            Self::FillEntry => {
                let [full, sparse] = FILLS;
                format!(
                    "guest bench, rows {full} and {sparse}, medians: by how much the one is dearer, for each valid entry that it has more"
                )
            }
            Self::Blocks => {
                let [all, none] = BLOCKS;
                format!("counters blocks_mapped - blocks_split of `{all}`, less those of `{none}`")
            }
            Self::Growth(Growth { work, row, sizes: [small, large] }) => {
                format!(
                    "guest `{work}`, row {row}, per_op at size {large} / at size {small}, probes off"
                )
            }
        }
    }

    /// What it is in a place, if it could be measured.
    pub(super) fn figure(self, figures: &Figures, place: Place) -> Option<f64> {
        let nested = Mode::Under(Paging::Nested);
        match self {
            Self::Median(guest, row) => figures.result(guest, place, &[("row", row)], "median"),
            Self::Exits(guest, phase) => figures.exits_per_operation(guest, place, phase),
            Self::Page => {
                let sum = |key| figures.sum(MOTION, place, key);
                Some(sum("ticks")? / sum("pages")?)
            }
            Self::AgainstNested => {
                let ticks = |place| figures.sum(MOTION, place, "ticks");
                Some(ticks(place)? / ticks(beside(place, nested))?)
            }
            Self::Loss(row) => {
                let ticks = |place| figures.result(AIM9, place, &[("row", row)], "ticks");
                Some(100.0 * loss(ticks(beside(place, Mode::Native))?, ticks(place)?)?)
            }
            Self::Fixed => {
                mean(&figures.report(MOTION, place, Probes::Full)?.outcomes, "fault_fixed")
            }
            Self::Emulated => {
                mean(&figures.report(MOTION, place, Probes::Full)?.functions, "sh_emulate_write")
            }
            Self::FillEntry => {
                let of = |row, column, key| figures.result("bench", place, &[(column, row)], key);
                let [medians, valid] = [("row", "median"), ("fill", "valid")]
                    .map(|(column, key)| FILLS.map(|row| of(row, column, key)));
                Some((medians[0]? - medians[1]?) / (valid[0]? - valid[1]?))
            }
            Self::Blocks => {
                let [all, none] = BLOCKS.map(|work| {
                    let report = figures.report(work, place, Probes::Counts)?;
                    Some(
                        report.counter("blocks_mapped") as f64
                            - report.counter("blocks_split") as f64,
                    )
                });
                Some(all? - none?)
            }
            Self::Growth(Growth { work, row, sizes }) => {
                let [small, large] = sizes.map(|size| {
                    figures.result(work, place, &[("row", row), ("size", size)], "per_op")
                });
                Some(large? / small?)
            }
        }
    }
}

/// The place where a guest runs in another mode on the same computer, or else on one whose guests do not
/// differ there: Bochs runs all its models alike.
pub(super) fn beside(place: Place, mode: Mode) -> Place {
    let computer = match place.computer {
        Computer::Bochs(_) if !place.computer.modes().contains(&mode) => {
            Computer::Bochs(Model::SKYLAKE)
        }
        computer => computer,
    };
    Place { computer, mode }
}

fn mean(rows: &[Row], name: &str) -> Option<f64> {
    rows.iter().find(|row| row.name == name)?.time.as_ref().map(|time| time.mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NATIVE: Place = Place { computer: Computer::Bochs(Model::SKYLAKE), mode: Mode::Native };
    const NESTED: Place = Place { mode: Mode::Under(Paging::Nested), ..NATIVE };
    const SHADOW: Place =
        Place { computer: Computer::Bochs(Model::PENRYN), mode: Mode::Under(Paging::Shadow) };

    /// The figure of what was said in runs.
    fn figure(of: Of, runs: &[(&'static str, Place, Probes, &str)]) -> Option<f64> {
        of.figure(&Figures::said(runs).unwrap(), SHADOW)
    }

    #[test]
    fn what_one_model_cannot_do_is_taken_from_another() {
        let (native, shadow) = ("@ aim9 row=page ticks=60", "@ aim9 row=page ticks=100");
        let runs = [
            ("aim9-memory", NATIVE, Probes::Off, native),
            ("aim9-memory", SHADOW, Probes::Off, shadow),
        ];
        assert_eq!(figure(Of::Loss("page"), &runs), Some(40.0));
        assert_eq!(figure(Of::Loss("page"), &runs[1..]), None);
    }

    #[test]
    fn all_rounds_count() {
        let rounds =
            "@ m round=cold ticks=30 pages=2\n@ m round=warm ticks=50 pages=2\n@ ran ticks=99";
        let nested = "@ m round=cold ticks=20\n@ m round=warm ticks=20";
        let runs = [(MOTION, SHADOW, Probes::Off, rounds), (MOTION, NESTED, Probes::Off, nested)];
        assert_eq!(figure(Of::Page, &runs), Some(20.0));
        assert_eq!(figure(Of::AgainstNested, &runs), Some(2.0));
    }

    #[test]
    fn the_size_chooses_among_rows_of_one_name() {
        let grown = Growth { work: "scale map", row: "map", sizes: ["16", "1024"] };
        let lines = "@ scale row=touch size=16 per_op=1.0\n@ scale row=map size=16 per_op=10.0\n\
                     @ scale row=map size=64 per_op=9.0\n@ scale row=map size=1024 per_op=10.5";
        let runs = [("scale map", SHADOW, Probes::Off, lines)];
        assert_eq!(figure(Of::Growth(grown), &runs), Some(1.05));
    }

    #[test]
    fn blocks_of_others_do_not_count() {
        let counters = |mapped, split| {
            format!(
                "umbra counter name=blocks_mapped value={mapped}\numbra counter name=blocks_split value={split}"
            )
        };
        let [all, none] = [counters(1021, 3), counters(511, 1)];
        let [touched, idle] = BLOCKS;
        let runs = [
            (touched, SHADOW, Probes::Counts, all.as_str()),
            (idle, SHADOW, Probes::Counts, none.as_str()),
        ];
        assert_eq!(figure(Of::Blocks, &runs), Some(508.0));
        let splintered =
            [(touched, SHADOW, Probes::Counts, ""), (idle, SHADOW, Probes::Counts, "")];
        assert_eq!(figure(Of::Blocks, &splintered), Some(0.0));
    }

    #[test]
    fn what_an_entry_adds_leaves_the_rest_out() {
        let lines = "@ bench row=fill-512 median=9920\n@ bench fill=fill-512 valid=512\n\
                     @ bench row=fill-16 median=4960\n@ bench fill=fill-16 valid=16";
        assert_eq!(figure(Of::FillEntry, &[("bench", SHADOW, Probes::Off, lines)]), Some(10.0));
    }
}
