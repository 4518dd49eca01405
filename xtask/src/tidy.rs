//! What no compiler checks: where `unsafe` stands, what was left for later, what names a machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::paths;

/// The files that may contain `unsafe`, with a word on why. A folder, with a slash at its end, stands
/// for all that is in it.
const UNSAFE_FILES: &str = "tests/unsafe-files.txt";
/// Where what is left undone is told.
const CAVEATS: &str = "CAVEATS.md";
/// Folders that are not ours.
const SKIPPED: [&str; 2] = ["target", ".git"];
/// Endings of the files that people write.
const TEXT: [&str; 9] = ["rs", "toml", "md", "txt", "s", "S", "ld", "lds", "sh"];
/// How a word of code looks where it makes something unsafe.
const UNSAFE: [&str; 6] =
    ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait", "#[unsafe("];
/// What marks work left for later.
const LATER: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
/// How a path on somebody's computer begins.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// A file of ours.
struct Source {
    /// Its path in the tree.
    path: String,
    text: String,
}

/// All files that people write.
fn sources() -> Result<Vec<Source>> {
    let root = paths::root();
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries =
            folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                if !SKIPPED.iter().any(|skipped| name == *skipped) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|ending| TEXT.iter().any(|text| ending == *text))
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files.iter().map(|file| read(&root, file)).collect()
}

fn read(root: &Path, file: &PathBuf) -> Result<Source> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let path = file.strip_prefix(root).unwrap_or(file).display().to_string();
    Ok(Source { path, text })
}

/// How often code in `text` is unsafe. Comments and strings that only speak of it do not count.
fn unsafe_count(text: &str) -> usize {
    let code = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    code.map(without_strings)
        .map(|line| UNSAFE.iter().map(|word| line.matches(word).count()).sum::<usize>())
        .sum()
}

/// A line with nothing between its quotation marks.
fn without_strings(line: &str) -> String {
    line.replace("\\\"", "").split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// Counts `unsafe` in each file, and refuses it where no word was said for it.
pub(crate) fn unsafe_files() -> Result<()> {
    let list = fs::read_to_string(paths::root().join(UNSAFE_FILES))
        .with_context(|| format!("cannot read {UNSAFE_FILES}"))?;
    let listed: Vec<_> =
        list.lines().filter_map(|line| line.split('#').next()?.split_whitespace().next()).collect();
    let counts: BTreeMap<_, _> = sources()?
        .into_iter()
        .filter(|source| source.path.ends_with(".rs"))
        .map(|source| (source.path, unsafe_count(&source.text)))
        .filter(|(_, count)| *count > 0)
        .collect();
    for (path, count) in &counts {
        println!("      {count:4} unsafe in {path}");
    }
    let covers = |entry: &str, path: &str| {
        entry == path || (entry.ends_with('/') && path.starts_with(entry))
    };
    let is_listed = |path: &str| listed.iter().any(|entry| covers(entry, path));
    let is_there = |entry: &str| counts.keys().any(|path| covers(entry, path));
    let new: Vec<_> = counts.keys().map(String::as_str).filter(|path| !is_listed(path)).collect();
    let gone: Vec<_> = listed.iter().copied().filter(|entry| !is_there(entry)).collect();
    if !new.is_empty() {
        bail!("unsafe code in files that {UNSAFE_FILES} does not list: {}", new.join(", "));
    }
    if !gone.is_empty() {
        bail!("{UNSAFE_FILES} lists files without unsafe code: {}", gone.join(", "));
    }
    Ok(())
}

/// Refuses work left for later that `CAVEATS.md` does not tell about.
pub(crate) fn nothing_left_for_later() -> Result<()> {
    let told = fs::read_to_string(paths::root().join(CAVEATS)).unwrap_or_default();
    refuse("is left for later and not told in CAVEATS.md", |source, line| {
        LATER.iter().any(|word| line.contains(word)) && !told.contains(&source.path)
    })
}

/// Refuses paths that only one computer has.
pub(crate) fn no_machine_paths() -> Result<()> {
    refuse("names a path of one computer", |_, line| {
        MACHINE_PATHS.iter().any(|path| line.contains(path))
    })
}

fn refuse(why: &str, is_wrong: impl Fn(&Source, &str) -> bool) -> Result<()> {
    let mut wrong = Vec::new();
    for source in sources()? {
        for (index, line) in source.text.lines().enumerate() {
            if is_wrong(&source, line) {
                wrong.push(format!("{}:{}", source.path, index + 1));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{} {why}", wrong.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_counts() {
        let word = "unsafe";
        let text = format!(
            "// {word} {{ a }}\nlet a = {word} {{ b }};\nlet s = \"\\\"{word} fn\";\n    {word} extern \"C\" fn c() {{}}\n"
        );
        assert_eq!(unsafe_count(&text), 2);
    }
}
