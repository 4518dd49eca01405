//! What an access costs, and where one cost falls below the other.

use super::data::Point;
use crate::page::scale::fixed;

/// What is said where no curve crosses the other. The script says the same.
pub(super) const NESTED: &str = "There is no crossing: nested paging costs less at every size.";
pub(super) const LESS: &str = "Shadow paging costs less at every size.";
pub(super) const EQUAL: &str = "Both cost the same at every size.";
/// And what is added where they meet at some size.
pub(super) const SAME: &str = "At some they cost the same.";

/// The share of a cost below which a difference is none: no model is better than that.
const NEAR: f64 = 0.01;

/// What things cost, in cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Costs {
    /// An instruction.
    pub(crate) instruction: f64,
    /// Leaving the guest and entering it again, beyond the hypervisor's instructions.
    pub(crate) exit: f64,
    /// A read of a table by a walk.
    pub(crate) read: f64,
}

impl Costs {
    /// What an access costs.
    pub(super) fn of(&self, counts: &Counts) -> f64 {
        counts.instructions * self.instruction + counts.exits * self.exit + counts.reads * self.read
    }
}

/// What is counted for one access.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counts {
    /// Instructions.
    pub(super) instructions: f64,
    /// Exits.
    pub(super) exits: f64,
    /// Reads of tables.
    pub(super) reads: f64,
}

/// A working set, and what an access to it costs under nested and under shadow paging.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// Its bytes, log2.
    pub(super) size: f64,
    /// What was counted.
    pub(super) counts: [Counts; 2],
    /// What that costs.
    pub(super) costs: [f64; 2],
}

/// Where the costs are the same, and on one side of it are not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Crossing {
    /// The working set, log2 of its bytes.
    pub(super) size: f64,
    /// What both cost there.
    pub(super) cost: f64,
    /// Whether shadow paging is what costs less from there on.
    pub(super) to_shadow: bool,
}

impl Step {
    /// The same size in both modes.
    pub(super) fn new([nested, shadow]: [&Point; 2], cached: bool, costs: &Costs) -> Self {
        let counts = [nested, shadow].map(|point| point.counts(cached));
        let costs = counts.each_ref().map(|counts| costs.of(counts));
        Self { size: nested.bytes().log2(), counts, costs }
    }

    /// By how much nested paging costs more.
    fn gap(&self) -> f64 {
        self.costs[0] - self.costs[1]
    }

    /// Whether shadow paging is what costs less; nothing where the costs are the same.
    fn shadow_wins(&self) -> Option<bool> {
        let [nested, shadow] = self.costs;
        let gap = self.gap();
        (gap.abs() > NEAR * nested.max(shadow)).then_some(gap > 0.0)
    }

    /// Its row of the table.
    pub(super) fn figures(&self) -> impl Iterator<Item = String> {
        let modes = self.counts.into_iter().zip(self.costs).flat_map(|(counts, cost)| {
            let Counts { instructions, exits, reads } = counts;
            [fixed(instructions, 2), fixed(exits, 4), fixed(reads, 2), fixed(cost, 2)]
        });
        std::iter::once(bytes(self.size)).chain(modes)
    }
}

/// Where the costs of steps cross, by lines between neighbours over the logarithm of the size.
pub(super) fn crossings(steps: &[Step]) -> Vec<Crossing> {
    let mut found = Vec::new();
    let mut shadow_wins = None;
    for (place, step) in steps.iter().enumerate() {
        let Some(to_shadow) = step.shadow_wins() else { continue };
        if shadow_wins == Some(!to_shadow) {
            let before = &steps[place - 1];
            let share = (before.gap() / (before.gap() - step.gap())).clamp(0.0, 1.0);
            let between = |from: f64, to: f64| from + share * (to - from);
            found.push(Crossing {
                size: between(before.size, step.size),
                cost: between(before.costs[0], step.costs[0]),
                to_shadow,
            });
        }
        shadow_wins = Some(to_shadow);
    }
    found
}

