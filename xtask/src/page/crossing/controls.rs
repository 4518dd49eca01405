//! What a person can set: choices and costs, with the sources of the costs that stand there at first.

use std::fmt::Write as _;

use super::cost::Costs;
use super::data::Data;
use super::defaults::Defaults;
use super::{ID, Settings};
use crate::page::html::escape;
use crate::page::model::block;

/// The most that a cost can be. The script says so as well.
const MOST: u32 = 1_000_000;

/// Writes them. They are off until the script is there.
pub(super) fn write(out: &mut String, data: &Data, defaults: &Defaults, settings: &Settings) {
    out.push_str("<fieldset class=\"controls\" disabled>\n<legend>What is compared</legend>\n");
    let places = data.places.iter().map(|place| (place.word.clone(), place.name.clone()));
    select(out, "place", "Computer", places, &settings.place);
    let rows = data.rows().into_iter().map(|(row, name)| (row.to_owned(), name.to_owned()));
    select(out, "row", "Row", rows, &settings.row);
    let blocks = data.blocks().into_iter().map(|log2| (log2.to_string(), block(log2)));
    select(out, "block", "Blocks of nested paging", blocks, &settings.block.to_string());
    let walks = [("1", "those of the geometry"), ("0", "none")];
    let walks = walks.map(|(value, name)| (value.to_owned(), name.to_owned()));
    select(out, "cached", "Walk caches", walks.into_iter(), &u8::from(settings.cached).to_string());
    out.push_str("</fieldset>\n");
    costs(out, defaults, &settings.costs);
    out.push_str(
        "<noscript><p class=\"note\">The controls need the script of this page, which this browser does not \
         run. What is shown holds for what stands in them.</p></noscript>\n",
    );
}

fn select(
    out: &mut String,
    name: &str,
    title: &str,
    options: impl Iterator<Item = (String, String)>,
    chosen: &str,
) {
    let _ = write!(out, "<label for=\"{ID}-{name}\">{title}</label><select id=\"{ID}-{name}\">");
    for (value, name) in options {
        let selected = if value == chosen { " selected" } else { "" };
        let (value, name) = (escape(&value), escape(&name));
        let _ = write!(out, "<option value=\"{value}\"{selected}>{name}</option>");
    }
    out.push_str("</select>\n");
}

/// A number for each cost, and below it where the one that stands there comes from.
fn costs(out: &mut String, defaults: &Defaults, costs: &Costs) {
    out.push_str(
        "<fieldset class=\"controls\" disabled>\n<legend>What it costs, in cycles</legend>\n",
    );
    let rows = [
        ("instruction", "cᵢ, an instruction", costs.instruction),
        ("exit", "cₑ, an exit and the entry after it", costs.exit),
        ("read", "cᵣ, a table read", costs.read),
    ];
    for ((name, title, value), source) in rows.into_iter().zip(defaults.sources()) {
        let _ = writeln!(
            out,
            "<label for=\"{ID}-{name}\">{title}</label>\
             <input id=\"{ID}-{name}\" type=\"number\" min=\"0\" max=\"{MOST}\" step=\"any\" required \
             value=\"{value}\" autocomplete=\"off\" aria-describedby=\"{ID}-{name}-source\">\
             <p id=\"{ID}-{name}-source\" class=\"note\">{}</p>",
            escape(&source)
        );
    }
    out.push_str("</fieldset>\n");
}
