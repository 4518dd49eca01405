//! `results.json`: reading what may be anything, and writing so that nothing is lost.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::{Results, SCHEMA, VERSION};

/// What is looked at before the rest: whose file it is.
#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
    version: Option<u32>,
}

impl Results {
    /// Reads a file that a person named.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let shown = file.display();
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read the results {shown}"))?;
        Self::parse(&text).with_context(|| format!("the results {shown} cannot be used"))
    }

    fn parse(text: &str) -> Result<Self> {
        let again = "`cargo xtask compare` makes a new file";
        let head: Head = serde_json::from_str(text)
            .with_context(|| format!("it is broken or was not written by this tool; {again}"))?;
        match (head.schema.as_deref(), head.version) {
            (Some(SCHEMA), Some(VERSION)) => {}
            (Some(SCHEMA), Some(version)) if version > VERSION => bail!(
                "its schema is version {version}, and this tool, which is older, reads version {VERSION}: use the \
                 Umbra that wrote it"
            ),
            (Some(SCHEMA), Some(version)) => {
                bail!(
                    "its schema is version {version}, and this tool reads version {VERSION}; {again}"
                )
            }
            _ => bail!("it does not say that its schema is `{SCHEMA}`; {again}"),
        }
        serde_json::from_str(text)
            .with_context(|| format!("it is broken, although its schema is `{SCHEMA}`; {again}"))
    }

    /// Writes the file: whoever looks finds the old one or the new one, whole.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        write(file, &(serde_json::to_string_pretty(self)? + "\n"))
    }
}

/// Puts a text in the place of a file at once, by way of a file beside it.
pub(crate) fn write(file: &Path, text: &str) -> Result<()> {
    let beside = beside(file);
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Fails unless [`write`] can be expected to work, before there is anything that could be lost. Makes
/// the folder if there is none. `option` is the one that names the file.
pub(crate) fn check_writable(file: &Path, option: &str) -> Result<()> {
    let beside = beside(file);
    let folder = file.parent().unwrap_or(Path::new(""));
    let tried = fs::create_dir_all(folder)
        .and_then(|()| fs::write(&beside, ""))
        .and_then(|()| fs::remove_file(&beside));
    tried.with_context(|| {
        format!("cannot write {}: name another place with {option}", file.display())
    })?;
    ensure!(!file.is_dir(), "{} is a folder: name a file with {option}", file.display());
    Ok(())
}

fn beside(file: &Path) -> PathBuf {
    let mut beside = OsString::from(file);
    beside.push(".new");
    beside.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{modelled, small};

    fn error(text: &str) -> String {
        format!("{:#}", Results::parse(text).unwrap_err())
    }

    #[test]
    fn what_is_written_can_be_read() {
        let text = serde_json::to_string(&small()).unwrap();
        let again = Results::parse(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        assert!(text.contains(r#""status":"failed","error":"no answer""#));
        assert!(text.contains(r#""mode":"shadow""#));
    }

    #[test]
    fn what_a_model_says_is_kept_and_may_be_absent() {
        let mut results = small();
        let text = serde_json::to_string(&results).unwrap();
        assert!(
            !["geometry", "models", "unmodelled"].iter().any(|key| text.contains(key)),
            "{text}"
        );
        results.geometry = mmu_model::presets::named("cortex-a76");
        results.cells[1].models = vec![modelled(None)];
        results.cells[2].unmodelled = Some("no plugins".to_owned());
        let text = serde_json::to_string(&results).unwrap();
        let again = Results::parse(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        assert_eq!(again.cells[1].models, results.cells[1].models);
    }

    #[test]
    fn what_is_no_file_of_ours_is_told_apart() {
        let whole = serde_json::to_string(&small()).unwrap();
        assert!(error(&whole[..whole.len() - 1]).contains("it is broken"));
        assert!(error("").contains("it is broken"));
        assert!(error("[]").contains("it is broken or was not written by this tool"));
        assert!(error(r#"{"budgets":[]}"#).contains("schema is `umbra-results`"));
        assert!(error(r#"{"schema":"umbra-results","version":0}"#).contains("makes a new file"));
        assert!(error(r#"{"schema":"umbra-results","version":2}"#).contains("which is older"));
        let foreign = whole.replace(r#""cells""#, r#""cell""#);
        assert!(error(&foreign).contains("missing field `cells`"));
    }
}
