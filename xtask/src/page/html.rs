//! Text and tables of the page.

use std::fmt::Write as _;

/// A text in which nothing is taken for a tag.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A table: words to the left, figures to the right.
#[derive(Debug)]
pub(super) struct Table {
    caption: String,
    /// How many columns hold words.
    words: usize,
    head: String,
    body: String,
    rows: usize,
}

impl Table {
    /// An empty one. Its first `words` columns hold words, the others figures.
    pub(super) fn new(caption: &str, words: usize, headings: &[&str]) -> Self {
        let mut table = Self {
            caption: escape(caption),
            words,
            head: String::new(),
            body: String::new(),
            rows: 0,
        };
        for (place, heading) in headings.iter().enumerate() {
            let class = table.class(place);
            let _ = write!(table.head, r#"<th scope="col"{class}>{}</th>"#, escape(heading));
        }
        table
    }

    fn class(&self, place: usize) -> &'static str {
        if place < self.words { "" } else { r#" class="figure""# }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.body.push_str("<tr>");
        for (place, cell) in cells.into_iter().enumerate() {
            let class = self.class(place);
            let _ = match place {
                0 => write!(self.body, r#"<th scope="row">{}</th>"#, escape(&cell)),
                _ => write!(self.body, "<td{class}>{}</td>", escape(&cell)),
            };
        }
        self.body.push_str("</tr>\n");
        self.rows += 1;
    }

    /// Whether it has no row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Its rows alone.
    pub(super) fn rows(self) -> String {
        self.body
    }

    /// The whole, which scrolls sideways within the page where it is wider.
    pub(super) fn finish(&self) -> String {
        self.with(&self.body)
    }

    /// The whole, with these rows.
    pub(super) fn with(&self, body: &str) -> String {
        let Self { caption, head, .. } = self;
        format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table>\
             <caption>{caption}</caption><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_to_the_right_and_nothing_is_a_tag() {
        let mut table = Table::new("t", 1, &["name", "count"]);
        assert!(table.is_empty());
        table.row(["<b>".to_owned(), "7".to_owned()]);
        let text = table.finish();
        assert!(text.contains(r#"<th scope="row">&lt;b&gt;</th><td class="figure">7</td>"#));
    }
}
