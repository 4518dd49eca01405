//! What changed between two measurements of the same thing.
//!
//! All figures are exact, so a change is any difference. Instructions belong to a compiler and an
//! emulator: where those differ, a difference of instructions says nothing about Umbra, and is not
//! looked for. Events belong to neither.

mod figures;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::table::{self, cells, drawn};

/// Every figure of a cell by its name, sorted by what it counts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Figures {
    /// Durations.
    pub(crate) instructions: BTreeMap<String, Amount>,
    /// How often something happened.
    pub(crate) events: BTreeMap<String, Amount>,
    /// What the guest found out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) answers: BTreeMap<String, String>,
}

/// A figure: whole, or with the decimals that a guest printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Deserialize)]
pub(crate) struct Amount(f64);

/// A figure that is not what it was.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    cell: String,
    figure: String,
    values: Values,
}

/// What it was, and what it is.
#[derive(Clone, Debug, PartialEq)]
enum Values {
    /// Of a number. One that is not there counts as 0.
    Amounts(Amount, Amount),
    /// Of a word, and whether the second is better.
    Words(String, String, bool),
}

/// All that changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    instructions: Vec<Change>,
    events: Vec<Change>,
    words: Vec<Change>,
    refusals: BTreeSet<String>,
}

impl Comparison {
    /// Compares a cell. Instructions are compared unless there is a reason not to.
    pub(crate) fn cell(
        &mut self,
        cell: &str,
        before: &Figures,
        after: &Figures,
        refusal: Option<String>,
    ) {
        let amounts = |before: &BTreeMap<String, Amount>, after: &BTreeMap<String, Amount>| {
            let names: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
            let of = |all: &BTreeMap<String, Amount>, name: &str| {
                all.get(name).copied().unwrap_or_default()
            };
            let changes = names.into_iter().map(|figure| Change {
                cell: cell.to_owned(),
                values: Values::Amounts(of(before, &figure), of(after, &figure)),
                figure,
            });
            changes.filter(Change::is_one).collect::<Vec<_>>()
        };
        match refusal {
            Some(refusal) => drop(self.refusals.insert(refusal)),
            None => self.instructions.extend(amounts(&before.instructions, &after.instructions)),
        }
        self.events.extend(amounts(&before.events, &after.events));
        let names: BTreeSet<_> = before.answers.keys().chain(after.answers.keys()).collect();
        for name in names {
            let of = |all: &BTreeMap<String, String>| {
                all.get(name).map_or("nothing", |it| it).to_owned()
            };
            self.word(cell, name, &of(&before.answers), &of(&after.answers), false);
        }
    }

    /// Compares a word.
    pub(crate) fn word(
        &mut self,
        cell: &str,
        figure: &str,
        before: &str,
        after: &str,
        better: bool,
    ) {
        let values = Values::Words(before.to_owned(), after.to_owned(), better);
        let change = Change { cell: cell.to_owned(), figure: figure.to_owned(), values };
        if change.is_one() {
            self.words.push(change);
        }
    }

    /// Whether anything got worse: a number that rose, or an answer that is another.
    pub(crate) fn rose(&self) -> bool {
        self.all().any(Change::rose)
    }

    /// Whether nothing changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    fn all(&self) -> impl Iterator<Item = &Change> {
        self.instructions.iter().chain(&self.events).chain(&self.words)
    }

    /// What got worse, in a line.
    pub(crate) fn rises(&self) -> String {
        let rises: Vec<_> = self.all().filter(|change| change.rose()).map(Change::line).collect();
        rises.join("; ")
    }
}

impl Change {
    fn is_one(&self) -> bool {
        match &self.values {
            Values::Amounts(before, after) => before != after,
            Values::Words(before, after, _) => before != after,
        }
    }

    fn rose(&self) -> bool {
        match &self.values {
            Values::Amounts(before, after) => after > before,
            Values::Words(_, _, better) => !better,
        }
    }

    fn columns(&self) -> [String; 4] {
        let (before, after, by) = match &self.values {
            Values::Amounts(before, after) => {
                (before.to_string(), after.to_string(), difference(before.0, after.0))
            }
            Values::Words(before, after, _) => (before.clone(), after.clone(), String::new()),
        };
        [self.figure.clone(), before, after, by]
    }

    fn line(&self) -> String {
        let [figure, before, after, _] = self.columns();
        format!("{}, {figure}: {before} became {after}", self.cell)
    }
}

