//! The figures of a cell, each under a name of its own.

use super::{Amount, Figures};
use crate::golden;
use crate::report::{Report, Row};
use crate::results::Cell;
use crate::run::ResultLine;

/// Keys of result lines whose values name a row.
const NAMES: [&str; 4] = ["row", "round", "name", "size"];

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
        for (index, line) in lines.iter().enumerate() {
            let label = label(line, &lines[..index]);
            for (key, value) in line.fields.iter() {
                let name = format!("{label} {key}");
                match Amount::parse(value).filter(|_| golden::DURATIONS.contains(&key)) {
                    Some(amount) => drop(self.instructions.insert(name, amount)),
                    None => drop(self.answers.insert(name, value.to_owned())),
                }
            }
        }
    }

    /// How often each event happened, but for what the guest's printing caused, which depends on the
    /// length of what it prints. Those that hang on the compiler stand with the instructions.
    pub(crate) fn counts(&mut self, report: &Report, printed: u64) {
        for (name, count) in golden::counts(report, printed) {
            let of_the_compiler = golden::OF_THE_COMPILER.contains(&name.as_str());
            let figures = if of_the_compiler { &mut self.instructions } else { &mut self.events };
            figures.insert(name, count.into());
        }
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

/// The name of a line: its own, what tells its row, and a number where that is not enough. The order of
/// its fields does not count, since other tools may change it.
fn label(line: &ResultLine, before: &[ResultLine]) -> String {
    let label = |line: &ResultLine| {
        let names = NAMES.iter().filter_map(|key| line.fields.text(key).ok());
        std::iter::once(line.name.as_str()).chain(names).collect::<Vec<_>>().join(" ")
    };
    let own = label(line);
    match before.iter().filter(|other| label(other) == own).count() {
        0 => own,
        count => format!("{own} ({})", count + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Paging;
    use crate::computer::Computer;
    use crate::lab::Mode;
    use crate::results::tests::cell;
    use crate::run;

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
    fn lines_are_told_apart() {
        let lines = run::results(
            "@ hello check=clock ok=1\n@ hello ok=1 check=heap\n@ map size=16 row=map ok=1",
        );
        let labels = |index: usize| label(&lines[index], &lines[..index]);
        assert_eq!([0, 1, 2].map(labels), ["hello", "hello (2)", "map map 16"]);
    }

    #[test]
    fn printing_is_no_event() {
        let mut cell = cell(Computer::Virt, Mode::Under(Paging::Shadow), 200);
        cell.printed = 1;
        assert!(!Figures::of(&cell).events.contains_key("exit data_abort"));
    }
}
