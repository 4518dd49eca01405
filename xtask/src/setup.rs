//! What the computer must have, and how it gets it.
//!
//! A [`Need`] is looked for, and where it is missing there are remedies: shell commands, printed by
//! `doctor` exactly as the set-up would run them. A remedy that does not help is followed by the
//! next; when none is left, one error names them all.

mod apt;
pub(crate) mod browser;
pub(crate) mod emulator;
mod files;
pub(crate) mod kvm;
mod remedy;

use std::env;
use std::io::{IsTerminal as _, Write as _, stderr, stdin};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context as _, Result, bail};

pub(crate) use self::files::ovmf;
use self::remedy::Remedy;
use crate::arch::Arch;
use crate::computer::{Computer, Program};
use crate::toolchain::{self, Toolchain};
use crate::{grub, process};

/// Something that must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// An emulator, recent enough.
    Emulator(Program),
    /// The display and the firmware of Bochs, which are packages of their own.
    BochsFiles,
    /// What makes a disc that BIOS firmware boots.
    Grub,
    /// What makes a disc that UEFI firmware boots as well: `cargo xtask image` only.
    GrubUefi,
    /// UEFI firmware for QEMU: `cargo xtask test` only.
    Ovmf,
    /// A browser without a display: `cargo xtask test` only.
    Browser,
    /// A compiler and `core` for the bare-metal target.
    Compiler(Arch),
    /// A linker for it.
    Linker(Arch),
    /// The formatter: `cargo xtask test` only.
    Rustfmt,
    /// The linter: `cargo xtask test` only.
    Clippy,
    /// The linter for the bare-metal target: `cargo xtask test` only.
    BareClippy(Arch),
}

/// Whether what is missing may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Install {
    /// No.
    Never,
    /// After a question at the terminal.
    Ask,
    /// Yes.
    Freely,
}

impl Install {
    /// Root and programs install; a person at a terminal is asked.
    pub(crate) fn for_this_session() -> Self {
        if is_root() || !stdin().is_terminal() || !stderr().is_terminal() {
            Self::Freely
        } else {
            Self::Ask
        }
    }

    fn granted(self, need: Need, remedy: &Remedy) -> Result<bool> {
        match self {
            Self::Never => Ok(false),
            Self::Freely => Ok(true),
            Self::Ask => {
                eprint!("{} is missing. Run `{}`? [Y/n] ", need.name(), remedy.line());
                stderr().flush()?;
                let mut answer = String::new();
                stdin().read_line(&mut answer).context("cannot read the answer")?;
                Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
            }
        }
    }
}

/// Whether this process may do anything.
pub(crate) fn is_root() -> bool {
    static ROOT: LazyLock<bool> = LazyLock::new(|| {
        process::output(Command::new("id").arg("-u")).is_some_and(|user| user == "0")
    });
    *ROOT
}

