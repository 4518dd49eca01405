//! The emulators: which ones, and whether they will do.
//!
//! Version 10 of QEMU is the first whose AArch64 has fine-grained traps (FEAT_FGT), on which shadow
//! paging stands; x86-64 is measured with the same. The version does not say how the emulator was
//! built, so the machine that the project boots is also asked for, stopped before its first
//! instruction. Of Bochs one version is exact to the tick, 2.7, and a later one will run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::variable;
use crate::arch::Arch;
use crate::computer::{Accel, Computer, Model, Program};
use crate::{emu, process};

/// The oldest major version of QEMU that will do.
pub(crate) const OLDEST: u32 = 10;
/// The reference machine's memory, in bytes.
pub(crate) const MEMORY: u64 = 64 << 20;
/// What precedes Bochs's version where it prints it.
const BOCHS: &str = "Bochs x86 Emulator ";

impl Program {
    /// The variable that names another emulator than the one in the search path.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Qemu(Arch::Aarch64) => "UMBRA_QEMU",
            Self::Qemu(Arch::X86_64) => "UMBRA_QEMU_X86_64",
            Self::Bochs => "UMBRA_BOCHS",
        }
    }

    /// The program's name.
    fn file(self) -> String {
        match self {
            Self::Qemu(arch) => format!("qemu-system-{}", arch.name()),
            Self::Bochs => "bochs".to_owned(),
        }
    }
}

/// An emulator that will do.
#[derive(Clone, Debug)]
pub(crate) struct Emulator {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its version, as it prints it.
    pub(crate) version: String,
}

impl fmt::Display for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.version, self.program.display())
    }
}

impl Emulator {
    /// Fails unless a QEMU makes the reference machine also with these options; the error is all that it says.
    pub(crate) fn takes(&self, arch: Arch, options: &[String]) -> Result<(), String> {
        probe(&self.program, arch, options)
    }
}

/// The emulator, or why there is none.
pub(crate) fn look(wanted: Program) -> Result<Emulator, String> {
    let name = wanted.file();
    let program = match variable(wanted.variable()) {
        Some(path) => PathBuf::from(path),
        None => process::find(&name).ok_or_else(|| format!("no {name} in the search path"))?,
    };
    let version = match wanted {
        Program::Qemu(arch) => qemu(&program, arch)?,
        Program::Bochs => bochs(&program)?,
    };
    Ok(Emulator { program, version })
}

/// The version of a QEMU that will do.
fn qemu(program: &Path, arch: Arch) -> Result<String, String> {
    let shown = program.display();
    let text = process::output(Command::new(program).arg("--version"))
        .ok_or_else(|| format!("`{shown} --version` does not run"))?;
    let (major, version) =
        parse_version(&text).ok_or_else(|| format!("{shown} does not say that it is QEMU"))?;
    if major < OLDEST {
        return Err(format!("{shown} is version {version}, older than {OLDEST}"));
    }
    probe(program, arch, &[]).map_err(|messages| {
        let why = messages.lines().next().unwrap_or("it ends at once");
        format!("{shown} cannot run the reference machine: {why}")
    })?;
    Ok(version.to_owned())
}

/// The version of a Bochs. It tells that when it ends, among its messages.
fn bochs(program: &Path) -> Result<String, String> {
    let shown = program.display();
    let output = Command::new(program).args(["--help", "cpu"]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`{shown} --help cpu` does not run: {error}"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let version = text.lines().find_map(|line| line.trim().strip_prefix(BOCHS));
    let version = version.ok_or_else(|| format!("{shown} does not say that it is Bochs"))?;
    if !text.contains(Model::SKYLAKE.name) {
        return Err(format!("{shown} does not know the processor {}", Model::SKYLAKE.name));
    }
    Ok(version.to_owned())
}

/// The major version and the whole version in what `--version` prints.
fn parse_version(text: &str) -> Option<(u32, &str)> {
    let version = text.lines().next()?.strip_prefix("QEMU emulator version ")?;
    Some((version.split('.').next()?.parse().ok()?, version))
}

/// Makes the reference machine with further options, and ends it before it runs.
fn probe(program: &Path, arch: Arch, options: &[String]) -> Result<(), String> {
    let mut command = Command::new(program);
    let computer = match arch {
        Arch::Aarch64 => Computer::Virt,
        Arch::X86_64 => Computer::Q35(Accel::Tcg),
    };
    emu::machine(&mut command, computer, true, MEMORY >> 20);
    command
        .args(options)
        .args(["-S", "-serial", "none", "-monitor", "stdio"])
        .stdin(Stdio::piped());
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut monitor) = child.stdin.take() {
        // An emulator that has already given up does not read: its message says why.
        let _ = std::io::Write::write_all(&mut monitor, b"quit\n");
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let text = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright\n";
        assert_eq!(parse_version(text), Some((10, "10.0.2 (Debian 1:10.0.2+ds-2)")));
        assert_eq!(parse_version("bochs 2.7"), None);
    }
}
