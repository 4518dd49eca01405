//! What a guest did, row by row, and what each operation took.

use super::Cell;
use crate::run::ResultLine;

/// The keys of result lines that name a row, and those that say how many operations it had.
const ROWS: [&str; 2] = ["row", "round"];
const OPERATIONS: [&str; 2] = ["ops", "pages"];
/// The keys of what one operation took, best first: what all took together is a last resort.
const EACH: [&str; 4] = ["per_op", "per_page", "median", "ticks"];

/// A row of a guest's work.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Work {
    /// The row.
    pub(crate) row: String,
    /// What it does, if the guest says so.
    pub(crate) title: Option<String>,
    /// How many operations it had.
    pub(crate) operations: Option<u64>,
    /// Instructions for each, probes off.
    pub(crate) each: f64,
    /// Exits for each, with probes; none natively.
    pub(crate) exits: Option<f64>,
}

impl Cell {
    /// Its rows, in the guest's order. Lines that tell of no duration are none.
    pub(crate) fn work(&self) -> Vec<Work> {
        self.lines.iter().filter_map(|line| self.row(line)).collect()
    }

    fn row(&self, line: &ResultLine) -> Option<Work> {
        let row = ROWS.iter().find_map(|key| line.fields.text(key).ok())?;
        Some(Work {
            row: row.to_owned(),
            title: line.fields.text("name").ok().map(str::to_owned),
            operations: OPERATIONS.iter().find_map(|key| line.fields.number(key).ok()),
            each: EACH.iter().find_map(|key| line.fields.decimal(key).ok())?,
            exits: self.exits_of(row),
        })
    }

    /// Exits for each operation of the phases that belong to a row: those of its name, or whose names
    /// begin with it and are no other row's.
    fn exits_of(&self, row: &str) -> Option<f64> {
        let other = |name: &str| {
            self.lines.iter().any(|line| {
                ROWS.iter().any(|key| line.fields.text(key).is_ok_and(|row| row == name))
            })
        };
        let belongs = |name: &str| {
            name == row
                || name.strip_prefix(row).is_some_and(|rest| rest.starts_with('-')) && !other(name)
        };
        let phases = self.report.as_ref()?.phases.iter();
        let (exits, operations) = phases
            .filter(|phase| belongs(&phase.name))
            .fold((0, 0), |sum, phase| (sum.0 + phase.exits, sum.1 + phase.ops));
        (operations > 0).then(|| exits as f64 / operations as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::Paging;
    use crate::computer::Computer;
    use crate::lab::Mode;
    use crate::report::Phase;
    use crate::results::tests::cell;
    use crate::run;

    #[test]
    fn rows_find_their_phases() {
        let mut cell = cell(Computer::Virt, Mode::Under(Paging::Shadow), 1);
        cell.lines = run::results(
            "@ ops clock_cost=2\n@ ops row=f-first ops=1 median=9 mean=9.0\n@ ops row=f name=fork ops=2 median=5",
        );
        let phase =
            |name: &str, ops, exits| Phase { name: name.to_owned(), ops, exits, time: None };
        let report = cell.report.as_mut().unwrap();
        report.phases = vec![phase("f-first", 1, 12), phase("f-later", 2, 6), phase("fork", 1, 1)];
        let work = cell.work();
        assert_eq!(work.len(), 2);
        assert_eq!((work[0].each, work[0].exits), (9.0, Some(12.0)));
        assert_eq!((work[1].each, work[1].exits), (5.0, Some(3.0)));
        assert_eq!(work[1].title.as_deref(), Some("fork"));
    }
}
