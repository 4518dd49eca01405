//! The emulator: which one, and whether it will do.
//!
//! Version 10 is the first whose AArch64 has fine-grained traps (FEAT_FGT), on which shadow paging
//! stands. The version does not say how the emulator was built, so the machine that the project
//! boots is also asked for, stopped before its first instruction.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::variable;
use crate::cli::Arch;
use crate::{emu, process};

/// The oldest major version that will do.
pub(crate) const OLDEST: u32 = 10;
/// The variable that names another emulator than the one in the search path.
pub(crate) const OVERRIDE: &str = "UMBRA_QEMU";

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

/// The emulator for `arch`, or why there is none.
pub(crate) fn look(arch: Arch) -> Result<Emulator, String> {
    let name = format!("qemu-system-{}", arch.name());
    let program = match variable(OVERRIDE) {
        Some(path) => PathBuf::from(path),
        None => process::find(&name).ok_or_else(|| format!("no {name} in the search path"))?,
    };
    let shown = program.display();
    let text = process::output(Command::new(&program).arg("--version"))
        .ok_or_else(|| format!("`{shown} --version` does not run"))?;
    let (major, version) =
        parse_version(&text).ok_or_else(|| format!("{shown} does not say that it is QEMU"))?;
    if major < OLDEST {
        return Err(format!("{shown} is version {version}, older than {OLDEST}"));
    }
    probe(&program).map_err(|why| format!("{shown} cannot run the reference machine: {why}"))?;
    Ok(Emulator { program, version: version.to_owned() })
}

/// The major version and the whole version in what `--version` prints.
fn parse_version(text: &str) -> Option<(u32, &str)> {
    let version = text.lines().next()?.strip_prefix("QEMU emulator version ")?;
    Some((version.split('.').next()?.parse().ok()?, version))
}

/// Makes the reference machine, and ends it before it runs.
fn probe(program: &PathBuf) -> Result<(), String> {
    let mut command = Command::new(program);
    emu::machine(&mut command, true, 64);
    command.args(["-S", "-serial", "none", "-monitor", "stdio"]).stdin(Stdio::piped());
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
    let message = String::from_utf8_lossy(&output.stderr);
    Err(message.lines().next().unwrap_or("it ends at once").to_owned())
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
