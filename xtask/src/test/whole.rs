//! The tool as a whole: what a person types, and what comes of it.

use std::fs;
use std::process::Output;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::input::tool;
use super::tally::Tally;
use crate::arch::Arch;
use crate::{golden, paths};

/// Fewer frames for tables than `mmu-ops` has tables.
const FEW_FRAMES: u32 = 64;

/// Runs all of them.
pub(super) fn all(tally: &mut Tally, arch: Arch) -> Result<()> {
    let mut case = |name: &str, case: fn(Arch) -> Result<()>| {
        tally.case(&format!("whole: {name}, {}", arch.name()), || case(arch));
    };
    case("the guest's status is the tool's", |arch| {
        let output = run(arch, &["--guest", "misbehave", "--append", "status 7"])?;
        ensure!(output.status.code() == Some(7), "it is {:?}", output.status.code());
        Ok(())
    });
    case("a hang ends at the timeout, with its report", hang);
    case("sampling keeps the counts", sampling);
    case("too few frames for tables", |arch| {
        let output = with_table_frames(arch, 1)?;
        ensure!(!output.status.success(), "it is not refused");
        let message = String::from_utf8_lossy(&output.stderr);
        ensure!(message.contains("table-frames"), "the error does not name them: {message}");
        Ok(())
    });
    case("few frames for tables, and tables given up for others", |arch| {
        let output = with_table_frames(arch, FEW_FRAMES)?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "it fails: {}", String::from_utf8_lossy(&output.stderr));
        ensure!(text.contains("umbra counter name=shadows_evicted"), "nothing was given up");
        Ok(())
    });
    case("a guest hands its stores over, and computes the same", |arch| {
        let options = ["--guest", "aim9-memory"];
        let text = handed_over(arch, &options)?;
        ensure!(text.contains("umbra counter name=batched_updates"), "nothing was handed over");
        Ok(())
    });
    case("lists of stores that are refused", |arch| {
        handed_over(arch, &["--guest", "misbehave", "--append", "lists"]).map(drop)
    });
    Ok(())
}

/// Runs a guest with the step that a guest has to know of, and checks that it computes what it does without.
/// Returns what it says.
fn handed_over(arch: Arch, options: &[&str]) -> Result<String> {
    let text = |steps: &[&str]| -> Result<String> {
        let mode = ["--paging", "shadow", "--probes", "counts", "--raw"];
        let output = run(arch, &[options, &mode, steps].concat())?;
        ensure!(output.status.success(), "it fails: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (with, without) = (text(&["--with", "paravirtual"])?, text(&[])?);
    let [one, other] = [&with, &without].map(|text| golden::computed(text));
    if let Some((line, a, b)) = golden::first_difference(&one, &other) {
        bail!("line {line}: `{a}` with it, `{b}` without");
    }
    Ok(with)
}

fn run(arch: Arch, options: &[&str]) -> Result<Output> {
    let mut command = tool(&["qemu", "--arch", arch.name()])?;
    command.args(options).output().context("this tool cannot run itself")
}

fn hang(arch: Arch) -> Result<()> {
    let options = ["--guest", "misbehave", "--append", "spin", "--timeout", "3", "--raw"];
    let output = run(arch, &options)?;
    ensure!(output.status.code() == Some(124), "the status is {:?}", output.status.code());
    let text = String::from_utf8_lossy(&output.stdout);
    for record in ["umbra vcpu ", "umbra verdict kind=stopped", "umbra end"] {
        ensure!(text.contains(record), "there is no `{record}`");
    }
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(message.contains("the time was up"), "it does not say why: {message}");
    Ok(())
}

/// Runs `mmu-ops` on the machine of the tree with so many frames for tables.
fn with_table_frames(arch: Arch, frames: u32) -> Result<Output> {
    let machine = fs::read_to_string(paths::guests().join(arch.manifest()))?;
    let file = paths::own().join(format!("frames-{}-{frames}.toml", arch.name()));
    fs::write(&file, format!("table-frames = {frames}\n{machine}"))?;
    let shown = file.display().to_string();
    run(
        arch,
        &[
            "--guest",
            "mmu-ops",
            "--paging",
            "shadow",
            "--probes",
            "counts",
            "--raw",
            "--machine",
            &shown,
        ],
    )
}

fn sampling(arch: Arch) -> Result<()> {
    let file = paths::own().join(format!("sampling-{}.json", arch.name()));
    let shown = file.display().to_string();
    let report = |rate: &str| -> Result<Value> {
        let output = run(arch, &["--sample", rate, "--json", &shown])?;
        ensure!(output.status.success(), "a rate of {rate} fails");
        let whole: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        Ok(whole["report"].clone())
    };
    let counts = |report: &Value| -> Vec<(Value, Value)> {
        let rows =
            ["reasons", "functions", "outcomes"].map(|rows| report[rows].as_array().cloned());
        rows.into_iter()
            .flatten()
            .flatten()
            .map(|row| (row["name"].clone(), row["count"].clone()))
            .collect()
    };
    let (all, some) = (report("1")?, report("10")?);
    ensure!(!counts(&all).is_empty() && counts(&all) == counts(&some), "the counts differ");
    let samples = |report: &Value| report["exits"]["samples"].as_u64().unwrap_or(0);
    ensure!(
        samples(&some) > 0 && samples(&some) < samples(&all) / 2,
        "{} of {} exits are samples",
        samples(&some),
        samples(&all)
    );
    Ok(())
}
