//! The tool as a whole: what a person types, and what comes of it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::input::tool;
use super::tally::Tally;
use crate::paths;

/// A program for any address: prints `!` on the PL011 and calls SYSTEM_OFF (PSCI, by HVC).
const PROGRAM: [u32; 6] = [
    0x52a1_2001, // mov w1, #0x09000000
    0x5280_0422, // mov w2, #'!'
    0xb900_0022, // str w2, [x1]
    0x52b0_8000, // mov w0, #0x84000000
    0x7280_0100, // movk w0, #8
    0xd400_0002, // hvc #0
];
/// `b #64`: over the header of an arm64 Image.
const OVER_HEADER: u32 = 0x1400_0010;
/// Words of that header.
const HEADER: usize = 16;
/// Where in it the low words of `text_offset` and `image_size` stand, and the magic number.
const TEXT_OFFSET: usize = 2;
const IMAGE_SIZE: usize = 4;
const MAGIC: usize = 14;

/// Fewer frames for tables than `mmu-ops` has tables.
const FEW_FRAMES: u32 = 64;

/// Ways to run an image: options.
const MODES: [(&str, &[&str]); 3] = [
    ("native", &["--native"]),
    ("nested", &["--paging", "nested"]),
    ("shadow", &["--paging", "shadow"]),
];

/// Runs all of them.
pub(super) fn all(tally: &mut Tally) -> Result<()> {
    let flat = write("flat.bin", &PROGRAM)?;
    let image = write("arm64.img", &arm64_image())?;
    for (mode, options) in MODES {
        for (kind, file) in [("flat binary", &flat), ("arm64 Image", &image)] {
            tally.case(&format!("image: {kind}, {mode}"), || {
                let output = run(
                    &[options, &["--mem", "64MiB", "--initrd", "Cargo.toml"]].concat(),
                    Some(file),
                )?;
                let text = String::from_utf8_lossy(&output.stdout);
                ensure!(
                    output.status.success(),
                    "it fails: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                ensure!(text.contains('!'), "it prints nothing");
                Ok(())
            });
        }
    }
    tally.case("whole: the guest's status is the tool's", || {
        let output = run(&["--guest", "misbehave", "--append", "status 7"], None)?;
        ensure!(output.status.code() == Some(7), "it is {:?}", output.status.code());
        Ok(())
    });
    tally.case("whole: a hang ends at the timeout, with its report", hang);
    tally.case("whole: sampling keeps the counts", sampling);
    tally.case("whole: too few frames for tables", || {
        let output = with_table_frames(1)?;
        ensure!(!output.status.success(), "it is not refused");
        let message = String::from_utf8_lossy(&output.stderr);
        ensure!(message.contains("table-frames"), "the error does not name them: {message}");
        Ok(())
    });
    tally.case("whole: few frames for tables, and tables given up for others", || {
        let output = with_table_frames(FEW_FRAMES)?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "it fails: {}", String::from_utf8_lossy(&output.stderr));
        ensure!(text.contains("umbra counter name=shadows_evicted"), "nothing was given up");
        Ok(())
    });
    Ok(())
}

fn arm64_image() -> Vec<u32> {
    let mut words = vec![0; HEADER];
    words[0] = OVER_HEADER;
    words[TEXT_OFFSET] = 0x1000;
    words[IMAGE_SIZE] = 0x10_0000;
    words[MAGIC] = u32::from_le_bytes(*b"ARM\x64");
    words.extend(PROGRAM);
    words
}

fn write(name: &str, words: &[u32]) -> Result<PathBuf> {
    let file = paths::own().join(name);
    let bytes: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

fn run(options: &[&str], image: Option<&PathBuf>) -> Result<Output> {
    let mut command: Command = tool()?;
    command.args(options);
    if let Some(image) = image {
        command.arg("--image").arg(image);
    }
    command.output().context("this tool cannot run itself")
}

fn hang() -> Result<()> {
    let output =
        run(&["--guest", "misbehave", "--append", "spin", "--timeout", "1", "--raw"], None)?;
    ensure!(output.status.code() == Some(124), "the status is {:?}", output.status.code());
    let text = String::from_utf8_lossy(&output.stdout);
    for record in ["umbra vcpu pc=", "umbra verdict kind=stopped", "umbra end"] {
        ensure!(text.contains(record), "there is no `{record}`");
    }
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(message.contains("the time was up"), "it does not say why: {message}");
    Ok(())
}

/// Runs `mmu-ops` on the machine of the tree with so many frames for tables.
fn with_table_frames(frames: u32) -> Result<Output> {
    let machine = fs::read_to_string(paths::guests().join("machine.toml"))?;
    let file = paths::own().join(format!("frames-{frames}.toml"));
    fs::write(&file, format!("table-frames = {frames}\n{machine}"))?;
    let shown = file.display().to_string();
    run(
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
        None,
    )
}

fn sampling() -> Result<()> {
    let file = paths::own().join("sampling.json");
    let shown = file.display().to_string();
    let report = |rate: &str| -> Result<Value> {
        let output = run(&["--sample", rate, "--json", &shown], None)?;
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
