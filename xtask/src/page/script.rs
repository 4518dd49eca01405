//! The page's one script, and how a browser is told to run just that.
//!
//! The page makes sense without it: what it computes for the settings that a person chooses, `render` has
//! written for those that stand there at first. It is allowed by its hash, so nothing else in the page can
//! run, whatever a guest has printed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What runs.
const SCRIPT: &str = include_str!("crossing/crossing.js");

/// The script as an element.
pub(super) fn element() -> String {
    format!("<script>{SCRIPT}</script>\n")
}

/// What allows it in a content security policy.
pub(super) fn source() -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(SCRIPT)))
}

/// Figures for the script, as an element that is not run.
pub(super) fn figures(id: &str, figures: &Value) -> String {
    // A script ends at the first `</script`, also within a string.
    let text = figures.to_string().replace('<', "\\u003c");
    format!("<script type=\"application/json\" id=\"{id}\">{text}</script>\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_do_not_end_their_element() {
        let text = figures("f", &json!({ "name": "</script><b>" }));
        assert_eq!(text.matches("</script").count(), 1);
        assert!(text.contains(r#"{"name":"\u003c/script>\u003cb>"}"#));
    }

    #[test]
    fn the_script_has_one_end_and_one_hash() {
        assert_eq!(element().matches("</script").count(), 1);
        assert!(source().starts_with("'sha256-") && source().len() == 8 + 44 + 1);
    }
}
