//! `cargo xtask qemu`: one run, from the options to the exit status.

mod summary;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::json;

use crate::build::{self, Variant};
use crate::bundle::Settings;
use crate::cli::Qemu;
use crate::emu::{self, Boot, Ran};
use crate::kernel::Kernel;
use crate::manifest::{self, Machine};
use crate::report::Report;
use crate::setup::emulator::{self, Emulator};
use crate::setup::{self, Install, Need};
use crate::table;
use crate::toolchain::Toolchain;

pub(crate) use self::summary::{ResultLine, native_status, results};

/// The guest that runs when none is named.
const GUEST: &str = "hello";
/// When a guest is stopped, in seconds.
const TIMEOUT: u64 = 120;
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
        kernel: made.kernel.path(),
        hypervisor: !options.native,
        memory: made.kernel.memory,
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
    let status = summary::conclude(options.native, plan.guest.is_none(), &ran, &report);
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
    machine.check().with_context(|| match &options.mem {
        Some(size) => format!("--mem {size} does not suit the machine {}", file.display()),
        None => format!("the machine {} does not make sense", file.display()),
    })?;
    for (what, file) in [("image", &machine.image), ("initrd", &machine.initrd)] {
        if let Some(file) = file {
            let shown = file.display();
            fs::File::open(file).with_context(|| format!("cannot read the {what} {shown}"))?;
            ensure!(file.is_file(), "the {what} {shown} is no file");
        }
    }
    let guest = machine.image.is_none().then(|| guest.to_owned());
    Ok(Plan { machine, guest })
}

/// What a plan became.
struct Made {
    /// What the emulator loads.
    kernel: Kernel,
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
        _ => {
            return Ok(Made {
                kernel: Kernel::native(image.clone(), &plan.machine),
                symbols: image,
                toolchain,
            });
        }
    };
    let settings = Settings { block_shift: options.block.shift(), sample: options.sample };
    let kernel = Kernel::assemble(&hypervisor, &plan.machine, &image, settings)?;
    Ok(Made { kernel, symbols: hypervisor, toolchain })
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
