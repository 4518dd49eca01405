//! What the tests are worth: takes one line after another out of the engine and says which test fails.
//!
//! `cargo run -p model --bin mutants [NAME…]` works on a copy of the sources, so nothing here is
//! touched. `mutants.txt` beside this crate's manifest is the list; its head says what it looks like. The
//! exit status is not zero if a mutant survives.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

/// How long the tests of a mutant may run.
const PATIENCE: Duration = Duration::from_secs(180);
/// Random guests for each property.
const CASES: &str = "48";
/// What is copied: the crates under test and these tests.
const CRATES: [&str; 3] = ["paging", "hv/probe", "tests/model"];

/// One change.
#[derive(Default)]
struct Mutant {
    /// What is taken away.
    name: String,
    /// In which file.
    file: String,
    /// Behind which text.
    within: String,
    /// The line.
    old: String,
    /// What stands there instead.
    new: String,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<bool> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..").canonicalize()?;
    let only: Vec<String> = env::args().skip(1).collect();
    let copy = env::temp_dir().join(format!("umbra-mutants-{}", std::process::id()));
    copy_tree(&root, &copy)?;
    let mutants = parse(&fs::read_to_string(here.join("mutants.txt"))?);
    let mut all_found = true;
    for mutant in mutants
        .iter()
        .filter(|it| only.is_empty() || only.iter().any(|name| it.name.contains(name)))
    {
        let path = copy.join(&mutant.file);
        let source = fs::read_to_string(&path)?;
        let Some(changed) = mutant.apply(&source) else {
            println!("{:<58} NOT APPLICABLE", mutant.name);
            all_found = false;
            continue;
        };
        fs::write(&path, changed)?;
        let verdict = test(&copy)?;
        fs::write(&path, source)?;
        all_found &= !verdict.is_empty();
        let verdict = match &verdict[..] {
            [] => "SURVIVED".to_owned(),
            [test] => test.clone(),
            [test, more @ ..] => format!("{test} and {} more", more.len()),
        };
        println!("{:<58} {verdict}", mutant.name);
    }
    fs::remove_dir_all(copy)?;
    Ok(all_found)
}

/// Copies the crates and makes a workspace of them.
fn copy_tree(root: &Path, copy: &Path) -> io::Result<()> {
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let mut lines = Vec::new();
    let mut inside = false;
    for line in manifest.lines() {
        let list = line.starts_with("members") || line.starts_with("default-members");
        inside |= list;
        if !inside {
            lines.push(line.to_owned());
        }
        if line.starts_with("members") {
            lines.push(format!("members = {CRATES:?}"));
        }
        inside &= !line.trim_end().ends_with(']');
    }
    fs::create_dir_all(copy)?;
    fs::write(copy.join("Cargo.toml"), lines.join("\n"))?;
    fs::copy(root.join("Cargo.lock"), copy.join("Cargo.lock"))?;
    for name in CRATES {
        let to = copy.join(name);
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        copy_folder(&root.join(name), &to)?;
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Runs the tests, first those that a person wrote. Returns the names of those that failed.
fn test(copy: &Path) -> io::Result<Vec<String>> {
    let examples =
        ["--test", "scenarios", "--test", "x64", "--test", "out_of_sync", "--test", "tree"];
    let failed = test_some(copy, &examples)?;
    if failed.is_empty() { test_some(copy, &["--test", "machines"]) } else { Ok(failed) }
}

/// Runs the tests that `which` selects.
fn test_some(copy: &Path, which: &[&str]) -> io::Result<Vec<String>> {
    let said: PathBuf = copy.join("said.txt");
    let mut child = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["test", "--quiet", "-p", "model", "--no-fail-fast"])
        .args(which)
        .current_dir(copy)
        .env("PROPTEST_CASES", CASES)
        .env("PROPTEST_MAX_SHRINK_ITERS", "0")
        .env("RUST_BACKTRACE", "0")
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .stdout(fs::File::create(&said)?)
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let since = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if since.elapsed() > PATIENCE {
            // The tests are children of cargo: all of them have to end.
            Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(50));
    };
    let said = fs::read_to_string(said)?;
    let mut failed: Vec<String> = said
        .lines()
        .filter_map(|line| line.strip_suffix(" --- FAILED"))
        .map(|line| line.trim_start_matches('.').to_owned())
        .collect();
    match status {
        None => failed.push("(hangs)".to_owned()),
        Some(status) if !status.success() && failed.is_empty() => {
            failed.push("(does not compile or aborts)".to_owned());
        }
        Some(_) => {}
    }
    Ok(failed)
}

/// The list: see its head.
fn parse(text: &str) -> Vec<Mutant> {
    let mut mutants: Vec<Mutant> = Vec::new();
    let mut file = String::new();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim().to_owned();
        match (word, mutants.last_mut()) {
            ("file", _) => file = rest,
            ("*", _) => {
                mutants.push(Mutant { name: rest, file: file.clone(), ..Mutant::default() });
            }
            ("in", Some(mutant)) => mutant.within = rest,
            ("-", Some(mutant)) => mutant.old = rest,
            ("+", Some(mutant)) => mutant.new = rest,
            _ => {}
        }
    }
    mutants
}

impl Mutant {
    /// The source with the change, if the line is there.
    fn apply(&self, source: &str) -> Option<String> {
        let start = source.find(&self.within)?;
        let (before, after) = source.split_at(start);
        let line = after.lines().find(|line| line.trim() == self.old)?;
        let indent = &line[..line.len() - line.trim_start().len()];
        let changed = after.replacen(line, &format!("{indent}{}", self.new), 1);
        Some(format!("{before}{changed}"))
    }
}
