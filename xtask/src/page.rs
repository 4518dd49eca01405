//! What `cargo xtask compare` measured, as a page for a browser.
//!
//! One file that needs nothing else: no network, no other file. It opens from the disk, and a browser is
//! told to load nothing, and to run nothing but the [`script`] of the one plot that has controls. Drawings
//! are SVG in the text ([`svg`]), small ones side by side, so that the page reads the same on a telephone;
//! each plot has its figures as a table as well, and says what cannot be concluded from it. What a model
//! says is apart from what was measured. `cargo xtask test page` looks at it all in a browser.

mod cells;
pub(crate) mod crossing;
mod html;
mod model;
mod papers;
mod plots;
mod scale;
mod script;
mod svg;

use std::fmt::Write as _;

use self::cells::place;
use self::html::escape;
use self::plots::{Plot, histograms, modes, operations, scaling, spent};
use crate::results::Results;

const STYLE: &str = include_str!("page/style.css");
const TITLE: &str = "Umbra: native, nested and shadow paging";

/// The names of the plots.
pub(crate) const PLOTS: [&str; 6] =
    ["totals", "operations", "exits", "spent", "histograms", "scaling"];

/// The page of these results.
pub(crate) fn render(results: &Results) -> String {
    let plots = plots(results);
    let modelled = [
        (model::ID, model::TITLE, model::section(results)),
        (crossing::ID, crossing::TITLE, crossing::section(results)),
    ];
    let modelled = modelled.into_iter().filter_map(|(id, title, html)| Some((id, title, html?)));
    let modelled: Vec<_> = modelled.collect();
    let is_scripted = modelled.iter().any(|(id, ..)| *id == crossing::ID);
    let scripts = is_scripted.then(|| format!("; script-src {}", script::source()));
    let scripts = scripts.unwrap_or_default();
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'{scripts}\">\n\
         <title>{TITLE}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    let sections = plots.iter().map(|plot| (plot.id, plot.title));
    let sections = sections.chain(modelled.iter().map(|(id, title, _)| (*id, *title)));
    header(&mut out, results, sections);
    out.push_str("<main>\n");
    for plot in &plots {
        out.push_str(&plot.finish());
    }
    for (.., section) in &modelled {
        out.push_str(section);
    }
    out.push_str(papers::section(results).as_deref().unwrap_or_default());
    out.push_str("</main>\n");
    footer(&mut out, results);
    if is_scripted {
        out.push_str(&script::element());
    }
    out + "</body>\n</html>\n"
}

/// The plots, in their order.
fn plots(results: &Results) -> Vec<Plot> {
    vec![
        modes::totals(results),
        operations::operations(results),
        modes::exits(results),
        spent::spent(results),
        histograms::histograms(results),
        scaling::scaling(results),
    ]
}