/// By how much, and by how much of what it was.
fn difference(before: f64, after: f64) -> String {
    let by = after - before;
    let (sign, by) = (if by < 0.0 { '-' } else { '+' }, Amount(by.abs()));
    if before == 0.0 {
        return format!("{sign}{by}");
    }
    format!("{sign}{by} ({sign}{:.2} %)", by.0 / before * 100.0)
}

impl From<u64> for Amount {
    fn from(value: u64) -> Self {
        Self(value as f64)
    }
}

impl Amount {
    /// Reads what a guest printed.
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&table::number(self.0.trunc() as u64))?;
        if self.0.fract() == 0.0 {
            return Ok(());
        }
        f.write_str(format!("{:.1}", self.0.fract()).trim_start_matches('0'))
    }
}

impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.fract() == 0.0 {
            true => serializer.serialize_u64(self.0 as u64),
            false => serializer.serialize_f64(self.0),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() && self.refusals.is_empty() {
            return writeln!(f, "nothing changed");
        }
        for (what, changes) in [
            ("Answers and outcomes", &self.words),
            ("Instructions", &self.instructions),
            ("Events", &self.events),
        ] {
            if changes.is_empty() {
                let refused = what == "Instructions" && !self.refusals.is_empty();
                let what_of = if refused { "not compared" } else { "nothing changed" };
                writeln!(f, "{what}: {what_of}")?;
                continue;
            }
            let rose = changes.iter().filter(|change| change.rose()).count();
            let less = changes.len() - rose;
            writeln!(f, "{what}: {rose} rose, {less} fell")?;
            let headings = ["cell", "figure", "before", "after", "change"];
            let mut table = table::table(&headings, &["figure"]);
            for change in changes {
                table.add_row(cells(&change.cell, change.columns()));
            }
            writeln!(f, "{}", drawn(table))?;
        }
        self.refusals.iter().try_for_each(|refusal| writeln!(f, "note: {refusal}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(ran: u64, exits: u64, sum: &str) -> Figures {
        let amounts = |name: &str, value: u64| BTreeMap::from([(name.to_owned(), value.into())]);
        Figures {
            instructions: amounts("ran", ran),
            events: amounts("exits", exits),
            answers: BTreeMap::from([("sum".to_owned(), sum.to_owned())]),
        }
    }

    fn compared(before: &Figures, after: &Figures, refusal: Option<&str>) -> Comparison {
        let mut comparison = Comparison::default();
        comparison.cell("a", before, after, refusal.map(str::to_owned));
        comparison
    }

    #[test]
    fn equal_figures_did_not_change() {
        let comparison = compared(&figures(1, 2, "3"), &figures(1, 2, "3"), None);
        assert!(comparison.is_empty() && !comparison.rose());
    }

    #[test]
    fn a_fall_is_a_change_but_no_rise() {
        let comparison = compared(&figures(4000, 2, "3"), &figures(3000, 2, "3"), None);
        assert!(!comparison.is_empty() && !comparison.rose());
        let text = comparison.to_string();
        assert!(text.contains("Instructions: 0 rose, 1 fell"), "{text}");
        assert!(text.contains("-1,000 (-25.00 %)"), "{text}");
        assert!(text.contains("Events: nothing changed"), "{text}");
    }

    #[test]
    fn another_answer_is_as_bad_as_a_rise() {
        let comparison = compared(&figures(1, 2, "3"), &figures(1, 2, "4"), None);
        assert_eq!(comparison.rises(), "a, sum: 3 became 4");
    }

    #[test]
    fn instructions_can_be_refused_and_events_cannot() {
        let refusal = Some("other compilers");
        let comparison = compared(&figures(1, 2, "3"), &figures(9, 2, "3"), refusal);
        assert!(comparison.is_empty());
        assert!(comparison.to_string().contains("Instructions: not compared"));
        assert!(comparison.to_string().contains("note: other compilers"));
        let comparison = compared(&figures(1, 2, "3"), &figures(9, 3, "3"), refusal);
        assert_eq!(comparison.rises(), "a, exits: 2 became 3");
    }

    #[test]
    fn what_was_not_there_was_nothing() {
        let comparison = compared(&Figures::default(), &figures(1, 2, "3"), None);
        assert_eq!(comparison.all().filter(|change| change.rose()).count(), 3);
    }

    #[test]
    fn amounts_keep_what_was_printed() {
        assert_eq!(Amount::parse("1838.8").unwrap().to_string(), "1,838.8");
        assert_eq!(serde_json::to_string(&Amount(7.0)).unwrap(), "7");
        assert_eq!(serde_json::from_str::<Amount>("7.5").unwrap(), Amount(7.5));
    }
}
