//! Running what is planned.

mod modelled;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use paging::switch::{Switch, SwitchSet};

use self::modelled::Model;
use super::plan::Job;
use crate::arch::Arch;
use crate::cli::Probes;
use crate::lab::{self, Lab, Mode, Order, Run};
use crate::mmu::Wish;
use crate::progress::Step;
use crate::results::{Cell, Results, Source, Status};
use crate::run::Told;
use crate::setup::{self, Install};
use crate::{build, emu, golden};

/// What durations must be counted in: two runs of one build are then the same.
const UNIT: &str = "instructions";

/// Measures all cells, one after another, and models them if there is a `wish`. The file is written after each.
pub(super) fn all(
    plan: &[Job],
    wish: Option<&Wish>,
    install: Install,
    timeout: Duration,
    file: &Path,
) -> Result<Results> {
    let mut labs = Vec::new();
    for arch in Arch::ALL {
        labs.extend(lab(arch, plan, install)?);
    }
    ensure!(!labs.is_empty(), lab::NOWHERE);
    let plugin = wish.map(|_| build::plugin()).transpose()?;
    let model = wish.zip(plugin.as_deref()).map(|(wish, plugin)| Model { wish, plugin });
    if let Some(model) = model {
        labs.iter().try_for_each(|lab| model.try_out(lab))?;
    }
    let of = |job: &Job| labs.iter().find(|lab| lab.has(job.place.computer));
    let jobs: Vec<_> = plan.iter().filter_map(|job| Some((job, of(job)?))).collect();
    let mut results = Results::new(
        Source::here(),
        labs.iter().map(Lab::tools).collect(),
        SwitchSet::DEFAULT.iter().map(Switch::name),
    );
    results.geometry = wish.map(|wish| wish.geometry.clone());
    let _running = emu::Running::begin()?;
    for (index, (job, lab)) in jobs.iter().enumerate() {
        let mut cell = Cell::new(&job.guest, job.place, UNIT);
        let _step =
            Step::begin(format!("measuring {} of {}: {}", index + 1, jobs.len(), cell.name()));
        let result = measure(lab, job, timeout, model, &mut cell);
        if emu::interrupted() {
            break;
        }
        if let Err(error) = result {
            let error = format!("{error:#}");
            eprintln!("error: {} failed: {error}", cell.name());
            cell.status = Status::Failed { error };
        }
        results.cells.push(cell);
        results.complete = results.cells.len() == jobs.len();
        results.write(file)?;
    }
    Ok(results)
}

/// Builds what the plan needs of an instruction set. Computers that this one cannot emulate are named
/// and left out.
fn lab(arch: Arch, plan: &[Job], install: Install) -> Result<Option<Lab>> {
    let jobs = || plan.iter().filter(|job| job.place.computer.arch() == arch);
    let wanted = arch.computers().iter().copied();
    let wanted = wanted.filter(|&computer| jobs().any(|job| job.place.computer == computer));
    let computers = lab::available(&wanted.collect::<Vec<_>>(), install);
    if computers.is_empty() {
        return Ok(None);
    }
    let mut guests: Vec<_> = jobs().map(|job| job.guest.as_str()).collect();
    guests.sort_unstable();
    guests.dedup();
    let toolchain = setup::toolchain(arch, install)?;
    let probes = [Probes::Off, Probes::Full];
    let variants = lab::variants(arch, &probes, SwitchSet::DEFAULT);
    let variants = variants
        .filter(|variant| jobs().any(|job| job.place.mode == Mode::Under(variant.paging)))
        .collect();
    let order = Order { computers: &computers, guests: &guests, variants };
    Lab::of(arch, &toolchain, &order).map(Some)
}

/// Fills a cell in, as far as it goes.
fn measure(
    lab: &Lab,
    job: &Job,
    timeout: Duration,
    model: Option<Model<'_>>,
    cell: &mut Cell,
) -> Result<()> {
    let complete = |probes: Probes| {
        lab.complete(&Run { probes, ..Run::usual(job.place, &job.guest, timeout) })
            .with_context(|| format!("with probes {}", probes.name()))
    };
    let (plain, _) = complete(Probes::Off)?;
    let told = Told::on(&plain.console);
    (cell.ran, cell.lines) = (told.ran, told.lines);
    if let Mode::Under(_) = job.place.mode {
        let (ran, report) = complete(Probes::Full)?;
        let unit = report.unit();
        ensure!(unit == UNIT, "the clock counts {unit}, and only {UNIT} can be compared");
        cell.exits = Some(report.exits.total);
        cell.printed = golden::printed(&ran);
        cell.report = Some(report);
    }
    model.map_or(Ok(()), |model| model.fill(cell, lab, job, timeout, &plain.console))
}
