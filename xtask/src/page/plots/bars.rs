//! Bars from left to right, each with its name and its figure.

use super::WIDTH;
use crate::page::scale::Linear;
use crate::page::svg::{Anchor, Svg};

/// What the figure beside a bar takes.
const FIGURE: f64 = 70.0;
/// How high a line of text is.
const LINE: f64 = 18.0;
/// How high a bar is.
const BAR: f64 = 12.0;

/// What stands in a line.
pub(super) enum Line {
    /// A heading.
    Heading(String),
    /// A bar.
    Bar {
        /// What it is of.
        name: String,
        /// The class of its mark.
        class: &'static str,
        /// How long it is.
        value: f64,
        /// The same in words.
        figure: String,
    },
    /// A bar that there should be.
    Missing {
        /// What it is of.
        name: String,
        /// Why there is none, in a word or two.
        why: &'static str,
    },
}

/// Where the names of bars are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// To the left of them.
    Beside,
    /// Above them.
    Above,
}

/// A drawing of bars.
pub(super) struct Bars<'a> {
    /// What a person sees in it.
    pub(super) label: &'a str,
    /// Where the names of bars are.
    pub(super) names: Names,
    /// What the axis is of, with its unit.
    pub(super) axis: &'a str,
    /// How a figure is written there.
    pub(super) tick: fn(f64) -> String,
    /// The longest bar that there may be.
    pub(super) max: f64,
    /// A figure that the others are compared with.
    pub(super) reference: Option<f64>,
    /// The lines, from above.
    pub(super) lines: &'a [Line],
}

impl Bars<'_> {
    /// Draws it.
    pub(super) fn draw(&self) -> String {
        let mut svg = Svg::new(WIDTH);
        let range = match self.names {
            Names::Beside => (54.0, WIDTH - FIGURE),
            Names::Above => (1.0, WIDTH - 14.0),
        };
        let scale = Linear::new(self.max, range);
        let bottom = 4.0 + self.lines.iter().map(|line| self.height(line)).sum::<f64>();
        for tick in scale.ticks() {
            let x = scale.at(tick);
            svg.line("grid", (x, 2.0), (x, bottom));
            let edge = self.names == Names::Above && tick == 0.0;
            let anchor = if edge { Anchor::Start } else { Anchor::Middle };
            svg.text("tick", (x, bottom + 14.0), anchor, &(self.tick)(tick));
        }
        let tops = self.lines.iter().scan(2.0, |y, line| {
            let top = *y;
            *y += self.height(line);
            Some(top)
        });
        let lines: Vec<_> = tops.zip(self.lines).collect();
        for (y, line) in &lines {
            self.mark(&mut svg, &scale, *y, line);
        }
        let zero = scale.at(0.0);
        svg.line("axis", (zero, 2.0), (zero, bottom));
        if let Some(reference) = self.reference {
            let x = scale.at(reference);
            svg.line("reference", (x, 2.0), (x, bottom));
        }
        // Last, so that no line runs through a text.
        for (y, line) in &lines {
            text(&mut svg, zero, *y, line);
        }
        let middle = f64::midpoint(range.0, range.1);
        svg.text("unit", (middle, bottom + 32.0), Anchor::Middle, self.axis);
        svg.finish(bottom + 38.0, self.label)
    }

    fn height(&self, line: &Line) -> f64 {
        match (line, self.names) {
            (Line::Heading(_), _) => LINE + 4.0,
            (_, Names::Beside) => LINE,
            (_, Names::Above) => LINE + BAR,
        }
    }

    fn mark(&self, svg: &mut Svg, scale: &Linear, y: f64, line: &Line) {
        let Line::Bar { class, value, .. } = line else { return };
        let top = match self.names {
            Names::Beside => y + 3.0,
            Names::Above => y + LINE,
        };
        let zero = scale.at(0.0);
        svg.rect(&format!("mark {class}"), (zero, top), (scale.at(*value) - zero, BAR - 2.0));
    }
}

/// The text of a line. `zero` is where bars begin.
fn text(svg: &mut Svg, zero: f64, y: f64, line: &Line) {
    let base = y + 13.0;
    match line {
        Line::Heading(text) => svg.text("strong", (0.0, base + 4.0), Anchor::Start, text),
        Line::Bar { name, figure, .. } => {
            svg.text("label", (0.0, base), Anchor::Start, name);
            svg.text("label", (WIDTH, base), Anchor::End, figure);
        }
        Line::Missing { name, why } => {
            svg.text("label", (0.0, base), Anchor::Start, name);
            svg.text("failed", (zero + 6.0, base), Anchor::Start, why);
        }
    }
}
