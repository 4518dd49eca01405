//! Umbra's build tool: `cargo xtask`.
//!
//! Each subcommand is a file. What they share runs from the outside in: [`setup`] sees that the
//! computer has what is needed, [`build`] makes the hypervisor and the guests, [`manifest`],
//! [`image`], [`devicetree`], [`pvh`] and [`multiboot`] describe a machine, [`bundle`] puts it behind
//! the hypervisor, [`emu`] boots it on a [`computer`], and [`report`] and [`table`] read what came
//! back.

#![forbid(unsafe_code)]

mod ablate;
mod arch;
mod bench;
mod build;
mod bundle;
mod cli;
mod compare;
mod computer;
mod devicetree;
mod disasm;
mod disc;
mod doctor;
mod elf;
mod emu;
mod golden;
mod grub;
mod image;
mod kernel;
mod lab;
mod manifest;
mod mmu;
mod multiboot;
mod page;
mod parallel;
mod paths;
mod pc;
mod process;
mod progress;
mod pvh;
mod report;
mod results;
mod run;
mod scratch;
mod setup;
mod table;
mod test;
mod tidy;
mod toolchain;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Qemu(options) => run::qemu(&options),
        Command::Bochs(options) => run::bochs(&options),
        Command::Image(options) => disc::run(&options),
        Command::Build(options) => build::run(&options),
        Command::Doctor => Ok(doctor::run()),
        Command::Test(options) => test::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Compare(options) => compare::run(&options),
        Command::Ablate(options) => ablate::run(&options),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
