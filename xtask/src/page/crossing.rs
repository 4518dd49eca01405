//! Where shadow paging begins to win over nested: what the model says of `tlb-chase`, weighed.
//!
//! The cost of one access is instructions × c_i + exits × c_e + table reads × c_r. What is counted comes
//! from the modelled runs; the weights are a person's, and so are the controls. Here the section is written
//! for the settings that stand in it at first; `crossing/crossing.js` does the same again for others. The
//! two must agree to the letter: [`Answer`] is what `cargo xtask test page` compares.

mod controls;
mod cost;
mod data;
mod defaults;
mod draw;

use std::fmt::Write as _;

use self::cost::Costs;
use self::data::Data;
use self::defaults::Defaults;
use super::html::{Table, escape};
use super::script;
use crate::cli::Paging;
use crate::lab::Mode;
use crate::results::Results;

/// The name of the section, and what the names of all in it begin with.
pub(crate) const ID: &str = "crossing";
/// Its heading.
pub(super) const TITLE: &str = "Where does shadow paging begin to win over nested?";
/// The guest whose runs these are.
pub(super) const GUEST: &str = "tlb-chase";
/// What it says.
const SAYS: [&str; 2] = [
    "The modelled cost of one access of tlb-chase, which follows pointers through a working set: \
     instructions × cᵢ + exits × cₑ + table reads × cᵣ, of guest and hypervisor together. Instructions, exits \
     and table reads are those of the modelled runs, for one access; the rows mixed-64 and mixed-1024 change a \
     mapping at every 64th and every 1,024th. What each costs is for you to say. Between two sizes that \
     ran, the curves are straight lines over the logarithm of the size, and cross where those do. Costs that \
     differ by 1 % or less are called the same.",
    "This is a model and no measurement, and its costs are cycles of no processor: there, instructions overlap \
     with each other and with walks, tables fall out of caches, and hardware walks ahead of need. It can say on \
     which side the advantage lies and what moves the point; it cannot say where the point lies on a \
     computer. The costs below are there to be replaced by those of yours. The choices begin where nested paging \
     reads most, with blocks of 4 KiB; Umbra's own default is 2 MiB, where it may never lose.",
];
/// What is said where the settings have no figures, and where the costs are none. The script says the same.
const NOTHING: &str = "There are no figures for these settings.";
pub(crate) const NO_COST: &str = "Each cost must be a number from 0 to 1,000,000.";

/// What is set on the page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// The word for the computer.
    pub(crate) place: String,
    /// The row.
    pub(crate) row: String,
    /// The block of nested paging, log2.
    pub(crate) block: u32,
    /// Whether there are walk caches.
    pub(crate) cached: bool,
    /// What things cost.
    pub(crate) costs: Costs,
}

/// What the page shows for its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The sentence.
    pub(crate) says: String,
    /// The drawing.
    pub(crate) drawing: String,
    /// The rows of the table.
    pub(crate) rows: String,
}

/// The section; none where no modelled guest has the rows.
pub(super) fn section(results: &Results) -> Option<String> {
    let data = Data::of(results);
    let defaults = Defaults::of(results)?;
    let settings = data.first(&defaults)?;
    let Answer { says, drawing, rows } = answer_of(&data, &settings);
    let mut out = format!(
        "<section id=\"{ID}\" class=\"apart plot\" aria-labelledby=\"{ID}-title\">\n\
         <h2 id=\"{ID}-title\">{TITLE}</h2>\n"
    );
    let _ = writeln!(out, "<p class=\"model\">{}</p>", super::model::label(results));
    for paragraph in SAYS {
        let _ = writeln!(out, "<p class=\"says\">{}</p>", escape(paragraph));
    }
    out.push_str("<div class=\"beside\">\n<div>\n");
    controls::write(&mut out, &data, &defaults, &settings);
    let _ = writeln!(
        out,
        "</div>\n<div>\n<p id=\"{ID}-answer\" class=\"answer\" role=\"status\">{says}</p>\n\
         <div id=\"{ID}-shown\">"
    );
    super::plots::legend(&mut out, &Mode::ALL[1..]);
    let _ = writeln!(
        out,
        "<figure><figcaption>Modelled cost of one access</figcaption>\n\
         <div id=\"{ID}-drawing\">{drawing}</div>\n</figure>\n</div>\n</div>\n</div>\n\
         <details id=\"{ID}-table\" class=\"data\"><summary>The figures as a table</summary>\n{}</details>",
        table().with(&rows)
    );
    out.push_str(&script::figures(&format!("{ID}-figures"), &data.json(&defaults)));
    out.push_str("</section>\n");
    Some(out)
}