impl Need {
    /// What it is, for a person.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Emulator(Program::Qemu(arch)) => {
                format!("QEMU {} or newer for {}", emulator::OLDEST, arch.name())
            }
            Self::Emulator(Program::Bochs) => "Bochs".to_owned(),
            Self::BochsFiles => "Bochs's terminal display, BIOS and VGA BIOS".to_owned(),
            Self::Grub => "GRUB for BIOS, and xorriso".to_owned(),
            Self::GrubUefi => "GRUB for UEFI, and mtools".to_owned(),
            Self::Ovmf => "UEFI firmware for QEMU (OVMF)".to_owned(),
            Self::Browser => "Chromium".to_owned(),
            Self::Compiler(arch) => format!("Rust for {}", arch.target()),
            Self::Linker(_) => "an ELF linker (rust-lld or ld.lld)".to_owned(),
            Self::Rustfmt => "rustfmt".to_owned(),
            Self::Clippy => "clippy".to_owned(),
            Self::BareClippy(arch) => format!("clippy for {}", arch.target()),
        }
    }

    /// What was found, or why what was found will not do.
    pub(crate) fn look(self) -> Result<String, String> {
        match self {
            Self::Emulator(program) => emulator::look(program).map(|found| found.to_string()),
            Self::BochsFiles => files::all(files::BOCHS, &[]),
            Self::Grub => files::all(&[&[grub::BIOS_FILES]], &["grub-mkimage", "xorriso"]),
            Self::GrubUefi => files::all(&[&[grub::UEFI_FILES]], &["grub-mkrescue", "mformat"]),
            Self::Ovmf => files::all(&[files::OVMF], &[]),
            Self::Browser => browser::look()
                .map(|found| format!("{} ({})", found.version, found.program.display())),
            Self::Compiler(arch) => toolchain::compiler(arch).map(|found| found.to_string()),
            Self::Linker(_) => toolchain::linker().map(|found| found.display().to_string()),
            Self::Rustfmt => component("fmt"),
            Self::Clippy => component("clippy"),
            Self::BareClippy(arch) => toolchain::bare_clippy(arch),
        }
    }

    /// The variable in which a person can name one, if there is such.
    fn variable(self) -> Option<&'static str> {
        match self {
            Self::Emulator(program) => Some(program.variable()),
            Self::Browser => Some(browser::VARIABLE),
            _ => None,
        }
    }

    /// How to get it, best first.
    pub(crate) fn remedies(self) -> Vec<Remedy> {
        let rustup = process::find("rustup").is_some();
        let by_rustup = |command: String| rustup.then(|| Remedy::of(command));
        match self {
            // A person who names one is not helped by another.
            _ if self.variable().is_some_and(|name| variable(name).is_some()) => Vec::new(),
            Self::Emulator(Program::Qemu(arch)) => apt::qemu(arch).into_iter().collect(),
            Self::Emulator(Program::Bochs) | Self::BochsFiles => {
                apt::install(&["bochs", "bochs-term", "bochsbios", "vgabios"]).into_iter().collect()
            }
            Self::Grub => apt::install(&["grub-pc-bin", "xorriso"]).into_iter().collect(),
            Self::GrubUefi => {
                apt::install(&["grub-efi-amd64-bin", "grub-common", "mtools"]).into_iter().collect()
            }
            Self::Ovmf => apt::install(&["ovmf"]).into_iter().collect(),
            Self::Browser => apt::install(&["chromium"]).into_iter().collect(),
            Self::Compiler(arch) => by_rustup(format!("rustup target add {}", arch.target()))
                .into_iter()
                .chain(apt::install(&["rustc-web", "cargo-web", "rust-web-src"]))
                .collect(),
            Self::Linker(_) => apt::install(&["lld"]).into_iter().collect(),
            Self::Rustfmt => by_rustup("rustup component add rustfmt".to_owned())
                .into_iter()
                .chain(apt::install(&["rustfmt-web"]))
                .collect(),
            Self::Clippy => by_rustup("rustup component add clippy".to_owned())
                .into_iter()
                .chain(apt::install(&["rust-web-clippy"]))
                .collect(),
            Self::BareClippy(_) => apt::install(&["rust-web-clippy"]).into_iter().collect(),
        }
    }

    /// The one line that says how to get it by hand.
    pub(crate) fn mend(self) -> String {
        let lines: Vec<_> = self.remedies().iter().map(Remedy::line).collect();
        if lines.is_empty() {
            let where_else = self
                .variable()
                .map_or_else(String::new, |name| format!(", or name one in the variable {name}"));
            return format!(
                "install {} with your system's package manager{where_else}",
                self.name()
            );
        }
        lines.join("   or: ")
    }

    fn provide(self, install: Install) -> Result<()> {
        let Err(mut why) = self.look() else { return Ok(()) };
        for remedy in self.remedies() {
            if !install.granted(self, &remedy)? {
                continue;
            }
            if remedy.apply() {
                match self.look() {
                    Ok(found) => {
                        eprintln!("set-up: {}: {found}", self.name());
                        return Ok(());
                    }
                    Err(still) => why = still,
                }
            }
        }
        bail!("{} is missing: {why}\n  to mend it: {}", self.name(), self.mend())
    }
}

fn component(subcommand: &str) -> Result<String, String> {
    process::output(toolchain::host_cargo().args([subcommand, "--version"]))
        .ok_or_else(|| format!("`cargo {subcommand}` does not run"))
}

/// What a computer must have to run things.
pub(crate) fn needs_of(computer: Computer) -> Vec<Need> {
    let program = computer.program();
    match program {
        Program::Qemu(_) => vec![Need::Emulator(program)],
        Program::Bochs => vec![Need::Emulator(program), Need::BochsFiles, Need::Grub],
    }
}

/// What a computer must have to run all tests of an instruction set.
pub(crate) fn needs_of_all(arch: Arch) -> Vec<Need> {
    let mut needs = Vec::new();
    for need in arch.computers().iter().flat_map(|&computer| needs_of(computer)) {
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    needs
}

/// Sees that the computer has what `needs` lists.
pub(crate) fn ensure(needs: &[Need], install: Install) -> Result<()> {
    needs.iter().try_for_each(|need| need.provide(install))
}

/// Sees that the bare-metal packages can be built, and says with what.
pub(crate) fn toolchain(arch: Arch, install: Install) -> Result<Toolchain> {
    ensure(&[Need::Compiler(arch), Need::Linker(arch)], install)?;
    Toolchain::find(arch)
}

/// `command`, made to run as root.
fn as_root(command: &str) -> Option<String> {
    if is_root() {
        return Some(command.to_owned());
    }
    process::find("sudo")?;
    let ask = if stdin().is_terminal() { "sudo" } else { "sudo -n" };
    Some(format!("{ask} {command}"))
}

/// The variable's value, if it has one.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
