//! What may stand on the command line.

mod measure;
mod mmu;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};
use paging::switch::{Switch, SwitchSet};

pub(crate) use self::measure::{Ablate, Compare};
pub(crate) use self::mmu::{Mmu, MmuRun};
use crate::arch::Arch;
use crate::computer::{Accel, Model};
use crate::setup::Install;

/// Builds, boots, measures and tests Umbra.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Boot a guest under QEMU and print what it cost.
    Qemu(Qemu),
    /// Boot a guest under Bochs (x86-64) and print what it cost.
    Bochs(Bochs),
    /// Make a bootable disc image of the hypervisor and a guest (x86-64).
    Image(Image),
    /// Build the hypervisor and the guests.
    Build(Build),
    /// List what the computer needs and what it has.
    Doctor,
    /// Run everything that can fail.
    Test(Test),
    /// Measure the budgets.
    Bench(Bench),
    /// Measure guests natively and under both ways of paging, and set the figures side by side.
    Compare(Compare),
    /// Measure what each step of shadow paging is worth.
    Ablate(Ablate),
}

/// How guest memory is virtualized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Paging {
    /// The hardware walks the guest's tables and the hypervisor's.
    Nested,
    /// The hardware walks one table, the product of both.
    Shadow,
}

impl Paging {
    /// Its name, also of the hypervisor's feature.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nested => "nested",
            Self::Shadow => "shadow",
        }
    }
}

/// What the hypervisor records of its own work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Probes {
    /// Nothing.
    Off,
    /// How often each event happened.
    Counts,
    /// Counts, and how long each took.
    Full,
}

impl Probes {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Counts => "counts",
            Self::Full => "full",
        }
    }

    /// The hypervisor's feature that turns it on.
    pub(crate) const fn feature(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Counts => Some("probes-counts"),
            Self::Full => Some("probes-full"),
        }
    }
}

/// The largest block that maps guest RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Block {
    /// 4 KiB pages only.
    #[value(name = "4k")]
    Page,
    /// Up to 2 MiB.
    #[value(name = "2m")]
    Middle,
    /// Up to 1 GiB.
    #[value(name = "1g")]
    Large,
}

impl Block {
    /// The one where none is named.
    pub(crate) const DEFAULT: Self = Self::Middle;
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Page, Self::Middle, Self::Large];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Page => "4k",
            Self::Middle => "2m",
            Self::Large => "1g",
        }
    }

    /// log2 of its bytes.
    pub(crate) const fn shift(self) -> u32 {
        match self {
            Self::Page => 12,
            Self::Middle => 21,
            Self::Large => 30,
        }
    }
}

/// Whether missing tools may be installed.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct SetUp {
    /// Never install anything: name the command instead.
    #[arg(long)]
    pub(crate) no_install: bool,
}

impl SetUp {
    /// The permission it amounts to.
    pub(crate) fn install(self) -> Install {
        if self.no_install { Install::Never } else { Install::for_this_session() }
    }
}

/// Which steps of shadow paging the hypervisor has.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Steps {
    /// Build shadow paging without these steps; `all` leaves out every one.
    #[arg(long, value_name = "STEP", value_delimiter = ',', value_parser = PossibleValuesParser::new(step_names()))]
    pub(crate) without: Vec<String>,
    /// Build shadow paging with these steps as well; `paravirtual` is the one that is off otherwise.
    #[arg(long, value_name = "STEP", value_delimiter = ',', value_parser = PossibleValuesParser::new(step_names()))]
    pub(crate) with: Vec<String>,
}

/// The word for every step.
const ALL_STEPS: &str = "all";

/// What may stand for a step.
fn step_names() -> Vec<&'static str> {
    Switch::ALL.iter().map(|switch| switch.name()).chain([ALL_STEPS]).collect()
}

impl Steps {
    /// Whether nothing is asked for.
    pub(crate) const fn is_usual(&self) -> bool {
        self.without.is_empty() && self.with.is_empty()
    }

    /// What they amount to: steps that are asked for are there whatever was left out.
    pub(crate) fn switches(&self) -> SwitchSet {
        let named = |names: &[String], switch: Switch| {
            names.iter().any(|name| name == switch.name() || name == ALL_STEPS)
        };
        Switch::ALL.into_iter().fold(SwitchSet::NONE, |set, switch| {
            let kept = switch.is_default() && !named(&self.without, switch);
            if kept || named(&self.with, switch) { set.with(switch) } else { set }
        })
    }
}