fn header<'a>(
    out: &mut String,
    results: &Results,
    sections: impl Iterator<Item = (&'a str, &'a str)>,
) {
    let _ = writeln!(out, "<header>\n<h1>{TITLE}</h1>");
    let _ = writeln!(
        out,
        "<p>The same guests on the bare emulated machine, under nested paging and under shadow paging. Figures are \
         executed instructions and events under an emulator. They are exact and repeat; none of them is a time, \
         and none counts cycles.</p>"
    );
    if !results.complete {
        out.push_str(
            "<p class=\"warning\">These results are incomplete: the comparison was stopped before its end.</p>\n",
        );
    }
    let failed: Vec<_> = results
        .cells
        .iter()
        .filter_map(|cell| {
            Some(format!("{} on {}: {}", cell.guest, place(&cell.place), cell.error()?))
        })
        .collect();
    if !failed.is_empty() {
        let _ = writeln!(
            out,
            "<p class=\"warning\">{} of {} cells failed:</p>\n<ul class=\"warning\">",
            failed.len(),
            results.cells.len()
        );
        for cell in failed {
            let _ = writeln!(out, "<li>{}</li>", escape(&cell));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("<nav aria-label=\"Plots\">\n<ul>\n");
    for (id, title) in sections {
        let _ = writeln!(out, "<li><a href=\"#{id}\">{}</a></li>", escape(title));
    }
    out.push_str("</ul>\n</nav>\n</header>\n");
}

/// What it was measured with.
fn footer(out: &mut String, results: &Results) {
    let source = &results.umbra;
    let commit = match (&source.commit, source.dirty) {
        (None, _) => "unknown".to_owned(),
        (Some(commit), Some(true)) => format!("{commit}, with changes"),
        (Some(commit), _) => commit.clone(),
    };
    let mut facts =
        vec![("Umbra".to_owned(), source.version.clone()), ("Commit".to_owned(), commit)];
    for tools in &results.tools {
        let arch = tools.arch.name();
        facts.push((format!("Compiler, {arch}"), tools.compiler.clone()));
        for emulator in &tools.emulators {
            facts.push((format!("{}, {arch}", emulator.name), emulator.version.clone()));
        }
    }
    let steps = match results.switches.as_slice() {
        [] => "none".to_owned(),
        steps => steps.join(", "),
    };
    facts.push(("Steps of shadow paging".to_owned(), steps));
    out.push_str("<footer>\n<dl>\n");
    for (what, value) in &facts {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(what), escape(value));
    }
    out.push_str(
        "</dl>\n<p>Counts of instructions belong to these versions of compiler and emulators. Made by \
         <code>cargo xtask compare</code>; the same figures are in results.json beside this file.</p>\n</footer>\n",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Mode;
    use crate::results::tests::small;
    use crate::test::page::made_up;

    #[test]
    fn the_plots_are_those_that_are_named() {
        assert_eq!(plots(&small()).iter().map(|plot| plot.id).collect::<Vec<_>>(), PLOTS);
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        let page = render(&small());
        for way in ["://", "src=", "url(", "@import", "<script", "<link"] {
            assert!(!page.contains(way), "{way}");
        }
    }

    #[test]
    fn one_script_runs_and_only_where_there_is_something_for_it() {
        let page = render(&made_up::results());
        assert!(page.contains(&format!("; script-src {}\">", script::source())));
        assert_eq!(page.matches("<script>").count(), 1);
        assert!(!render(&small()).contains("script-src"));
        let mut results = made_up::results();
        results.cells.retain(|cell| cell.place.mode == Mode::Native);
        let page = render(&results);
        assert!(page.contains("<section id=\"model\"") && !page.contains("script"));
    }

    #[test]
    fn a_failed_cell_is_shown_with_its_error() {
        let page = render(&small());
        assert!(page.contains("1 of 3 cells failed"));
        assert!(page.contains("hello on x86 VT-x without EPT, Bochs, shadow: no answer"));
        assert!(page.contains(">failed</text>"));
    }

    #[test]
    fn what_was_not_measured_is_said() {
        let page = render(&small());
        assert!(page.contains("The guest scale is not among the cells."));
        let mut results = small();
        results.cells.retain(|cell| cell.place.mode == Mode::Native);
        assert!(render(&results).contains("No cell has counted exits."));
        results.cells.clear();
        assert!(render(&results).contains("No cell has a total"));
        let mut results = small();
        results.cells.retain(|cell| cell.place.mode != Mode::Native);
        assert!(render(&results).contains(">no native run</text>"));
    }

    #[test]
    fn a_report_without_functions_or_times_is_shown() {
        let mut results = small();
        for report in results.cells.iter_mut().filter_map(|cell| cell.report.as_mut()) {
            report.functions.clear();
            report.outcomes.clear();
            report
                .reasons
                .iter_mut()
                .for_each(|row| (row.time, row.histogram) = (None, Vec::new()));
        }
        let page = render(&results);
        assert!(page.contains("No cell has measured times."));
        assert!(page.contains("No cell has histograms."));
    }
}
