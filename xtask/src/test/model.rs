//! The model of the MMU: what is refused, and that it agrees with the emulator, changes nothing, and says the
//! same again.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use mmu_model::counts::Output;
use serde_json::Value;

use super::compare::{folder, said};
use super::input::{refused, tool};
use super::tally::Tally;
use crate::arch::Arch;
use crate::cli::{Mmu, MmuRun, Paging, Probes};
use crate::computer::Program;
use crate::lab::{Lab, Mode, Place, Run};
use crate::mmu::{Modelling, Wish};
use crate::results::Results;
use crate::setup::emulator;
use crate::{build, golden, parallel};

/// When a run is stopped.
const TIMEOUT: Duration = Duration::from_secs(240);
/// How many translations are compared at least: far fewer than any run makes.
const LEAST: u64 = 1000;
/// The guest that is modelled everywhere. `cargo xtask bench` compares larger ones.
const GUEST: &str = "hello";
/// The guest in which the lack of invalidations is noticed.
const CHANGING: &str = "mmu-cases";
/// A geometry of 15 entries in two ways.
const UNEVEN: &str = "
name = \"uneven\"
l1-instruction = [{ entries = 15, ways = 2, holds = [\"4k\"] }]
l1-data = [{ entries = 16, ways = 16, holds = [\"4k\"] }]
";
/// What emulators say that do not take the plugin, and what of that a person is told.
const REFUSALS: [(&str, &str, &str); 2] = [
    (
        "without plugins",
        "qemu-system-aarch64: plugin interface not enabled in this build",
        "this QEMU was built without plugins, so there is no model; without --mmu-model the guest runs",
    ),
    (
        "of another plugin API",
        "qemu-system-aarch64: Could not load plugin x.so: plugin requires API version 4, but this QEMU supports only \
         up to version 3",
        "plugin requires API version 4, but this QEMU supports only up to version 3; without --mmu-model",
    ),
];

/// Runs what comes to no run.
pub(super) fn inputs(tally: &mut Tally) -> Result<()> {
    let folder = folder("model")?;
    let uneven = folder.join("uneven.toml");
    fs::write(&uneven, UNEVEN)?;
    tally.case("input: a geometry that does not divide", || {
        let mut command = tool(&["qemu"])?;
        refused(command.arg("--mmu-model").arg(&uneven), "15 entries do not divide into 2 ways")
    });
    for (name, message, says) in REFUSALS {
        tally.case(&format!("input: an emulator {name}"), || {
            let script = without_plugins(&folder, message)?;
            let qemu = |options: &[&str]| -> Result<_> {
                let mut command = tool(&["qemu", "--native"])?;
                command.args(options).env(Program::Qemu(Arch::Aarch64).variable(), &script);
                Ok(command)
            };
            refused(&mut qemu(&["--mmu-model"])?, says)?;
            ensure!(qemu(&[])?.output()?.status.success(), "without the model it does not run");
            Ok(())
        });
    }
    Ok(())
}

/// An emulator that does not take plugins.
fn without_plugins(folder: &Path, message: &str) -> Result<PathBuf> {
    let real = emulator::look(Program::Qemu(Arch::Aarch64)).map_err(|why| anyhow!(why))?;
    let script = folder.join("emulator");
    let real = real.program.display();
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in\n*-plugin*) echo '{message}' >&2; exit 1 ;;\nesac\nexec {real} \"$@\"\n"
    );
    fs::write(&script, text)?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    Ok(script)
}

/// Runs what boots guests.
pub(super) fn all(tally: &mut Tally, lab: &Lab) {
    let arch = lab.arch();
    let has_plugins = |place: &Place| place.computer.program() == Program::Qemu(arch);
    let named = |place: Place| (place, format!("model: {GUEST}-{}", place.name()));
    let places = Place::all(arch).filter(has_plugins).map(named);
    let places: Vec<_> = places.filter(|(_, name)| tally.wants(name)).collect();
    for ((_, name), result) in
        places.iter().zip(parallel::each(&places, |(place, _)| faithful(lab, *place)))
    {
        tally.note(name, result);
    }
    for place in Place::all(arch).filter(has_plugins) {
        tally.case(&format!("model: a lack of invalidations is noticed, {}", place.name()), || {
            forgetful(lab, place)
        });
    }
    tally.case(&format!("model: as a person asks for it, {}", arch.name()), || asked(arch));
    tally.case(&format!("model: compared, {}", arch.name()), || compared(arch));
}

/// The model agrees with the emulator, says the same twice, and the run is the one that is without.
fn faithful(lab: &Lab, place: Place) -> Result<()> {
    let (wish, plugin) = (wish(lab.arch(), false)?, build::plugin()?);
    let usual = Run { probes: Probes::Full, ..Run::usual(place, GUEST, TIMEOUT) };
    let (plain, _) = lab.complete(&usual)?;
    let mut texts = Vec::new();
    for _ in 0..2 {
        let modelling = Modelling::new(&wish, &plugin)?;
        let (ran, _) = lab.complete(&Run { model: Some(&modelling), ..usual })?;
        if let Some((line, a, b)) = golden::first_difference(&plain.console, &ran.console) {
            bail!("the console differs in line {line}: `{a}` without, `{b}` with the model");
        }
        ensure!(plain.records == ran.records, "the report is another with the model");
        modelling.result()?;
        texts.push(modelling.text()?);
    }
    ensure!(texts[0] == texts[1], "two runs of the model differ");
    // While nothing is compared most accesses are only counted: that must change no count.
    let unchecked = Wish::usual(lab.arch())?;
    let modelling = Modelling::new(&unchecked, &plugin)?;
    lab.complete(&Run { model: Some(&modelling), ..usual })?;
    let checked: Output = serde_json::from_str(&texts[0])?;
    ensure!(
        modelling.result()?.parts == checked.parts,
        "without comparing it counts something else"
    );
    Ok(())
}

/// Without invalidations the check finds differences.
fn forgetful(lab: &Lab, place: Place) -> Result<()> {
    let (wish, plugin) = (wish(lab.arch(), true)?, build::plugin()?);
    let modelling = Modelling::new(&wish, &plugin)?;
    let usual = Run::usual(place, CHANGING, TIMEOUT);
    lab.complete(&Run { model: Some(&modelling), ..usual })?;
    let check = modelling.output()?.check.context("nothing was compared")?;
    ensure!(check.differences > 0, "none of {} translations differs", check.compared);
    ensure!(modelling.result().is_err(), "it is no failure");
    Ok(())
}

fn wish(arch: Arch, mmu_ignore_invalidations: bool) -> Result<Wish> {
    let mmu = Mmu { mmu_model: Some(None), mmu_check: true, mmu_check_least: LEAST };
    let options = MmuRun { mmu, mmu_ignore_invalidations, mmu_json: None };
    Wish::of_run(&options, arch)?.context("there is no geometry")
}

/// The tables, the file, and the status.
fn asked(arch: Arch) -> Result<()> {
    let file = folder("model")?.join("report.json");
    let run = |more: &[&str]| -> Result<_> {
        let options = ["qemu", "--arch", arch.name(), "--native", "--mmu-model", "cortex-a72"];
        let mut command = tool(&options)?;
        command.args(["--mmu-check", "--json"]).arg(&file).args(more);
        command.output().context("this tool cannot run itself")
    };
    let output = run(&[])?;
    ensure!(output.status.success(), "it fails: {}", said(&output));
    for says in ["MODEL of geometry cortex-a72", "whole run", "with QEMU's own, 0 differ"] {
        ensure!(said(&output).contains(says), "it does not say `{says}`: {}", said(&output));
    }
    let whole: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    ensure!(whole["model"]["geometry"] == "cortex-a72", "the model is not in the file");
    let output = run(&["--mmu-check-least", "1000000000000"])?;
    ensure!(output.status.code() == Some(1), "too few are enough: {:?}", output.status.code());
    ensure!(said(&output).contains("at least 1,000,000,000,000"), "{}", said(&output));
    Ok(())
}

/// Every cell that QEMU runs has its models, and they are shown.
fn compared(arch: Arch) -> Result<()> {
    let folder = folder("model")?;
    let mut command =
        tool(&["compare", "--guest", GUEST, "--arch", arch.name(), "--mmu-model", "skylake"])?;
    let output =
        command.arg("--out").arg(&folder).output().context("this tool cannot run itself")?;
    ensure!(output.status.success(), "it fails: {}", said(&output));
    for says in ["MODEL of geometry skylake", "nested 1g", "table reads, 2-D walks"] {
        ensure!(said(&output).contains(says), "it does not say `{says}`: {}", said(&output));
    }
    let results = Results::read(&folder.join("results.json"))?;
    for cell in &results.cells {
        let modelled = match (cell.place.mode, cell.unmodelled.is_some()) {
            (_, true) => 0,
            (Mode::Under(Paging::Nested), _) => 3,
            _ => 1,
        };
        ensure!(cell.models.len() == modelled, "{} has {} models", cell.name(), cell.models.len());
        ensure!(cell.unmodelled.is_some() == (cell.place.emulator == "Bochs"), "{}", cell.name());
    }
    Ok(())
}
