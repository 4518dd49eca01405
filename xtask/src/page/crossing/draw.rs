//! Both costs over the working set. The script draws the same, element by element.

use super::cost::{Crossing, Step, bytes};
use crate::cli::Paging;
use crate::lab::Mode;
use crate::page::plots::{class, radius, shape};
use crate::page::scale::{Linear, Log2, short};
use crate::page::svg::{Anchor, Shape, Svg};

/// How large the drawing is.
const SIZE: (f64, f64) = (420.0, 272.0);
/// Where its curves are: from the left and the top to the right and the bottom.
const AREA: [f64; 4] = [46.0, 38.0, 406.0, 224.0];
/// How many sizes have room for their names.
const NAMED: usize = 7;
/// What the name of a crossing takes.
const NAME: f64 = 56.0;
/// What a person sees.
const LABEL: &str =
    "Modelled cost of one access over the working set, under nested and under shadow paging";

/// Draws them, and marks the crossings.
pub(super) fn draw(steps: &[Step], crossings: &[Crossing]) -> String {
    let [left, top, right, bottom] = AREA;
    let mut svg = Svg::new(SIZE.0);
    let ends = steps.first().zip(steps.last());
    let ends = ends.map_or((0.0, 1.0), |(first, last)| (first.size, last.size));
    let across = Log2::new(ends, (left + 16.0, right - 16.0));
    let max = steps.iter().flat_map(|step| step.costs).fold(0.0, f64::max);
    let up = Linear::new(max, (bottom, top));
    for tick in up.ticks() {
        let y = up.at(tick);
        svg.line("grid", (left, y), (right, y));
        svg.text("tick", (left - 6.0, y + 4.0), Anchor::End, &short(tick, 2));
    }
    let every = steps.len().div_ceil(NAMED);
    for (place, step) in steps.iter().enumerate() {
        let x = across.at(step.size);
        svg.line("axis", (x, bottom), (x, bottom + 4.0));
        if place % every == 0 {
            svg.text("tick", (x, bottom + 18.0), Anchor::Middle, &bytes(step.size));
        }
    }
    svg.line("axis", (left, bottom), (right, bottom));
    for crossing in crossings {
        let x = across.at(crossing.size);
        svg.line("reference", (x, top), (x, bottom));
    }
    for (number, paging) in [Paging::Nested, Paging::Shadow].into_iter().enumerate() {
        let mode = Mode::Under(paging);
        let curve: Vec<_> =
            steps.iter().map(|step| (across.at(step.size), up.at(step.costs[number]))).collect();
        svg.polyline(&format!("curve {}", class(mode)), &curve);
        for &at in &curve {
            svg.marker(&format!("mark point {}", class(mode)), shape(mode), at, radius(mode));
        }
    }
    let mut free = 0.0;
    for crossing in crossings {
        let x = across.at(crossing.size);
        svg.marker("mark crossing", Shape::Circle, (x, up.at(crossing.cost)), 6.0);
        if x >= free {
            svg.text("strong", (x, top - 12.0), Anchor::Middle, &bytes(crossing.size));
            free = x + NAME;
        }
    }
    svg.text("unit", (0.0, 10.0), Anchor::Start, "modelled cost, in cycles of no processor");
    svg.text("unit", (f64::midpoint(left, right), bottom + 38.0), Anchor::Middle, "working set");
    svg.finish(SIZE.1, LABEL)
}
