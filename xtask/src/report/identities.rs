//! What must hold in every report, or a figure in it is wrong.

use super::{Report, Row};

impl Report {
    /// What does not hold, a sentence each.
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut equal = |what: String, sum: u64, whole: u64| {
            if sum != whole {
                found.push(format!("{what}: {sum} is not {whole}"));
            }
        };
        if self.reasons.is_empty() {
            return found;
        }
        equal(
            "exits by reason sum to all exits".to_owned(),
            counts(&self.reasons),
            self.exits.total,
        );
        for function in &self.functions {
            let outcomes = self.outcomes_of(&function.name);
            if outcomes.clone().next().is_some() {
                let sum = outcomes.map(|row| row.count).sum();
                equal(
                    format!("outcomes of {} sum to its calls", function.name),
                    sum,
                    function.count,
                );
            }
        }
        if self.reasons.iter().any(|row| row.time.is_some()) {
            let timed = || self.reasons.iter().filter_map(|row| row.time.as_ref());
            equal(
                "samples by reason sum to all samples".to_owned(),
                timed().map(|time| time.samples).sum(),
                self.exits.samples,
            );
            equal(
                "times by reason sum to the time of all exits".to_owned(),
                timed().map(|time| time.inclusive).sum(),
                self.exits.time,
            );
            let exclusive = self.reasons.iter().chain(&self.functions);
            let exclusive = exclusive.filter_map(|row| row.time.as_ref()?.exclusive).sum();
            equal(
                "exclusive times sum to the time of all exits".to_owned(),
                exclusive,
                self.exits.time,
            );
        }
        found
    }

    /// What the calls of a function came to.
    pub(crate) fn outcomes_of<'a>(
        &'a self,
        function: &'a str,
    ) -> impl Iterator<Item = &'a Row> + Clone {
        self.outcomes.iter().filter(move |row| row.function.as_deref() == Some(function))
    }
}

fn counts(rows: &[Row]) -> u64 {
    rows.iter().map(|row| row.count).sum()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SMALL, parse};

    fn broken_by(from: &str, to: &str) -> String {
        assert!(SMALL.contains(from));
        parse(&SMALL.replace(from, to)).unwrap().violations().join("; ")
    }

    #[test]
    fn a_right_report_violates_nothing() {
        assert_eq!(parse(SMALL).unwrap().violations(), [""; 0]);
    }

    #[test]
    fn a_report_without_probes_violates_nothing() {
        assert_eq!(parse("umbra begin version=1\numbra end").unwrap().violations(), [""; 0]);
    }

    #[test]
    fn every_wrong_sum_is_found() {
        assert!(broken_by("total=3", "total=4").contains("exits by reason"));
        assert!(
            broken_by("name=mmio count=1", "name=mmio count=2")
                .contains("outcomes of sh_page_fault")
        );
        assert!(broken_by("incl=150 excl=150", "incl=150 excl=149").contains("exclusive times"));
        assert!(broken_by("samples=3 time", "samples=2 time").contains("samples by reason"));
        assert!(broken_by("sum=200", "sum=201").contains("times by reason"));
    }
}
