//! `cargo xtask qemu` and `cargo xtask bochs`: one run, from the options to the exit status.

mod modelled;
mod summary;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use crate::arch::Arch;
use crate::build;
use crate::bundle::Settings;
use crate::cli::{Bochs, How, Paging, Qemu, What};
use crate::computer::{Accel, Computer, Program};
use crate::emu::{self, Boot, Medium};
use crate::image::Image;
use crate::kernel::{self, Kernel};
use crate::manifest::{self, Machine};
use crate::mmu::{Modelling, Wish};
use crate::report::Report;
use crate::setup::emulator;
use crate::setup::{self, Install, kvm};
use crate::toolchain::Toolchain;
use crate::{multiboot, table};

pub(crate) use self::summary::{ResultLine, Told, native_status, results};

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

impl Plan {
    /// The name of what it boots.
    pub(crate) fn name(&self) -> String {
        let stem = |file: &PathBuf| Some(file.file_stem()?.to_string_lossy().into_owned());
        let image = self.machine.image.as_ref().and_then(stem);
        self.guest.clone().or(image).unwrap_or_else(|| "image".to_owned())
    }

    /// Fails unless an image from outside the tree can be booted. A native one is QEMU's affair, and
    /// under Bochs GRUB's.
    fn check_image(&self, computer: Computer, native: bool) -> Result<()> {
        let Some(file) = &self.machine.image else { return Ok(()) };
        if !native {
            Image::read(file, self.machine.arch, &self.machine.ram())?;
        } else if computer.program() == Program::Bochs {
            let shown = file.display();
            let data = fs::read(file).with_context(|| format!("cannot read the image {shown}"))?;
            ensure!(
                multiboot::Header::find(&data).is_some(),
                "the image {shown} has no multiboot header in its first 8 KiB, and GRUB, which starts it under \
                 Bochs, wants one"
            );
        }
        Ok(())
    }

    /// The image that the machine boots, built if it is a guest's.
    pub(crate) fn image(&self, toolchain: &Toolchain) -> Result<PathBuf> {
        match (&self.guest, &self.machine.image) {
            (Some(guest), _) => build::guests(toolchain, self.machine.arch, &[guest])?
                .into_iter()
                .next()
                .context("no guest was built"),
            (None, Some(image)) => Ok(image.clone()),
            (None, None) => Err(anyhow!("there is nothing to boot")),
        }
    }
}

/// `cargo xtask qemu`.
pub(crate) fn qemu(options: &Qemu) -> Result<u8> {
    let computer = match (options.arch, options.accel) {
        (Arch::Aarch64, Accel::Tcg) => Computer::Virt,
        (Arch::Aarch64, Accel::Kvm) => {
            bail!("--accel kvm is for --arch x86_64: no processor lends its EL2 to a machine here")
        }
        (Arch::X86_64, accel) => Computer::Q35(accel),
    };
    ensure!(
        options.accel == Accel::Tcg || !options.how.mmu.is_asked_for(),
        "--mmu-model sees only what QEMU executes itself: leave --accel kvm out"
    );
    run(computer, &options.how)
}

/// `cargo xtask bochs`.
pub(crate) fn bochs(options: &Bochs) -> Result<u8> {
    if options.how.debug {
        bail!("Bochs serves no debugger: use `cargo xtask qemu --arch x86_64 --debug`");
    }
    if options.how.mmu.is_asked_for() {
        bail!(
            "Bochs has no plugins, so there is no model: use `cargo xtask qemu --arch x86_64 --mmu-model`"
        );
    }
    run(Computer::Bochs(options.cpu), &options.how)
}

