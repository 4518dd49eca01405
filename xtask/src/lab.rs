//! Runs for tests and benchmarks: guests of this tree, in every mode, without a console.

mod complete;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use paging::switch::SwitchSet;
use serde::{Deserialize, Serialize};

use crate::arch::Arch;
use crate::build::{self, Variant};
use crate::bundle::Settings;
use crate::cli::{Block, Paging, Probes};
use crate::computer::{Computer, Model, Program};
use crate::emu::{self, Boot, Medium, Ran};
use crate::kernel::Kernel;
use crate::manifest::Machine;
use crate::mmu::Modelling;
use crate::report::Report;
use crate::results::{EmulatorVersion, Tools};
use crate::setup::emulator::{self, Emulator};
use crate::setup::{self, Install};
use crate::toolchain::Toolchain;

/// What a guest runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "&str")]
pub(crate) enum Mode {
    /// The bare machine.
    Native,
    /// The hypervisor.
    Under(Paging),
}

impl Mode {
    /// All of them.
    pub(crate) const ALL: [Self; 3] =
        [Self::Native, Self::Under(Paging::Nested), Self::Under(Paging::Shadow)];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Under(paging) => paging.name(),
        }
    }
}

impl From<Mode> for &str {
    fn from(mode: Mode) -> Self {
        mode.name()
    }
}

impl TryFrom<String> for Mode {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|mode| mode.name() == name);
        known.ok_or_else(|| format!("there is no mode `{name}`"))
    }
}

impl Computer {
    /// The modes in which guests are tested on it.
    pub(crate) fn modes(self) -> &'static [Mode] {
        match self {
            Self::Bochs(Model::PENRYN) => &[Mode::Under(Paging::Shadow)],
            Self::Virt | Self::Q35(_) | Self::Bochs(_) => &Mode::ALL,
        }
    }
}

/// Where guests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The computer.
    pub(crate) computer: Computer,
    /// What the guest has under it there.
    pub(crate) mode: Mode,
}

impl Place {
    /// All places where guests of an instruction set are tested.
    pub(crate) fn all(arch: Arch) -> impl Iterator<Item = Self> {
        let modes =
            |&computer: &Computer| computer.modes().iter().map(move |&mode| (computer, mode));
        arch.computers().iter().flat_map(modes).map(|(computer, mode)| Self { computer, mode })
    }

    /// Its name in the names of tests.
    pub(crate) fn name(self) -> String {
        match self.computer.name() {
            "" => self.mode.name().to_owned(),
            computer => format!("{computer}-{}", self.mode.name()),
        }
    }
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// Where.
    pub(crate) place: Place,
    /// The guest.
    pub(crate) guest: &'a str,
    /// Its arguments; without, the manifest's.
    pub(crate) arguments: Option<&'a str>,
    /// What is recorded.
    pub(crate) probes: Probes,
    /// Which steps of shadow paging there are.
    pub(crate) switches: SwitchSet,
    /// The largest block that maps guest RAM.
    pub(crate) block: Block,
    /// When it is stopped.
    pub(crate) timeout: Duration,
    /// Its model.
    pub(crate) model: Option<&'a Modelling<'a>>,
}

impl<'a> Run<'a> {
    /// The usual: the manifest's arguments, the default steps and blocks, nothing recorded or modelled.
    pub(crate) const fn usual(place: Place, guest: &'a str, timeout: Duration) -> Self {
        Self {
            place,
            guest,
            arguments: None,
            probes: Probes::Off,
            switches: SwitchSet::DEFAULT,
            block: Block::DEFAULT,
            timeout,
            model: None,
        }
    }
}

/// What a lab is to have.
#[derive(Clone, Debug)]
pub(crate) struct Order<'a> {
    /// The computers.
    pub(crate) computers: &'a [Computer],
    /// The guests.
    pub(crate) guests: &'a [&'a str],
    /// The hypervisors.
    pub(crate) variants: Vec<Variant>,
}

/// Everything that is built, ready to run.
#[derive(Debug)]
pub(crate) struct Lab {
    emulators: Vec<(Program, Emulator)>,
    arch: Arch,
    compiler: String,
    guests: BTreeMap<String, PathBuf>,
    hypervisors: Vec<(Variant, PathBuf)>,
}

impl Lab {
    /// Builds all guests, and the hypervisor in both modes with each of `probes`, for all computers.
    pub(crate) fn new(arch: Arch, toolchain: &Toolchain, probes: &[Probes]) -> Result<Self> {
        let names = build::guest_names()?;
        let guests: Vec<_> = names.iter().map(String::as_str).collect();
        let variants = variants(arch, probes, SwitchSet::DEFAULT).collect();
        let computers = arch.computers();
        Self::of(arch, toolchain, &Order { computers, guests: &guests, variants })
    }

