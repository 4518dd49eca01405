//! Bad input: each gives one clear error and a status that is not 0.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::tally::Tally;
use crate::arch::Arch;
use crate::computer::Program;
use crate::paths;

/// The emulator of the first instruction set.
const QEMU: Program = Program::Qemu(Arch::Aarch64);

/// What a person asks for, and what the error must say.
struct Input {
    name: &'static str,
    options: &'static [&'static str],
    says: &'static str,
}

const INPUTS: [Input; 11] = [
    Input { name: "unknown guest", options: &["--guest", "nonesuch"], says: "the guests are: " },
    Input { name: "unknown option", options: &["--nonesuch"], says: "--nonesuch" },
    Input {
        name: "unknown machine",
        options: &["--machine", "no/such.toml"],
        says: "no/such.toml",
    },
    Input {
        name: "a machine that is none",
        options: &["--machine", "Cargo.toml"],
        says: "does not make sense",
    },
    Input { name: "unknown image", options: &["--image", "no/such.elf"], says: "no/such.elf" },
    Input { name: "unknown initrd", options: &["--initrd", "no/such.cpio"], says: "no/such.cpio" },
    Input {
        name: "an absurd size",
        options: &["--mem", "3parsecs"],
        says: "write KiB, MiB or GiB",
    },
    Input { name: "an odd size", options: &["--mem", "3MiB"], says: "multiple of 2 MiB" },
    Input {
        name: "too little memory",
        options: &["--mem", "2MiB"],
        says: "give the guest more with --mem",
    },
    Input {
        name: "image and guest",
        options: &["--image", "a", "--guest", "b"],
        says: "cannot be used with",
    },
    Input { name: "unknown paging", options: &["--paging", "nonesuch"], says: "nested, shadow" },
];

/// Runs them all.
pub(super) fn all(tally: &mut Tally) -> Result<()> {
    for input in &INPUTS {
        tally.case(&format!("input: {}", input.name), || {
            refused(tool()?.args(input.options), input.says)
        });
    }
    let old = old_emulator()?;
    let cases = [
        ("input: an emulator that is too old", old, "is version 7.2.0, older than"),
        ("input: an emulator that is none", "/bin/true".into(), "does not say that it is QEMU"),
        ("input: an emulator that is not there", "no/such".into(), "does not run"),
    ];
    for (name, program, says) in cases {
        tally.case(name, || refused(tool()?.env(QEMU.variable(), program), says));
    }
    Ok(())
}

/// This tool, about to run a guest.
pub(super) fn tool() -> Result<Command> {
    let mut command = Command::new(env::current_exe().context("this tool cannot find itself")?);
    command.current_dir(paths::root()).args(["qemu", "--no-install"]);
    Ok(command)
}

fn refused(command: &mut Command, says: &str) -> Result<()> {
    let output = command.output().context("this tool cannot run itself")?;
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success(), "it is not refused");
    ensure!(message.contains(says), "the error does not say `{says}`: {message}");
    ensure!(!message.contains("panicked"), "it panics: {message}");
    Ok(())
}

/// A program that says that it is an old QEMU.
fn old_emulator() -> Result<PathBuf> {
    let file = paths::own().join("old-emulator");
    fs::create_dir_all(paths::own())?;
    fs::write(&file, "#!/bin/sh\necho QEMU emulator version 7.2.0\n")
        .context("cannot write a script")?;
    fs::set_permissions(&file, Permissions::from_mode(0o755))?;
    Ok(file)
}
