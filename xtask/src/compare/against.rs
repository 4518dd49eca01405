//! Results against earlier ones.

use crate::results::{Cell, Comparison, Figures, Results};

/// What a cell that is not there is.
const ABSENT: &str = "absent";
/// What a cell is that has its figures.
const MEASURED: &str = "measured";

/// What changed. Each cell is compared with the one of the same guest in the same place.
pub(super) fn compare(before: &Results, after: &Results) -> Comparison {
    let mut comparison = Comparison::default();
    for earlier in &before.cells {
        let now = after.cells.iter().find(|cell| cell.is_same(earlier));
        let name = earlier.name();
        if let Some(now) = now
            && now.error().or(earlier.error()).is_none()
        {
            let refusal = refusal(before, after, now);
            comparison.cell(&name, &Figures::of(earlier), &Figures::of(now), refusal);
        } else {
            let (was, is) = (state(Some(earlier)), state(now));
            comparison.word(&name, "cell", &was, &is, is == MEASURED);
        }
    }
    let known = |cell: &&Cell| before.cells.iter().any(|earlier| earlier.is_same(cell));
    for cell in after.cells.iter().filter(|cell| !known(cell)) {
        comparison.word(&cell.name(), "cell", ABSENT, &state(Some(cell)), cell.error().is_none());
    }
    comparison
}

fn state(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return ABSENT.to_owned() };
    cell.error().map_or_else(|| MEASURED.to_owned(), |error| format!("failed: {error}"))
}

/// Why the instructions of a cell do not compare, if they do not.
fn refusal(before: &Results, after: &Results, cell: &Cell) -> Option<String> {
    let (was, is) = (before.tools_of(cell), after.tools_of(cell));
    if was.is_some() && was == is {
        return None;
    }
    let shown = |tools: Option<(&str, &str)>| {
        tools.map_or_else(
            || "unknown tools".to_owned(),
            |(compiler, emulator)| format!("`{compiler}` and {} {emulator}", cell.place.emulator),
        )
    };
    Some(format!(
        "instructions on {}, {}, are not compared: they were counted with {}, and now with {}; events are compared",
        cell.place.emulator,
        cell.place.arch.name(),
        shown(was),
        shown(is)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Status;
    use crate::results::tests::small;

    #[test]
    fn results_against_themselves_have_no_changes() {
        assert!(compare(&small(), &small()).is_empty());
    }

    #[test]
    fn a_rise_is_found_in_its_cell() {
        let mut now = small();
        now.cells[1].ran = Some(201);
        assert_eq!(compare(&small(), &now).rises(), "hello, virt, shadow, ran: 200 became 201");
        assert!(!compare(&now, &small()).rose());
    }

    #[test]
    fn instructions_of_other_tools_are_refused_and_both_are_named() {
        let mut now = small();
        now.cells[1].ran = Some(201);
        now.tools[0].compiler = "rustc 2.0".to_owned();
        let comparison = compare(&small(), &now);
        assert!(comparison.is_empty());
        let text = comparison.to_string();
        assert!(text.contains("with `rustc 1.0` and QEMU 1.0, and now with `rustc 2.0`"), "{text}");
        now.cells[1].printed = 0;
        assert!(compare(&small(), &now).rises().contains("exit data_abort: 0 became 2"));
    }

    #[test]
    fn a_cell_that_fails_or_vanishes_is_worse() {
        let mut now = small();
        now.cells[0].status = Status::Failed { error: "it hung".to_owned() };
        assert!(compare(&small(), &now).rises().contains("measured became failed: it hung"));
        assert!(!compare(&now, &small()).rose());
        now.cells.remove(0);
        assert!(compare(&small(), &now).rises().contains("measured became absent"));
        assert!(!compare(&now, &small()).rose());
    }
}
