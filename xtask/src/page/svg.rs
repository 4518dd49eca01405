//! Drawings, element by element.
//!
//! A drawing has a size of its own, in units of which one is about a pixel, and is shown as wide as its
//! panel. Panels keep near that size at every width of the page: there are more or fewer of them side by
//! side. So text stays readable, and what is drawn here is right everywhere.

use std::fmt::Write as _;

use super::html::escape;

/// Which point of a text its place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

impl Anchor {
    const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// What marks a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A circle.
    Circle,
    /// A square.
    Square,
    /// A square on its corner.
    Diamond,
}

/// A drawing that grows downwards.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    body: String,
}

impl Svg {
    /// An empty one of this width.
    pub(super) fn new(width: f64) -> Self {
        Self { width, body: String::new() }
    }

    /// A rectangle.
    pub(super) fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let (x, y, width, height) = (unit(x), unit(y), unit(width.max(0.0)), unit(height));
        let _ = write!(
            self.body,
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}"/>"#
        );
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let (x1, y1, x2, y2) = (unit(x1), unit(y1), unit(x2), unit(y2));
        let _ =
            write!(self.body, r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#);
    }

    /// A line through points.
    pub(super) fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<_> =
            points.iter().map(|&(x, y)| format!("{},{}", unit(x), unit(y))).collect();
        let _ = write!(self.body, r#"<polyline class="{class}" points="{}"/>"#, points.join(" "));
    }

    /// Columns from a common base, as one shape: where each begins, its width, and its height.
    pub(super) fn columns(&mut self, class: &str, base: f64, columns: &[(f64, f64, f64)]) {
        let path: String = columns
            .iter()
            .map(|&(x, width, height)| {
                let (x, base, width, height) = (unit(x), unit(base), unit(width), unit(height));
                format!("M{x} {base}v-{height}h{width}v{height}z")
            })
            .collect();
        let _ = write!(self.body, r#"<path class="{class}" d="{path}"/>"#);
    }

    /// The mark of a point, which reaches `radius` from it.
    pub(super) fn marker(&mut self, class: &str, shape: Shape, (x, y): (f64, f64), radius: f64) {
        let (left, top, side) = (unit(x - radius), unit(y - radius), unit(2.0 * radius));
        let (x, y, radius) = (unit(x), unit(y), unit(radius));
        let _ = match shape {
            Shape::Circle => {
                write!(self.body, r#"<circle class="{class}" cx="{x}" cy="{y}" r="{radius}"/>"#)
            }
            Shape::Square => write!(
                self.body,
                r#"<rect class="{class}" x="{left}" y="{top}" width="{side}" height="{side}"/>"#
            ),
            Shape::Diamond => write!(
                self.body,
                r#"<path class="{class}" d="M{left} {y}l{radius} -{radius} {radius} {radius} -{radius} {radius}z"/>"#
            ),
        };
    }

    /// A text whose `anchor` stands at a point of its base line.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let (x, y, anchor, text) = (unit(x), unit(y), anchor.name(), escape(text));
        let _ = write!(
            self.body,
            r#"<text class="{class}" x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>"#
        );
    }

    /// The whole, as high as it became. `label` says what a person sees in it.
    pub(super) fn finish(self, height: f64, label: &str) -> String {
        let (width, height, label) = (unit(self.width), unit(height), escape(label));
        let body = self.body;
        format!(
            r#"<svg role="img" aria-label="{label}" viewBox="0 0 {width} {height}">{body}</svg>"#
        )
    }
}

/// A length with a tenth of a unit at most.
fn unit(value: f64) -> String {
    super::scale::decimals(value, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_escaped() {
        let mut svg = Svg::new(10.0);
        svg.text("label", (1.0, 2.25), Anchor::End, "a<b & \"c\"");
        let text = svg.finish(5.0, "<label>");
        assert!(text.contains(">a&lt;b &amp; &quot;c&quot;</text>"));
        assert!(text.contains(r#"aria-label="&lt;label&gt;" viewBox="0 0 10 5""#));
    }

    #[test]
    fn columns_are_one_shape() {
        let mut svg = Svg::new(10.0);
        svg.columns("mark", 9.0, &[(0.0, 2.0, 4.0), (2.0, 2.0, 1.0)]);
        assert!(svg.finish(9.0, "").contains(r#"d="M0 9v-4h2v4zM2 9v-1h2v1z""#));
    }
}