/// What is booted, and how it is built.
#[derive(Args, Clone, Debug)]
pub(crate) struct What {
    /// How guest memory is virtualized.
    #[arg(long, value_enum, default_value = "nested")]
    pub(crate) paging: Paging,
    /// A guest of this tree: a folder under guests/.
    #[arg(long, value_name = "NAME", conflicts_with = "image")]
    pub(crate) guest: Option<String>,
    /// The machine's manifest; default: the guest's own, else that of all guests.
    #[arg(long, value_name = "FILE")]
    pub(crate) machine: Option<PathBuf>,
    /// The largest block that maps guest RAM.
    #[arg(long, value_enum, default_value_t = Block::DEFAULT)]
    pub(crate) block: Block,
    /// What the hypervisor records.
    #[arg(long, value_enum, default_value = "full")]
    pub(crate) probes: Probes,
    /// Which steps of shadow paging there are.
    #[command(flatten)]
    pub(crate) steps: Steps,
    /// Measure one exit in N, pseudo-randomly; counts stay exact.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) sample: u32,
    /// Boot this image: on Arm ELF, arm64 Image, or a flat binary for RAM base + 0x80000; on x86-64 a
    /// kernel with a PVH note or a multiboot header.
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Option<PathBuf>,
    /// The guest's memory, for example 512MiB; default: the manifest's.
    #[arg(long, value_name = "SIZE")]
    pub(crate) mem: Option<String>,
    /// The guest's arguments; default: the manifest's.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub(crate) append: Option<String>,
    /// An initial RAM disk.
    #[arg(long, value_name = "FILE")]
    pub(crate) initrd: Option<PathBuf>,
    /// Whether missing tools may be installed.
    #[command(flatten)]
    pub(crate) set_up: SetUp,
}

/// How it is run.
#[derive(Args, Clone, Debug)]
pub(crate) struct How {
    /// What is booted.
    #[command(flatten)]
    pub(crate) what: What,
    /// Boot the guest with no hypervisor under it.
    #[arg(long)]
    pub(crate) native: bool,
    /// Stop the guest after this many seconds [default: 120; with --debug: never].
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) timeout: Option<u64>,
    /// Also write the report to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Print the records as they came, not tables.
    #[arg(long)]
    pub(crate) raw: bool,
    /// Wait for a debugger before the first instruction.
    #[arg(long)]
    pub(crate) debug: bool,
    /// Whether its MMU is modelled.
    #[command(flatten)]
    pub(crate) mmu: MmuRun,
}

/// Options of `cargo xtask qemu`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Qemu {
    /// Instruction set.
    #[arg(long, value_enum, default_value = "aarch64")]
    pub(crate) arch: Arch,
    /// What executes the machine's instructions; kvm on x86-64 only.
    #[arg(long, value_enum, default_value = "tcg")]
    pub(crate) accel: Accel,
    /// What, and how.
    #[command(flatten)]
    pub(crate) how: How,
}

/// Options of `cargo xtask bochs`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Bochs {
    /// The processor's model.
    #[arg(
        long,
        value_name = "MODEL",
        default_value = Model::SKYLAKE.name,
        value_parser = PossibleValuesParser::new(Model::names())
            .map(|name| Model::named(&name).unwrap_or(Model::SKYLAKE))
    )]
    pub(crate) cpu: Model,
    /// What, and how.
    #[command(flatten)]
    pub(crate) how: How,
}

/// Options of `cargo xtask image`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Image {
    /// Instruction set: x86_64.
    #[arg(long, value_enum, default_value = "x86_64")]
    pub(crate) arch: Arch,
    /// Where the image goes [default: target/umbra/umbra-GUEST-PAGING.iso].
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What it boots.
    #[command(flatten)]
    pub(crate) what: What,
}

/// Options of `cargo xtask build`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Build {
    /// Instruction set.
    #[arg(long, value_enum, default_value = "aarch64")]
    pub(crate) arch: Arch,
    /// How guest memory is virtualized.
    #[arg(long, value_enum, default_value = "nested")]
    pub(crate) paging: Paging,
    /// What the hypervisor records.
    #[arg(long, value_enum, default_value = "full")]
    pub(crate) probes: Probes,
    /// Which steps of shadow paging there are.
    #[command(flatten)]
    pub(crate) steps: Steps,
    /// Whether missing tools may be installed.
    #[command(flatten)]
    pub(crate) set_up: SetUp,
}

/// Options of `cargo xtask test`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Test {
    /// Run only the cases whose name contains this.
    #[arg(value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// Whether missing tools may be installed.
    #[command(flatten)]
    pub(crate) set_up: SetUp,
}

/// Options of `cargo xtask bench`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Bench {
    /// Instruction set.
    #[arg(long, value_enum, default_value = "aarch64")]
    pub(crate) arch: Arch,
    /// Where to save the figures [default: target/umbra/bench.json, on x86-64 bench-x86_64.json].
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Whether missing tools may be installed.
    #[command(flatten)]
    pub(crate) set_up: SetUp,
}
