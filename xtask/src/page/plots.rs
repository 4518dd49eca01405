//! The plots: each a file, and here what they have in common.

pub(super) mod bars;
pub(super) mod histograms;
pub(super) mod modes;
pub(super) mod operations;
pub(super) mod scaling;
pub(super) mod spent;

use std::fmt::Write as _;

use super::html::{Table, escape};
use super::svg::Shape;
use crate::cli::Paging;
use crate::lab::Mode;

/// A section of the page: drawings, what they say, and the same as a table.
pub(super) struct Plot {
    /// Its name in the document.
    pub(super) id: &'static str,
    /// Its heading.
    pub(super) title: &'static str,
    /// What one can and what one cannot conclude, a paragraph each.
    pub(super) says: &'static [&'static str],
    /// The modes that its marks tell apart.
    pub(super) legend: &'static [Mode],
    /// What is shown where there is no panel.
    pub(super) nothing: &'static str,
    /// Its panels.
    pub(super) groups: Vec<Group>,
    /// The figures.
    pub(super) table: Table,
}

/// Panels that belong together.
pub(super) struct Group {
    /// What they have in common, where there are several groups.
    pub(super) title: Option<String>,
    /// The panels.
    pub(super) panels: Vec<Panel>,
    /// Whether they are seen at once.
    pub(super) open: bool,
}

/// One drawing.
pub(super) struct Panel {
    /// What it is of.
    pub(super) title: String,
    /// What must be known besides, a sentence each.
    pub(super) notes: Vec<String>,
    /// The drawing, unless there is nothing to draw.
    pub(super) svg: Option<String>,
}

/// How wide the drawing of a panel is, in its own units.
pub(super) const WIDTH: f64 = 280.0;

/// The class of a mode's marks.
pub(super) const fn class(mode: Mode) -> &'static str {
    mode.name()
}

/// What marks a mode's points.
pub(super) const fn shape(mode: Mode) -> Shape {
    match mode {
        Mode::Native => Shape::Circle,
        Mode::Under(Paging::Nested) => Shape::Square,
        Mode::Under(Paging::Shadow) => Shape::Diamond,
    }
}

/// How large the marks of a mode are: those drawn first are seen around those that stand on them.
pub(super) const fn radius(mode: Mode) -> f64 {
    match mode {
        Mode::Native => 6.0,
        Mode::Under(_) => 3.5,
    }
}

impl Plot {
    /// The whole section.
    pub(super) fn finish(&self) -> String {
        let Self { id, title, .. } = self;
        let mut out =
            format!("<section id=\"{id}\" class=\"plot\" aria-labelledby=\"{id}-title\">\n");
        let _ = writeln!(out, "<h2 id=\"{id}-title\">{}</h2>", escape(title));
        for paragraph in self.says {
            let _ = writeln!(out, "<p class=\"says\">{}</p>", escape(paragraph));
        }
        if self.groups.iter().all(|group| group.panels.is_empty()) {
            let _ = writeln!(out, "<p class=\"nothing\">{}</p>", escape(self.nothing));
        }
        legend(&mut out, self.legend);
        self.groups.iter().for_each(|group| group.write(&mut out));
        if !self.table.is_empty() {
            let table = self.table.finish();
            let _ = write!(
                out,
                "<details class=\"data\"><summary>The figures as a table</summary>\n{table}</details>\n"
            );
        }
        out + "</section>\n"
    }
}

/// Which marks and curves are a mode's.
pub(super) fn legend(out: &mut String, modes: &[Mode]) {
    if modes.is_empty() {
        return;
    }
    out.push_str("<ul class=\"legend\">\n");
    for &mode in modes {
        let mut swatch = super::svg::Svg::new(36.0);
        swatch.line(&format!("curve {}", class(mode)), (1.0, 8.0), (35.0, 8.0));
        swatch.marker(&format!("point {}", class(mode)), shape(mode), (18.0, 8.0), 5.0);
        let swatch = swatch.finish(16.0, mode.name());
        let _ = writeln!(out, "<li>{swatch} {}</li>", mode.name());
    }
    out.push_str("</ul>\n");
}

impl Group {
    fn write(&self, out: &mut String) {
        if self.panels.is_empty() {
            return;
        }
        if let Some(title) = &self.title {
            let open = if self.open { " open" } else { "" };
            let _ = writeln!(
                out,
                "<details class=\"group\"{open}><summary>{}</summary>",
                escape(title)
            );
        }
        out.push_str("<div class=\"panels\">\n");
        for panel in &self.panels {
            panel.write(out);
        }
        out.push_str("</div>\n");
        if self.title.is_some() {
            out.push_str("</details>\n");
        }
    }
}

impl Panel {
    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "<figure><figcaption>{}</figcaption>", escape(&self.title));
        if let Some(svg) = &self.svg {
            let _ = writeln!(out, "{svg}");
        }
        for note in &self.notes {
            let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(note));
        }
        out.push_str("</figure>\n");
    }
}