fn run(computer: Computer, options: &How) -> Result<u8> {
    let plan = plan(computer.arch(), &options.what)?;
    plan.check_image(computer, options.native)?;
    let wish = Wish::of_run(&options.mmu, computer.arch())?;
    if let Some(file) = &options.mmu.mmu_json {
        crate::results::check_writable(file, "--mmu-json")?;
    }
    match options.native {
        true => kernel::check_memory(computer, plan.machine.memory)?,
        false => kernel::host_memory(computer, plan.machine.memory).map(drop)?,
    }
    if computer == Computer::Q35(Accel::Kvm) {
        kvm::check(!options.native)?;
    }
    let install = options.what.set_up.install();
    setup::ensure(&setup::needs_of(computer), install)?;
    let emulator = emulator::look(computer.program()).map_err(|why| anyhow!(why))?;
    let made = make(computer, options, &plan, install)?;
    let plugin = wish.as_ref().map(|_| build::plugin()).transpose()?;
    let modelling = wish.as_ref().zip(plugin.as_deref());
    let modelling = modelling.map(|(wish, plugin)| Modelling::new(wish, plugin)).transpose()?;
    let default = (!options.debug).then_some(TIMEOUT);
    let boot = Boot {
        computer,
        emulator: &emulator,
        medium: Medium::Kernel(made.kernel.path()),
        hypervisor: !options.native,
        memory: made.kernel.memory,
        arguments: options.native.then_some(plan.machine.arguments.as_str()),
        initrd: plan.machine.initrd.as_deref().filter(|_| options.native),
        debug: options.debug.then_some(made.symbols.as_path()),
        timeout: options.timeout.or(default).map(Duration::from_secs),
        echo: true,
        model: modelling.as_ref(),
    };
    let ran = emu::boot(&boot)?;
    let report = Report::parse(&ran.records)?;
    if options.raw {
        ran.records.iter().for_each(|record| println!("{record}"));
    } else if !options.native {
        print!("{}", table::render(&report));
    }
    let mut status = summary::conclude(options.native, plan.guest.is_none(), &ran, &report);
    let model = match &modelling {
        Some(modelling) => modelled::conclude(modelling, options, &mut status)?,
        None => None,
    };
    if let Some(file) = &options.json {
        let compiler = made.toolchain.map(|toolchain| toolchain.compiler.version);
        let mut whole = json!({
            "tools": { "emulator": emulator.version, "compiler": compiler },
            "status": status,
            "results": results(&ran.console),
            "report": report,
            "records": ran.records,
        });
        if let Some(model) = model {
            whole["model"] = json!(model);
        }
        write_json(file, &whole)?;
    }
    Ok(status)
}

/// Reads the options and the manifest they lead to, and checks all that can be checked before
/// anything is built.
pub(crate) fn plan(arch: Arch, options: &What) -> Result<Plan> {
    ensure!(
        options.paging == Paging::Shadow || options.steps.is_usual(),
        "--without and --with choose among the steps of shadow paging: add --paging shadow"
    );
    let guest = options.guest.as_deref().unwrap_or(GUEST);
    if options.guest.is_some() {
        build::check_guest(guest)?;
    }
    let file = options.machine.clone().unwrap_or_else(|| Machine::file_for(guest, arch));
    let mut machine = Machine::read(&file, arch)?;
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

fn make(computer: Computer, options: &How, plan: &Plan, install: Install) -> Result<Made> {
    let (arch, what) = (computer.arch(), &options.what);
    if options.native
        && let Some(image) = &plan.machine.image
    {
        let kernel = Kernel::native(image.clone(), &plan.machine);
        return Ok(Made { kernel, symbols: image.clone(), toolchain: None });
    }
    let toolchain = setup::toolchain(arch, install)?;
    let image = plan.image(&toolchain)?;
    if options.native {
        let kernel = Kernel::native(image.clone(), &plan.machine);
        return Ok(Made { kernel, symbols: image, toolchain: Some(toolchain) });
    }
    let hypervisor = build::hypervisor(&toolchain, what.variant(arch))?;
    let kernel =
        Kernel::assemble(&hypervisor, computer, &plan.machine, &image, Settings::of(what))?;
    Ok(Made { kernel, symbols: hypervisor, toolchain: Some(toolchain) })
}

fn write_json(file: &Path, whole: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(whole)? + "\n";
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