    /// Builds what is ordered, each hypervisor once.
    pub(crate) fn of(arch: Arch, toolchain: &Toolchain, order: &Order<'_>) -> Result<Self> {
        let mut emulators: Vec<(Program, Emulator)> = Vec::new();
        for program in order.computers.iter().map(|computer| computer.program()) {
            if !emulators.iter().any(|(known, _)| *known == program) {
                emulators.push((program, emulator::look(program).map_err(|why| anyhow!(why))?));
            }
        }
        let images = build::guests(toolchain, arch, order.guests)?;
        let mut hypervisors = Vec::new();
        for &variant in &order.variants {
            hypervisors.push((variant, build::hypervisor(toolchain, variant)?));
        }
        let names = order.guests.iter().map(|&name| name.to_owned());
        let guests = names.zip(images).collect();
        let compiler = toolchain.compiler.version.clone();
        Ok(Self { emulators, arch, compiler, guests, hypervisors })
    }

    /// The instruction set.
    pub(crate) const fn arch(&self) -> Arch {
        self.arch
    }

    /// Whether it has a computer's emulator, and is for its instruction set.
    pub(crate) fn has(&self, computer: Computer) -> bool {
        self.arch == computer.arch() && self.emulator(computer.program()).is_ok()
    }

    /// What everything here was built with, and runs on.
    pub(crate) fn tools(&self) -> Tools {
        let emulators = self.emulators.iter().map(|(program, emulator)| EmulatorVersion {
            name: program.title().to_owned(),
            version: emulator.version.clone(),
        });
        let compiler = self.compiler.clone();
        Tools { arch: self.arch, compiler, emulators: emulators.collect() }
    }

    /// The versions of the emulators.
    pub(crate) fn versions(&self) -> Vec<&str> {
        self.emulators.iter().map(|(_, emulator)| emulator.version.as_str()).collect()
    }

    /// An emulator that was found.
    pub(crate) fn emulator(&self, program: Program) -> Result<&Emulator> {
        let found = self.emulators.iter().find(|(known, _)| *known == program);
        Ok(&found.context("there is no such emulator here")?.1)
    }

    /// The names of all guests.
    pub(crate) fn guests(&self) -> impl Iterator<Item = &str> {
        self.guests.keys().map(String::as_str)
    }

    /// The ELF file of a variant of the hypervisor, with the usual steps.
    pub(crate) fn hypervisor(&self, paging: Paging, probes: Probes) -> Result<&PathBuf> {
        let switches = SwitchSet::DEFAULT;
        self.variant(Variant { arch: self.arch, paging, probes, switches })
    }

    fn variant(&self, wanted: Variant) -> Result<&PathBuf> {
        let found = self.hypervisors.iter().find(|(variant, _)| *variant == wanted);
        Ok(&found.with_context(|| format!("{} was not built", wanted.name()))?.1)
    }

    /// Runs a guest to its end.
    pub(crate) fn run(&self, run: &Run<'_>) -> Result<(Ran, Report)> {
        let Place { computer, mode } = run.place;
        let image = self
            .guests
            .get(run.guest)
            .with_context(|| format!("there is no guest {}", run.guest))?;
        let mut machine = Machine::read(&Machine::file_for(run.guest, self.arch), self.arch)?;
        if let Some(arguments) = run.arguments {
            machine.arguments = arguments.to_owned();
        }
        let kernel = match mode {
            Mode::Native => Kernel::native(image.clone(), &machine),
            Mode::Under(paging) => {
                let Run { probes, switches, block, .. } = *run;
                let settings = Settings { block_shift: block.shift(), ..Settings::default() };
                let hypervisor =
                    self.variant(Variant { arch: self.arch, paging, probes, switches })?;
                Kernel::assemble(hypervisor, computer, &machine, image, settings)?
            }
        };
        let ran = emu::boot(&Boot {
            computer,
            emulator: self.emulator(computer.program())?,
            medium: Medium::Kernel(kernel.path()),
            hypervisor: mode != Mode::Native,
            memory: kernel.memory,
            arguments: (mode == Mode::Native).then_some(machine.arguments.as_str()),
            initrd: None,
            debug: None,
            timeout: Some(run.timeout),
            echo: false,
            model: run.model,
        })?;
        let report = Report::parse(&ran.records)?;
        Ok((ran, report))
    }
}

/// The hypervisor in both modes with each of `probes`. Only shadow paging has switches.
pub(crate) fn variants(
    arch: Arch,
    probes: &[Probes],
    switches: SwitchSet,
) -> impl Iterator<Item = Variant> {
    let modes = [Paging::Nested, Paging::Shadow];
    probes
        .iter()
        .flat_map(move |&probes| modes.map(|paging| Variant { arch, paging, probes, switches }))
}

/// What is said when there is no emulator.
pub(crate) const NOWHERE: &str =
    "there is no emulator to measure on: `cargo xtask doctor` lists what is missing";

/// Those of `computers` that this one can emulate. The others are named and left out.
pub(crate) fn available(computers: &[Computer], install: Install) -> Vec<Computer> {
    let there = |computer: &&Computer| {
        let result = setup::ensure(&setup::needs_of(**computer), install);
        if let Err(why) = &result {
            eprintln!("warning: nothing is measured on {}: {why:#}", computer.title());
        }
        result.is_ok()
    };
    computers.iter().filter(there).copied().collect()
}