/// What the page of these results shows for settings.
pub(crate) fn answer(results: &Results, settings: &Settings) -> Answer {
    answer_of(&Data::of(results), settings)
}

/// The settings that stand on the page at first.
pub(crate) fn first(results: &Results) -> Option<Settings> {
    Data::of(results).first(&Defaults::of(results)?)
}

/// What an exit costs at first on a computer.
pub(crate) fn exit_cost(results: &Results, place: &str) -> Option<f64> {
    let data = Data::of(results);
    let place = data.places.iter().find(|known| known.word == place)?;
    Some(Defaults::of(results)?.costs(place.arch).exit)
}

fn answer_of(data: &Data, settings: &Settings) -> Answer {
    let steps = data.steps(settings);
    let crossings = cost::crossings(&steps);
    let mut table = table();
    steps.iter().for_each(|step| table.row(step.figures()));
    Answer {
        says: cost::says(&steps, &crossings).unwrap_or_else(|| NOTHING.to_owned()),
        drawing: draw::draw(&steps, &crossings),
        rows: table.rows(),
    }
}

fn table() -> Table {
    let [nested, shadow] = [Paging::Nested, Paging::Shadow].map(|paging| {
        ["instructions", "exits", "table reads", "cost"]
            .map(|what| format!("{}: {what}", paging.name()))
    });
    let headings = std::iter::once("working set".to_owned()).chain(nested).chain(shadow);
    let headings: Vec<_> = headings.collect();
    let headings: Vec<_> = headings.iter().map(String::as_str).collect();
    Table::new("The modelled cost of one access", 1, &headings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::small;
    use crate::test::page::made_up;

    fn says(change: impl FnOnce(&mut Settings)) -> String {
        let results = made_up::results();
        let mut settings = first(&results).unwrap();
        change(&mut settings);
        answer(&results, &settings).says
    }

    #[test]
    fn without_the_rows_there_is_no_plot() {
        assert!(section(&small()).is_none());
        let mut results = made_up::results();
        results.cells.iter_mut().for_each(|cell| {
            cell.models.iter_mut().for_each(|model| model.lines.clear());
        });
        assert!(section(&results).is_none());
    }

    #[test]
    fn it_begins_with_mixed_rows_on_arm() {
        let settings = first(&made_up::results()).unwrap();
        assert_eq!((settings.place.as_str(), settings.row.as_str()), ("virt", "mixed-1024"));
        assert_eq!((settings.block, settings.cached), (12, true));
        let Costs { instruction, exit, read } = settings.costs;
        assert_eq!([instruction, exit, read], [1.0, 137.0, 9.0]);
    }

    #[test]
    fn it_says_where_and_whether_they_cross() {
        // One change in 1,024 accesses costs shadow paging 2,340 instructions and 2 exits more: 2.55
        // cycles an access. A walk reads 3 entries less, which is 27 cycles. None of the accesses walk at
        // 4 MiB, 0.375 of them at 8: the curves cross at 4 MiB × 2^(2.55 / 27 / 0.375).
        assert_eq!(says(|_| {}), "Shadow paging costs less from 4.8 MiB on.");
        assert_eq!(
            says(|settings| settings.row = "mixed-64".to_owned()),
            "There is no crossing: nested paging costs less at every size."
        );
        assert_eq!(says(|settings| settings.row = "none".to_owned()), NOTHING);
    }

    #[test]
    fn what_ran_in_one_mode_alone_has_no_answer() {
        let mut results = made_up::results();
        results.cells.retain(|cell| cell.place.mode != Mode::Under(Paging::Shadow));
        assert!(section(&results).is_none());
    }

    #[test]
    fn without_a_script_all_is_there() {
        let section = section(&made_up::results()).unwrap();
        for part in [
            "<fieldset class=\"controls\" disabled>",
            "from 4.8 MiB on",
            "<svg",
            "<th scope=\"row\">64 KiB</th>",
            "no measurement",
        ] {
            assert!(section.contains(part), "{part}");
        }
    }

    #[test]
    fn the_script_says_what_is_said_here() {
        let script = script::element();
        for said in [NOTHING, NO_COST, cost::NESTED, cost::SAME, cost::EQUAL, cost::LESS] {
            assert!(script.contains(said), "{said}");
        }
    }
}
