//! Bad input: each gives one clear error and a status that is not 0.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::images;
use super::tally::Tally;
use crate::arch::Arch;
use crate::computer::Program;
use crate::paths;
use crate::setup::browser;

/// What a person asks for, and what the error must say.
struct Input {
    name: &'static str,
    options: &'static [&'static str],
    says: &'static str,
}

const fn input(name: &'static str, options: &'static [&'static str], says: &'static str) -> Input {
    Input { name, options, says }
}

const INPUTS: [Input; 36] = [
    input("unknown guest", &["qemu", "--guest", "nonesuch"], "the guests are: "),
    input("unknown option", &["qemu", "--nonesuch"], "--nonesuch"),
    input("unknown machine", &["qemu", "--machine", "no/such.toml"], "no/such.toml"),
    input("a machine that is none", &["qemu", "--machine", "Cargo.toml"], "does not make sense"),
    input("unknown image", &["qemu", "--image", "no/such.elf"], "no/such.elf"),
    input("unknown initrd", &["qemu", "--initrd", "no/such.cpio"], "no/such.cpio"),
    input("an absurd size", &["qemu", "--mem", "3parsecs"], "write KiB, MiB or GiB"),
    input("an odd size", &["qemu", "--mem", "3MiB"], "multiple of 2 MiB"),
    input("too little memory", &["qemu", "--mem", "2MiB"], "give the guest more with --mem"),
    input("image and guest", &["qemu", "--image", "a", "--guest", "b"], "cannot be used with"),
    input("unknown paging", &["qemu", "--paging", "nonesuch"], "nested, shadow"),
    input("unknown step", &["qemu", "--without", "luck"], "reverse-map, native-faults"),
    input("steps of nested paging", &["qemu", "--without", "all"], "add --paging shadow"),
    input("unknown instruction set", &["qemu", "--arch", "riscv"], "aarch64, x86_64"),
    input("unknown accelerator", &["qemu", "--accel", "magic"], "tcg, kvm"),
    input("KVM on Arm", &["qemu", "--accel", "kvm"], "--arch x86_64"),
    input(
        "too much memory for a PC",
        &["qemu", "--arch", "x86_64", "--mem", "4GiB"],
        "3 GiB at most",
    ),
    input(
        "an Arm machine for a PC",
        &["qemu", "--arch", "x86_64", "--machine", "guests/machine.toml"],
        "a PC's devices",
    ),
    input("unknown model", &["bochs", "--cpu", "z80"], "corei7_skylake_x"),
    input("a debugger for Bochs", &["bochs", "--debug"], "cargo xtask qemu --arch x86_64 --debug"),
    input("too much memory for Bochs", &["bochs", "--mem", "2GiB"], "1GiB or less with --mem"),
    input("a disc for Arm", &["image", "--arch", "aarch64"], "--arch x86_64"),
    input("no image for a disc", &["image", "--image", "no/such.elf"], "no/such.elf"),
    input("unknown guest to compare", &["compare", "--guest", "nonesuch"], "the guests are: "),
    input("results that are not there", &["compare", "--against", "no/such.json"], "no/such.json"),
    input("a folder for results that is a file", &["compare", "--out", "Cargo.toml"], "with --out"),
    input("unknown guest to ablate", &["ablate", "--guest", "nonesuch"], "the guests are: "),
    input("figures where the table goes", &["ablate", "--out", "steps.txt"], "steps.json"),
    input(
        "a folder for figures that is a file",
        &["ablate", "--out", "Cargo.toml/a"],
        "with --out",
    ),
    input("unknown geometry", &["qemu", "--mmu-model", "pentium"], "presets are: cortex-a76, "),
    input("unknown file of a geometry", &["compare", "--mmu-model", "no/such"], "no/such"),
    input("a geometry that is none", &["qemu", "--mmu-model", "Cargo.toml"], "form of a geometry"),
    input("a check without a model", &["qemu", "--mmu-check"], "--mmu-model"),
    input("a model of Bochs", &["bochs", "--mmu-model"], "cargo xtask qemu --arch x86_64"),
    input(
        "a model under KVM",
        &["qemu", "--arch", "x86_64", "--accel", "kvm", "--mmu-model"],
        "leave --accel kvm out",
    ),
    input(
        "a file for a model that is a folder",
        &["qemu", "--mmu-model", "--mmu-json", "xtask"],
        "name a file with --mmu-json",
    ),
];

/// Runs them all.
pub(super) fn all(tally: &mut Tally) -> Result<()> {
    for Input { name, options, says } in &INPUTS {
        tally.case(&format!("input: {name}"), || refused(&mut tool(options)?, says));
    }
    for (name, file, options, says) in images::bad()? {
        tally.case(&format!("input: {name}"), || {
            refused(tool(options)?.arg("--image").arg(file), says)
        });
    }
    let old = old_emulator()?;
    let qemu = Program::Qemu(Arch::Aarch64).variable();
    let bochs = Program::Bochs.variable();
    let browser = browser::VARIABLE;
    let cases: [(_, _, PathBuf, _, _); 7] = [
        ("an emulator that is too old", qemu, old, "qemu", "is version 7.2.0, older than"),
        ("an emulator that is none", qemu, "/bin/true".into(), "qemu", "does not say that it is"),
        ("an emulator that is not there", qemu, "no/such".into(), "qemu", "does not run"),
        ("a Bochs that is none", bochs, "/bin/true".into(), "bochs", "does not say that it is"),
        ("a Bochs that is not there", bochs, "no/such".into(), "bochs", "does not run"),
        ("a browser that is none", browser, "/bin/true".into(), "test", "does not say that it is"),
        ("a browser that is not there", browser, "no/such".into(), "test", "does not run"),
    ];
    for (name, variable, program, command, says) in cases {
        tally.case(&format!("input: {name}"), || {
            refused(tool(&[command])?.env(variable, program), says)
        });
    }
    Ok(())
}

/// This tool, about to do something without installing anything.
pub(super) fn tool(options: &[&str]) -> Result<Command> {
    let mut command = Command::new(env::current_exe().context("this tool cannot find itself")?);
    command.current_dir(paths::root()).args(options).arg("--no-install");
    Ok(command)
}

/// Fails unless this tool refuses something, and says so.
pub(super) fn refused(command: &mut Command, says: &str) -> Result<()> {
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
