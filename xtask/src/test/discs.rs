//! The disc of `cargo xtask image`, on every computer that boots one.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::input::tool;
use super::tally::Tally;
use crate::computer::{Accel, Computer, Model};
use crate::emu::{self, Boot, End, Medium};
use crate::lab::Lab;
use crate::report::{Report, Verdict};
use crate::{paths, setup};

/// When a run is stopped. Firmware takes its time.
const TIMEOUT: Duration = Duration::from_secs(240);
/// What is on the disc.
const WHAT: [&str; 4] = ["--guest", "hello", "--paging", "shadow"];
/// Memory of every computer.
const MEMORY: u64 = 2 << 30;

/// Makes the disc and boots it everywhere.
pub(super) fn all(tally: &mut Tally, lab: &Lab) -> Result<()> {
    let names =
        ["made", "Bochs", "QEMU with BIOS", "QEMU with UEFI"].map(|on| format!("disc: {on}"));
    if !names.iter().any(|name| tally.wants(name)) {
        return Ok(());
    }
    let disc = paths::own().join("test.iso");
    let [made, bochs, bios, uefi] = &names;
    tally.case(made, || make(&disc));
    let firmware = setup::ovmf().map(Path::new);
    let q35 = Computer::Q35(Accel::Tcg);
    tally.case(bochs, || boot(lab, Computer::Bochs(Model::PENRYN), Medium::Disc(&disc)));
    tally.case(bios, || boot(lab, q35, Medium::Disc(&disc)));
    tally.case(uefi, || {
        let firmware = firmware.context("there is no UEFI firmware for QEMU")?;
        boot(lab, q35, Medium::Uefi(&disc, firmware))
    });
    Ok(())
}

fn make(disc: &Path) -> Result<()> {
    let mut command = tool(&["image"])?;
    let output = command
        .args(WHAT)
        .arg("--output")
        .arg(disc)
        .output()
        .context("this tool cannot run itself")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn boot(lab: &Lab, computer: Computer, medium: Medium<'_>) -> Result<()> {
    let ran = emu::boot(&Boot {
        computer,
        emulator: lab.emulator(computer.program())?,
        medium,
        hypervisor: true,
        memory: MEMORY,
        arguments: None,
        initrd: None,
        debug: None,
        timeout: Some(TIMEOUT),
        echo: false,
        model: None,
    })?;
    ensure!(ran.end == End::Off, "it did not end in {} s", TIMEOUT.as_secs());
    let report = Report::parse(&ran.records)?;
    ensure!(report.complete, "there is no report: {}", ran.console);
    let status = report.verdict.as_ref().map(Verdict::status);
    ensure!(status == Some(0), "the guest failed with {status:?}");
    Ok(())
}