/// What a person is told of the crossings; nothing where there is no step.
pub(super) fn says(steps: &[Step], crossings: &[Crossing]) -> Option<String> {
    steps.first()?;
    if crossings.is_empty() {
        let Some(to_shadow) = steps.iter().find_map(Step::shadow_wins) else {
            return Some(EQUAL.to_owned());
        };
        let wins = if to_shadow { LESS } else { NESTED };
        let meet = steps.iter().any(|step| step.shadow_wins().is_none());
        return Some(if meet { format!("{wins} {SAME}") } else { wins.to_owned() });
    }
    let mut ranges = Vec::new();
    for (place, crossing) in crossings.iter().enumerate() {
        let size = bytes(crossing.size);
        let next = crossings.get(place + 1).map(|next| bytes(next.size));
        match (crossing.to_shadow, next) {
            (true, Some(next)) => ranges.push(format!("from {size} to {next}")),
            (true, None) => ranges.push(format!("from {size} on")),
            (false, _) if place == 0 => ranges.push(format!("up to {size}")),
            (false, _) => {}
        }
    }
    Some(format!("Shadow paging costs less {}.", ranges.join(" and ")))
}

/// A size for a person, of its log2.
pub(super) fn bytes(log2: f64) -> String {
    let (unit, name) = match log2 {
        30.0.. => (30.0, "GiB"),
        20.0.. => (20.0, "MiB"),
        _ => (10.0, "KiB"),
    };
    let figure = fixed((log2 - unit).exp2(), 1);
    format!("{} {name}", figure.strip_suffix(".0").unwrap_or(&figure))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps from 1 MiB on, each the double of the one before, with these costs.
    fn steps(costs: &[[f64; 2]]) -> Vec<Step> {
        let nothing = Counts { instructions: 0.0, exits: 0.0, reads: 0.0 };
        let step = |(place, &costs): (usize, &[f64; 2])| Step {
            size: 20.0 + place as f64,
            counts: [nothing; 2],
            costs,
        };
        costs.iter().enumerate().map(step).collect()
    }

    fn said(costs: &[[f64; 2]]) -> String {
        let steps = steps(costs);
        says(&steps, &crossings(&steps)).unwrap()
    }

    #[test]
    fn a_crossing_is_found_between_sizes() {
        let steps = steps(&[[1.0, 2.0], [2.0, 3.0], [6.0, 3.0]]);
        let found = crossings(&steps);
        assert_eq!(found, [Crossing { size: 21.25, cost: 3.0, to_shadow: true }]);
        assert_eq!(says(&steps, &found).unwrap(), "Shadow paging costs less from 2.4 MiB on.");
    }

    #[test]
    fn every_range_is_named() {
        let [less, more] = [[1.0, 2.0], [2.0, 1.0]];
        assert_eq!(said(&[more, less]), "Shadow paging costs less up to 1.4 MiB.");
        assert_eq!(
            said(&[more, less, more, less]),
            "Shadow paging costs less up to 1.4 MiB and from 2.8 MiB to 5.7 MiB."
        );
        assert_eq!(
            said(&[less, more, less, more]),
            "Shadow paging costs less from 1.4 MiB to 2.8 MiB and from 5.7 MiB on."
        );
    }

    #[test]
    fn where_nothing_crosses_that_is_said() {
        assert_eq!(said(&[[1.0, 2.0]; 3]), NESTED);
        assert_eq!(said(&[[2.0, 1.0]; 3]), LESS);
        assert_eq!(said(&[[1.0, 1.0]; 3]), EQUAL);
        assert_eq!(said(&[[1.0, 1.0], [2.0, 1.0]]), format!("{LESS} {SAME}"));
        assert_eq!(says(&[], &[]), None);
    }

    #[test]
    fn costs_that_meet_cross_where_they_part() {
        let meet = [1.0, 1.0];
        assert_eq!(
            said(&[[1.0, 2.0], meet, meet, [2.0, 1.0]]),
            "Shadow paging costs less from 4 MiB on."
        );
        assert_eq!(said(&[[1.0, 2.0], meet, [1.0, 2.0]]), format!("{NESTED} {SAME}"));
    }

    #[test]
    fn what_differs_by_next_to_nothing_is_the_same() {
        let (above, below) = ([9.0, 8.95], [9.0, 9.05]);
        assert_eq!(said(&[above, below, above]), EQUAL);
        assert_eq!(
            said(&[above, [1.0, 2.0], above, [2.0, 1.0]]),
            "Shadow paging costs less from 4 MiB on."
        );
    }

    #[test]
    fn sizes_are_read_with_ease() {
        assert_eq!(bytes(16.0), "64 KiB");
        assert_eq!(bytes(28.0), "256 MiB");
        assert_eq!(bytes(5.3_f64.log2() + 20.0), "5.3 MiB");
    }
}
