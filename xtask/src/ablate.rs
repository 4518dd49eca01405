//! `cargo xtask ablate`: what each step of shadow paging is worth.
//!
//! Guests run on hypervisors that have all steps, none, and all but one. What a guest takes beyond what
//! it takes natively is what the hypervisor executed. Instructions are of builds without probes, events
//! of builds that count.

mod figures;
mod measure;
mod rows;
mod show;

use std::time::Duration;

use anyhow::{Result, ensure};

use self::rows::Row;
use crate::arch::Arch;
use crate::build::{self, Variant};
use crate::cli::{self, Paging, Probes};
use crate::computer::{Accel, Computer, Model};
use crate::lab::{self, Lab, Order};
use crate::setup::{self, Install};
use crate::{emu, paths, results};

/// The guests that run when none is named.
const GUESTS: [&str; 3] = ["memory-motion", "aim9-memory", "mmu-ops"];
/// The extension of the file with the table.
const TABLE: &str = "txt";

/// `cargo xtask ablate`.
pub(crate) fn run(options: &cli::Ablate) -> Result<u8> {
    options.guest.iter().try_for_each(|guest| build::check_guest(guest))?;
    let usual = || GUESTS.map(str::to_owned).to_vec();
    let guests = if options.guest.is_empty() { usual() } else { options.guest.clone() };
    let file = options.out.clone().unwrap_or_else(|| paths::own().join("ablate.json"));
    ensure!(
        file.extension().is_none_or(|extension| extension != TABLE),
        "--out {} is where the table would go: name the file of the figures, for example {}",
        file.display(),
        file.with_extension("json").display()
    );
    results::check_writable(&file, "--out")?;
    let archs = if options.arch.is_empty() { Arch::ALL.to_vec() } else { options.arch.clone() };
    let mut labs = Vec::new();
    for arch in archs {
        labs.extend(lab(arch, &guests, options.set_up.install())?);
    }
    ensure!(!labs.is_empty(), lab::NOWHERE);
    let timeout = Duration::from_secs(options.timeout);
    let ablation = measure::all(&labs, &guests, timeout, &file)?;
    let table = show::render(&ablation);
    print!("{table}");
    let beside = file.with_extension(TABLE);
    results::write(&beside, &table)?;
    println!("\nsaved as {} and {}", file.display(), beside.display());
    let status = u8::from(ablation.failed());
    Ok(if emu::interrupted() { emu::INTERRUPTED } else { status })
}

/// The computers on which steps are left out: one of each kind of hardware.
const fn computers(arch: Arch) -> &'static [Computer] {
    match arch {
        Arch::Aarch64 => &[Computer::Virt],
        Arch::X86_64 => &[Computer::Q35(Accel::Tcg), Computer::Bochs(Model::SKYLAKE)],
    }
}

/// Builds every hypervisor that some computer here can tell from the others.
fn lab(arch: Arch, guests: &[String], install: Install) -> Result<Option<Lab>> {
    let computers = lab::available(computers(arch), install);
    if computers.is_empty() {
        return Ok(None);
    }
    let toolchain = setup::toolchain(arch, install)?;
    let mut rows = Vec::new();
    for &computer in &computers {
        let there = Row::on(computer).filter(|row| row.absent(computer).is_none());
        rows.extend(there.filter(|row| !rows.contains(row)).collect::<Vec<_>>());
    }
    let variant = |row: Row, probes| {
        let switches = row.switches();
        Variant { arch, paging: Paging::Shadow, probes, switches }
    };
    let probes = [Probes::Off, Probes::Counts];
    let of = |row: &Row| probes.map(|probes| variant(*row, probes));
    let variants = rows.iter().flat_map(of).collect();
    let guests: Vec<_> = guests.iter().map(String::as_str).collect();
    let order = Order { computers: &computers, guests: &guests, variants };
    Lab::of(arch, &toolchain, &order).map(Some)
}
