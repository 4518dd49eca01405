//! Building the hypervisor and the guests.
//!
//! The hypervisor's variants are cargo features of one package, so they share one target directory
//! and one compiled `core`. Cargo leaves whichever it built last under the same name; each is copied
//! to a name of its own.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use paging::switch::{Switch, SwitchSet, Switches as _};

use crate::arch::Arch;
use crate::cli::{self, Paging, Probes, What};
use crate::progress::Step;
use crate::toolchain::{Toolchain, host_cargo};
use crate::{paths, process, setup};

/// The folder under guests/ that is no guest: what they are made with.
const RUNTIME: &str = "rt";
/// The package of the model's plugin for QEMU.
const PLUGIN: &str = "mmu-plugin";

/// One of the hypervisor's variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// Instruction set.
    pub(crate) arch: Arch,
    /// How guest memory is virtualized.
    pub(crate) paging: Paging,
    /// What is recorded.
    pub(crate) probes: Probes,
    /// The steps of shadow paging.
    pub(crate) switches: SwitchSet,
}

impl What {
    /// The hypervisor that it asks for.
    pub(crate) fn variant(&self, arch: Arch) -> Variant {
        let switches = self.steps.switches();
        Variant { arch, paging: self.paging, probes: self.probes, switches }
    }
}

impl Variant {
    /// Its name in file names: the steps of shadow paging are in it where they are not the usual ones.
    pub(crate) fn name(self) -> String {
        let mut name =
            format!("{}-{}-{}", self.arch.name(), self.paging.name(), self.probes.name());
        for switch in Switch::ALL {
            match (self.switches.has(switch), switch.is_default()) {
                (true, false) => name = name + "-with-" + switch.name(),
                (false, true) => name = name + "-without-" + switch.name(),
                _ => {}
            }
        }
        name
    }

    /// The hypervisor's features, for cargo.
    pub(crate) fn features(self) -> String {
        let mut features = vec![self.paging.name()];
        features.extend(self.probes.feature());
        if self.paging == Paging::Shadow {
            features.extend(self.switches.iter().map(Switch::name));
        }
        features.join(",")
    }
}

/// `cargo xtask build`: one variant and all guests.
pub(crate) fn run(options: &cli::Build) -> Result<u8> {
    let toolchain = setup::toolchain(options.arch, options.set_up.install())?;
    let cli::Build { arch, paging, probes, ref steps, .. } = *options;
    let variant = Variant { arch, paging, probes, switches: steps.switches() };
    println!("{}", hypervisor(&toolchain, variant)?.display());
    let guests = guest_names()?;
    let names: Vec<_> = guests.iter().map(String::as_str).collect();
    for image in self::guests(&toolchain, options.arch, &names)? {
        println!("{}", image.display());
    }
    Ok(0)
}

/// Builds a variant of the hypervisor and returns its ELF file.
pub(crate) fn hypervisor(toolchain: &Toolchain, variant: Variant) -> Result<PathBuf> {
    let name = variant.name();
    let mut cargo = toolchain.cargo("build");
    cargo.args(["--release", "--package", "hv", "--no-default-features", "--features"]);
    cargo.arg(variant.features());
    compile(&mut cargo, &format!("the hypervisor ({name})"))?;
    let made = built(variant.arch, "hv");
    let kept = paths::own().join(format!("hv-{name}.elf"));
    fs::create_dir_all(paths::own()).context("cannot make the folder for images")?;
    fs::copy(&made, &kept)
        .with_context(|| format!("cannot copy {} to {}", made.display(), kept.display()))?;
    Ok(kept)
}

/// Builds guests, all at once, and returns their ELF files in the same order.
pub(crate) fn guests(toolchain: &Toolchain, arch: Arch, names: &[&str]) -> Result<Vec<PathBuf>> {
    let mut cargo = toolchain.cargo("build");
    cargo.arg("--release");
    for name in names {
        cargo.args(["--package", name]);
    }
    let what = match names {
        [name] => format!("the guest {name}"),
        _ => format!("{} guests", names.len()),
    };
    compile(&mut cargo, &what)?;
    Ok(names.iter().map(|name| built(arch, name)).collect())
}

/// Builds the model's plugin, for this computer, and returns its file.
pub(crate) fn plugin() -> Result<PathBuf> {
    let mut cargo = host_cargo();
    cargo.args(["build", "--release", "--package", PLUGIN]);
    compile(&mut cargo, "the model of the MMU")?;
    let library = format!("{DLL_PREFIX}{}{DLL_SUFFIX}", PLUGIN.replace('-', "_"));
    Ok(paths::target().join("release").join(library))
}

/// The guests of this tree, by name.
pub(crate) fn guest_names() -> Result<Vec<String>> {
    let dir = paths::guests();
    let entries =
        dir.read_dir().with_context(|| format!("cannot list the guests in {}", dir.display()))?;
    let mut names: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name != RUNTIME)
        .collect();
    names.sort();
    Ok(names)
}

/// Fails unless this tree has the guest.
pub(crate) fn check_guest(name: &str) -> Result<()> {
    let names = guest_names()?;
    if !names.iter().any(|known| known == name) {
        bail!("there is no guest `{name}`; the guests are: {}", names.join(", "));
    }
    Ok(())
}

fn built(arch: Arch, name: &str) -> PathBuf {
    paths::target().join(arch.target()).join("release").join(name)
}

fn compile(cargo: &mut Command, what: &str) -> Result<()> {
    let _step = Step::begin(format!("building {what}"));
    process::quietly(cargo, &format!("building {what}"))
}
