//! `cargo xtask qemu`: one run, from the options to the exit status.

mod summary;

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use serde_json::json;

use crate::build::{self, Variant};
use crate::bundle::{self, Settings};
use crate::cli::Qemu;
use crate::emu::{self, Boot, Ran};
use crate::image::Image;
use crate::manifest::{self, Machine};
use crate::report::Report;
use crate::setup::emulator::{self, Emulator};
use crate::setup::{self, Install, Need};
use crate::toolchain::Toolchain;
use crate::{paths, table};

pub(crate) use self::summary::results;

/// The guest that runs when none is named.
const GUEST: &str = "hello";
/// When a guest is stopped, in seconds.
const TIMEOUT: u64 = 120;
/// The memory of the computer that the hypervisor runs on: room for guest RAM that is aligned to
/// 1 GiB, and for the hypervisor beside it.
const HOST_MEMORY: u64 = 4 << 30;
/// What it has more than the guest's RAM where that is large.
const HOST_EXTRA: u64 = 3 << 30;

/// What is booted.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The machine.
    pub(crate) machine: Machine,
    /// The guest of this tree that it boots, unless the machine names an image.
    pub(crate) guest: Option<String>,
}

/// `cargo xtask qemu`.
pub(crate) fn run(options: &Qemu) -> Result<u8> {
    let plan = plan(options)?;
    let install = options.set_up.install();
    setup::ensure(&[Need::Emulator(options.arch)], install)?;
    let emulator = emulator::look(options.arch).map_err(|why| anyhow!(why))?;
    let made = make(options, &plan, install)?;
    let default = (!options.debug).then_some(TIMEOUT);
    let boot = Boot {
        emulator: &emulator,
        kernel: &made.kernel,
        hypervisor: !options.native,
        memory: if options.native { plan.machine.memory } else { host_memory(&plan.machine) },
        arguments: options.native.then_some(plan.machine.arguments.as_str()),
        initrd: plan.machine.initrd.as_deref().filter(|_| options.native),
        debug: options.debug.then_some(made.symbols.as_path()),
        timeout: options.timeout.or(default).map(Duration::from_secs),
        echo: true,
    };
    let ran = emu::boot(&boot)?;
    let report = Report::parse(&ran.records)?;
    if options.raw {
        ran.records.iter().for_each(|record| println!("{record}"));
    } else if !options.native {
        print!("{}", table::render(&report));
    }
    let status = summary::conclude(options.native, &ran, &report);
    if let Some(file) = &options.json {
        let compiler = made.toolchain.map(|toolchain| toolchain.compiler.version);
        write_json(file, &emulator, compiler.as_deref(), &ran, &report, status)?;
    }
    Ok(status)
}

/// Reads the options and the manifest they lead to, and checks all that can be checked before
/// anything is built.
pub(crate) fn plan(options: &Qemu) -> Result<Plan> {
    let guest = options.guest.as_deref().unwrap_or(GUEST);
    if options.guest.is_some() {
        build::check_guest(guest)?;
    }
    let file = options.machine.clone().unwrap_or_else(|| Machine::file_for(guest));
    let mut machine = Machine::read(&file)?;
    if let Some(size) = &options.mem {
        machine.memory = manifest::parse_size(size).context("--mem")?;
    }
    if let Some(arguments) = &options.append {
        machine.arguments.clone_from(arguments);
    }
    machine.image = options.image.clone().or(machine.image).filter(|_| options.guest.is_none());
    machine.initrd = options.initrd.clone().or(machine.initrd);
    machine
        .check()
        .with_context(|| format!("the machine {} does not make sense", file.display()))?;
    for (what, file) in [("image", &machine.image), ("initrd", &machine.initrd)] {
        if let Some(file) = file {
            fs::File::open(file)
                .with_context(|| format!("cannot read the {what} {}", file.display()))?;
        }
    }
    let guest = machine.image.is_none().then(|| guest.to_owned());
    Ok(Plan { machine, guest })
}

/// What a plan became.
struct Made {
    /// What the emulator loads.
    kernel: PathBuf,
    /// What a debugger reads.
    symbols: PathBuf,
    /// What it was built with, if anything had to be.
    toolchain: Option<Toolchain>,
}

fn make(options: &Qemu, plan: &Plan, install: Install) -> Result<Made> {
    let needed = !options.native || plan.guest.is_some();
    let toolchain = needed.then(|| setup::toolchain(options.arch, install)).transpose()?;
    let image = match (&toolchain, &plan.guest, &plan.machine.image) {
        (Some(toolchain), Some(guest), _) => build::guests(toolchain, options.arch, &[guest])?
            .into_iter()
            .next()
            .context("no guest was built")?,
        (_, _, Some(image)) => image.clone(),
        _ => return Err(anyhow!("there is nothing to boot")),
    };
    let hypervisor = match &toolchain {
        Some(toolchain) if !options.native => {
            let variant =
                Variant { arch: options.arch, paging: options.paging, probes: options.probes };
            build::hypervisor(toolchain, variant)?
        }
        _ => return Ok(Made { kernel: image.clone(), symbols: image, toolchain }),
    };
    let settings = Settings { block_shift: options.block.shift(), sample: options.sample };
    let kernel = assemble(&hypervisor, &plan.machine, &image, settings)?;
    Ok(Made { kernel, symbols: hypervisor, toolchain })
}

/// Puts machine and image behind a hypervisor, in a file that no other run uses.
pub(crate) fn assemble(
    hypervisor: &Path,
    machine: &Machine,
    image: &Path,
    settings: Settings,
) -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let loaded = Image::read(image, &machine.ram())?;
    let initrd = machine.initrd.as_ref().map(|file| {
        fs::read(file).with_context(|| format!("cannot read the initrd {}", file.display()))
    });
    let bundle = bundle::make(machine, &loaded, initrd.transpose()?, settings)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let file =
        paths::own().join("run").join(format!("{}-{}-{number}.img", loaded.name, process::id()));
    bundle::write(hypervisor, &bundle, &file)?;
    Ok(file)
}

/// The memory of the computer under the hypervisor.
pub(crate) fn host_memory(machine: &Machine) -> u64 {
    HOST_MEMORY.max(machine.memory.next_multiple_of(1 << 30) + HOST_EXTRA)
}

fn write_json(
    file: &Path,
    emulator: &Emulator,
    compiler: Option<&str>,
    ran: &Ran,
    report: &Report,
    status: u8,
) -> Result<()> {
    let whole = json!({
        "tools": { "emulator": emulator.version, "compiler": compiler },
        "status": status,
        "results": results(&ran.console),
        "report": report,
        "records": ran.records,
    });
    let text = serde_json::to_string_pretty(&whole)? + "\n";
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
