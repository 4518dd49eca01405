//! `compare` and `ablate` as a person runs them: what is refused, what is kept, what the status says.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::input::{refused, tool};
use super::tally::Tally;
use crate::arch::Arch;
use crate::computer::Program;
use crate::paths;
use crate::results::Results;
use crate::setup::emulator;

/// Results that are refused, and what the error must say besides the name of the file.
const FILES: [(&str, &str, &str); 6] = [
    ("that are cut off", r#"{"schema": "umbra-results", "#, "it is broken"),
    ("that are no JSON", "umbra begin version=1\n", "was not written by this tool"),
    ("of another program", r#"{"budgets": []}"#, "`umbra-results`"),
    ("of an older schema", r#"{"schema": "umbra-results", "version": 0}"#, "makes a new file"),
    ("of a newer schema", r#"{"schema": "umbra-results", "version": 2}"#, "use the Umbra that"),
    (
        "without cells",
        r#"{"schema": "umbra-results", "version": 1, "switches": []}"#,
        "it is broken, although",
    ),
];

/// Runs what needs no emulator.
pub(super) fn inputs(tally: &mut Tally) -> Result<()> {
    let folder = folder("inputs")?;
    for (name, text, says) in FILES {
        let file = folder.join("results.json");
        fs::write(&file, text)?;
        for option in ["--against", "--from"] {
            tally.case(&format!("input: results {name}, {option}"), || {
                refused(tool(&["compare"])?.arg(option).arg(&file), says)?;
                refused(tool(&["compare"])?.arg(option).arg(&file), &file.display().to_string())
            });
        }
    }
    let elsewhere = folder.join("elsewhere.json");
    fs::write(&elsewhere, of_unknown_cell().to_string())?;
    tally.case("input: results of a cell that is nowhere", || {
        refused(tool(&["compare"])?.arg("--against").arg(&elsewhere), "`hello, z80, shadow`")
    });
    Ok(())
}

/// Runs what boots guests.
pub(super) fn all(tally: &mut Tally) {
    tally.case("compare: the same again, and less before", again);
    tally.case("compare: Ctrl-C keeps what was measured", interrupted);
    tally.case("compare: an emulator that dies takes its cells with it, and no others", dying);
}

/// Two comparisons of one build have no differences, and one that was cheaper is noticed.
fn again() -> Result<()> {
    let folder = folder("compare")?;
    let file = folder.join("results.json");
    let output = hello(&folder, None, None)?;
    ensure!(output.status.success(), "it fails: {}", said(&output));
    let output = hello(&folder, Some(&file), None)?;
    ensure!(output.status.success(), "two runs differ: {}", said(&output));
    ensure!(said(&output).contains("nothing changed"), "it does not say so: {}", said(&output));
    ensure!(folder.join("index.html").is_file(), "there is no page");
    ensure!(folder.join("results-before.json").is_file(), "the first results are lost");

    let mut cheaper: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    let ran = cheaper["cells"][2]["ran"].as_u64().context("a cell has no total")?;
    cheaper["cells"][2]["ran"] = json!(ran - 1);
    let output = against(&folder, &cheaper, &file)?;
    ensure!(output.status.code() == Some(1), "a rise is no failure: {}", said(&output));
    ensure!(said(&output).contains("Instructions: 1 rose, 0 fell"), "{}", said(&output));

    cheaper["tools"][0]["compiler"] = json!("rustc 1.0.0");
    let output = against(&folder, &cheaper, &file)?;
    ensure!(output.status.success(), "compilers are mixed up: {}", said(&output));
    ensure!(said(&output).contains("with `rustc 1.0.0` and QEMU"), "{}", said(&output));
    Ok(())
}

/// Ctrl-C when there is a first cell, and others are to come.
fn interrupted() -> Result<()> {
    let folder = folder("interrupted")?;
    let file = folder.join("results.json");
    let mut command = tool(&["compare", "--guest", "hello,memory-motion", "--arch", "aarch64"])?;
    command.arg("--out").arg(&folder).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().context("this tool cannot run itself")?;
    while !file.is_file() && child.try_wait()?.is_none() {
        thread::sleep(Duration::from_millis(20));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    let status = child.wait()?;
    ensure!(status.code() == Some(130), "the status is {status}");
    let results = Results::read(&file)?;
    ensure!(!results.complete, "the results pretend to be complete");
    ensure!((1..6).contains(&results.cells.len()), "there are {} cells", results.cells.len());
    ensure!(folder.join("index.html").is_file(), "there is no page");
    Ok(())
}

/// An emulator that ends at once where a hypervisor should run.
fn dying() -> Result<()> {
    let folder = folder("dying")?;
    let program = Program::Qemu(Arch::Aarch64);
    let real = emulator::look(program).map_err(|why| anyhow::anyhow!(why))?;
    let script = folder.join("emulator");
    let real = real.program.display();
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in\n*-S*) ;;\n*virtualization=on*) echo no more >&2; exit 3 ;;\nesac\nexec {real} \"$@\"\n"
    );
    fs::write(&script, text)?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    let output = hello(&folder, None, Some((program.variable(), &script)))?;
    ensure!(output.status.code() == Some(1), "the status is {:?}", output.status.code());
    let message = String::from_utf8_lossy(&output.stderr);
    let says = "hello, virt, shadow failed: with probes off: QEMU failed (exit status: 3): no more";
    ensure!(message.contains(says), "the cell or the reason is not named: {message}");
    let results: Value = serde_json::from_str(&fs::read_to_string(folder.join("results.json"))?)?;
    let status: Vec<_> = (0..3).map(|cell| results["cells"][cell]["status"].as_str()).collect();
    ensure!(status == [Some("ok"), Some("failed"), Some("failed")], "the cells are {status:?}");
    Ok(())
}

/// Compares `hello` on Arm.
fn hello(folder: &Path, against: Option<&Path>, with: Option<(&str, &Path)>) -> Result<Output> {
    let mut command = tool(&["compare", "--guest", "hello", "--arch", "aarch64"])?;
    command.arg("--out").arg(folder);
    command.args(against.into_iter().flat_map(|file| [Path::new("--against"), file]));
    command.envs(with);
    command.output().context("this tool cannot run itself")
}

/// Sets results against others without running anything.
fn against(folder: &Path, earlier: &Value, now: &Path) -> Result<Output> {
    let file = folder.join("earlier.json");
    fs::write(&file, earlier.to_string())?;
    let mut command = tool(&["compare"])?;
    command.arg("--from").arg(now).arg("--against").arg(file);
    command.output().context("this tool cannot run itself")
}

pub(super) fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

/// Results with a cell that no computer of ours can run.
fn of_unknown_cell() -> Value {
    let place =
        json!({ "arch": "x86_64", "computer": "z80", "emulator": "Bochs", "mode": "shadow" });
    let cell = json!({
        "guest": "hello", "place": place, "status": "ok", "unit": "instructions", "ran": 1, "lines": [],
        "exits": null, "printed": 0, "report": null,
    });
    json!({
        "schema": "umbra-results", "version": 1,
        "umbra": { "version": "0.1.0", "commit": null, "dirty": null },
        "tools": [], "switches": [], "complete": true, "cells": [cell],
    })
}

/// An empty folder.
pub(super) fn folder(name: &str) -> Result<PathBuf> {
    let folder = paths::own().join("test").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
