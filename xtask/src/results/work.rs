//! What a guest did, row by row, and what each operation took.

use super::Cell;
use crate::run::ResultLine;

/// The keys of result lines that name a row, those that tell it from others of that name, and those
/// that say how many operations it had.
const ROWS: [&str; 2] = ["row", "round"];
const TITLES: [&str; 2] = ["name", "size"];
const OPERATIONS: [&str; 2] = ["ops", "pages"];
/// The keys of what one operation took, best first: what all took together is a last resort.
const EACH: [&str; 4] = ["per_op", "per_page", "median", "ticks"];

/// A row of a guest's work.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Work {
    /// The row.
    pub(crate) row: String,
    /// What it does or how large it is, if the guest says so: rows of one name differ in it.
    pub(crate) title: Option<String>,
    /// How many operations it had.
    pub(crate) operations: Option<u64>,
    /// Instructions for each, probes off.
    pub(crate) each: f64,
    /// Exits for each, with probes; none natively.
    pub(crate) exits: Option<f64>,
}

impl Work {
    /// Its name for a person.
    pub(crate) fn label(&self) -> String {
        match &self.title {
            Some(title) => format!("{} {title}", self.row),
            None => self.row.clone(),
        }
    }
}

impl Cell {
    /// Its rows, in the guest's order. Lines that tell of no duration are none.
    pub(crate) fn work(&self) -> Vec<Work> {
        self.lines.iter().filter_map(|line| self.row(line)).collect()
    }

    fn row(&self, line: &ResultLine) -> Option<Work> {
        let row = row(line)?;
        let title = TITLES.iter().find_map(|key| line.fields.text(key).ok());
        Some(Work {
            row: row.to_owned(),
            title: title.map(str::to_owned),
            operations: OPERATIONS.iter().find_map(|key| line.fields.number(key).ok()),
            each: EACH.iter().find_map(|key| line.fields.decimal(key).ok())?,
            exits: self.exits_of(row, title),
        })
    }

    /// Exits for each operation of the phases that belong to a row.
    fn exits_of(&self, row: &str, title: Option<&str>) -> Option<f64> {
        let phases = &self.report.as_ref()?.phases;
        self.in_phases(row, title, |belongs| {
            let phases = phases.iter().filter(|phase| belongs(&phase.name));
            let (exits, operations) =
                phases.fold((0, 0), |sum, phase| (sum.0 + phase.exits, sum.1 + phase.ops));
            (operations > 0).then(|| exits as f64 / operations as f64)
        })
    }

    /// What `of` makes of the phases that belong to a row: those of its name and title, or of its name, or
    /// whose names begin with that and are no other row's; the first of these of which it makes anything.
    pub(super) fn in_phases<T>(
        &self,
        row: &str,
        title: Option<&str>,
        of: impl Fn(&dyn Fn(&str) -> bool) -> Option<T>,
    ) -> Option<T> {
        let full = title.map_or_else(|| row.to_owned(), |title| format!("{row}-{title}"));
        let begins = |name: &str| name.strip_prefix(row).is_some_and(|rest| rest.starts_with('-'));
        let is_other = |name: &str| self.lines.iter().any(|line| self::row(line) == Some(name));
        of(&|name| name == full)
            .or_else(|| of(&|name| name == row))
            .or_else(|| of(&|name| begins(name) && !is_other(name)))
    }
}

/// The row that a line tells of.
fn row(line: &ResultLine) -> Option<&str> {
    ROWS.iter().find_map(|key| line.fields.text(key).ok())
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

    #[test]
    fn rows_of_one_name_differ_in_size() {
        let mut cell = cell(Computer::Virt, Mode::Under(Paging::Shadow), 1);
        cell.lines = run::results(
            "@ scale row=map size=16 ops=4 ticks=8 per_op=2.0\n@ scale row=map size=64 ops=4 ticks=12 per_op=3.0",
        );
        let phase = |name: &str, exits| Phase { name: name.to_owned(), ops: 4, exits, time: None };
        cell.report.as_mut().unwrap().phases = vec![phase("map-16", 4), phase("map-64", 8)];
        let exits: Vec<_> = cell.work().iter().map(|work| work.exits).collect();
        assert_eq!(exits, [Some(1.0), Some(2.0)]);
    }
}
