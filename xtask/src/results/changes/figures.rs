//! The figures of a cell, each under a name of its own.

use super::{Amount, Figures};
use crate::golden;
use crate::report::{Report, Row};
use crate::results::Cell;
use crate::run::ResultLine;

/// Keys of result lines that begin their figures.
const COUNTS: [&str; 6] = ["ops", "pages", "spaces", "sum", "count", "bytes"];

impl Figures {
    /// Those of a cell.
    pub(crate) fn of(cell: &Cell) -> Self {
        let mut figures = Self::default();
        figures.ran(cell.ran);
        figures.lines(&cell.lines);
        if let Some(report) = &cell.report {
            figures.counts(report, cell.printed);
            figures.times(report);
        }
        figures
    }

    /// How long the guest ran.
    pub(crate) fn ran(&mut self, ran: Option<u64>) {
        self.instructions.extend(ran.map(|ran| ("ran".to_owned(), ran.into())));
    }

    /// What the guest told of itself.
    pub(crate) fn lines(&mut self, lines: &[ResultLine]) {
        for line in lines {
            for (key, value) in line.fields.iter() {
                let name = format!("{} {key}", label(line));
                match Amount::parse(value).filter(|_| golden::DURATIONS.contains(&key)) {
                    Some(amount) => drop(self.instructions.insert(name, amount)),
                    None => drop(self.answers.insert(name, value.to_owned())),
                }
            }
        }
    }

    /// How often each event happened, but for what the guest's printing caused, which depends on the
    /// length of what it prints.
    pub(crate) fn counts(&mut self, report: &Report, printed: u64) {
        let counts = golden::counts(report, printed).into_iter();
        self.events.extend(counts.map(|(name, count)| (name, count.into())));
    }

    /// What exits and functions took, with the instrument in it.
    fn times(&mut self, report: &Report) {
        let of = |kind: &'static str, rows: &'static str| {
            move |row: &Row| {
                let time = row.time.as_ref()?;
                Some((format!("{kind} {}{rows}", row.name), Amount::from(time.inclusive)))
            }
        };
        self.instructions.extend(report.reasons.iter().filter_map(of("exit", ", probes full")));
        self.instructions.extend(report.functions.iter().filter_map(of("fn", ", probes full")));
    }
}

/// What tells a line from the others of its name: its first field, and those after it that are no
/// figures.
fn label(line: &ResultLine) -> String {
    let is_name = |(place, (key, _)): &(usize, (&str, &str))| {
        !golden::DURATIONS.contains(key) && (*place == 0 || !COUNTS.contains(key))
    };
    let fields = line.fields.iter().enumerate().take_while(is_name);
    let name = std::iter::once(line.name.as_str());
    name.chain(fields.map(|(_, (_, value))| value)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Paging;
    use crate::computer::Computer;
    use crate::lab::Mode;
    use crate::results::tests::cell;

    #[test]
    fn every_figure_has_its_group() {
        let figures = Figures::of(&cell(Computer::Virt, Mode::Under(Paging::Shadow), 200));
        let amount = |value: u64| Some(&Amount::from(value)).copied();
        assert_eq!(figures.instructions.get("ran").copied(), amount(200));
        assert_eq!(figures.instructions.get("sum all ticks").copied(), amount(5));
        assert_eq!(figures.instructions.get("fn sh_page_fault, probes full").copied(), amount(150));
        assert_eq!(figures.events.get("counter flush_all").copied(), amount(1));
        assert_eq!(figures.answers.get("sum all sum").map(String::as_str), Some("7"));
    }

    #[test]
    fn printing_is_no_event() {
        let mut cell = cell(Computer::Virt, Mode::Under(Paging::Shadow), 200);
        cell.printed = 1;
        assert!(!Figures::of(&cell).events.contains_key("exit data_abort"));
    }
}
