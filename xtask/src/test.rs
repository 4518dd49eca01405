//! `cargo xtask test`: everything that can fail.
//!
//! From the cheapest to the dearest: style, tests on this computer, what no compiler checks, bad
//! input, and every guest in every mode in the emulator.

mod input;
mod runs;
mod tally;
mod whole;

use std::process::Command;

use anyhow::{Result, bail};

use self::tally::Tally;
use crate::arch::Arch;
use crate::cli::{self, Paging, Probes};
use crate::computer::Program;
use crate::lab::Lab;
use crate::progress::Step;
use crate::setup::{self, Need};
use crate::toolchain::{Toolchain, host_cargo};
use crate::{build, disasm, emu, process, tidy};

/// The instruction set that is tested.
const ARCH: Arch = Arch::Aarch64;

/// `cargo xtask test`.
pub(crate) fn run(options: &cli::Test) -> Result<u8> {
    let install = options.set_up.install();
    setup::ensure(&[Need::Emulator(Program::Qemu(ARCH)), Need::Rustfmt, Need::Clippy], install)?;
    let toolchain = setup::toolchain(ARCH, install)?;
    setup::ensure(&[Need::BareClippy(ARCH)], install)?;
    let mut tally = Tally::new(options.filter.clone());
    style(&mut tally, &toolchain)?;
    on_this_computer(&mut tally);
    tally.case("tidy: unsafe files", tidy::unsafe_files);
    tally.case("tidy: nothing left for later", tidy::nothing_left_for_later);
    tally.case("tidy: no machine paths", tidy::no_machine_paths);
    match Lab::new(ARCH, &toolchain, &[Probes::Off, Probes::Counts, Probes::Full]) {
        Ok(lab) => {
            counters(&mut tally, &lab);
            frames(&mut tally, &lab);
            input::all(&mut tally)?;
            whole::all(&mut tally)?;
            runs::all(&mut tally, &lab)?;
        }
        Err(error) => tally.fail("build", &format!("{error:#}")),
    }
    let status = tally.close();
    Ok(if emu::interrupted() { emu::INTERRUPTED } else { status })
}

fn style(tally: &mut Tally, toolchain: &Toolchain) -> Result<()> {
    let deny = ["--", "-D", "warnings"];
    tally.case("rustfmt", || quietly(host_cargo().args(["fmt", "--all", "--check"])));
    tally.case("clippy: host", || {
        quietly(host_cargo().args(["clippy", "--all-targets"]).args(deny))
    });
    for paging in [Paging::Nested, Paging::Shadow] {
        tally.case(&format!("clippy: hypervisor, {}", paging.name()), || {
            let mut clippy = toolchain.clippy();
            let features = format!("{},probes-full", paging.name());
            clippy
                .args(["--package", "hv", "--no-default-features", "--features", &features])
                .args(deny);
            quietly(&mut clippy)
        });
    }
    let guests = build::guest_names()?;
    tally.case("clippy: guests", || {
        let mut clippy = toolchain.clippy();
        for guest in &guests {
            clippy.args(["--package", guest]);
        }
        quietly(clippy.args(["--package", "rt"]).args(deny))
    });
    Ok(())
}

fn quietly(command: &mut Command) -> Result<()> {
    process::quietly(command, &process::name_of(command))
}

/// `cargo test`, whose tests count one by one.
fn on_this_computer(tally: &mut Tally) {
    let name = "cargo test";
    if !tally.wants(name) {
        return;
    }
    let step = Step::begin(format!("{name}, on this computer"));
    let output = host_cargo().args(["test", "--no-fail-fast"]).output();
    drop(step);
    let output = match output {
        Ok(output) => output,
        Err(error) => return tally.fail(name, &error.to_string()),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let (passed, failed) = count_results(&text);
    tally.add_passed(name, passed);
    for line in text.lines().filter(|line| line.starts_with("test ") && line.ends_with("FAILED")) {
        tally.fail(name, line);
    }
    if !output.status.success() {
        eprintln!("{text}{}", String::from_utf8_lossy(&output.stderr));
        if failed == 0 {
            tally.fail(name, "it does not compile");
        }
    }
}

/// The sums of the lines in which `cargo test` counts what passed and failed.
fn count_results(text: &str) -> (u32, u32) {
    let mut sums = (0, 0);
    for line in text.lines().filter(|line| line.starts_with("test result:")) {
        let count = |what: &str| {
            let part = line.split([';', '.']).find(|part| part.trim_end().ends_with(what))?;
            part.split_whitespace().next()?.parse::<u32>().ok()
        };
        sums = (sums.0 + count("passed").unwrap_or(0), sums.1 + count("failed").unwrap_or(0));
    }
    sums
}

fn counters(tally: &mut Tally, lab: &Lab) {
    for paging in [Paging::Nested, Paging::Shadow] {
        tally.case(&format!("probes off: no counter is read, {}", paging.name()), || {
            let found = disasm::counter_reads(lab.hypervisor(paging, Probes::Off)?)?;
            if found.is_empty() { Ok(()) } else { bail!("{}", found.join("; ")) }
        });
    }
    tally.case("probes full: the search finds the clock", || {
        let found = disasm::counter_reads(lab.hypervisor(Paging::Nested, Probes::Full)?)?;
        if found.is_empty() {
            bail!("the search finds nothing where there is something")
        } else {
            Ok(())
        }
    });
}

/// No function of any variant takes much of the stack.
fn frames(tally: &mut Tally, lab: &Lab) {
    for paging in [Paging::Nested, Paging::Shadow] {
        for probes in [Probes::Off, Probes::Counts, Probes::Full] {
            let name = format!("frames are small: {}, probes {}", paging.name(), probes.name());
            tally.case(&name, || {
                let found = disasm::large_frames(lab.hypervisor(paging, probes)?)?;
                if found.is_empty() { Ok(()) } else { bail!("{}", found.join("; ")) }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::count_results;

    #[test]
    fn results_are_summed_up() {
        let text = "test a ... ok\ntest result: ok. 12 passed; 0 failed; 1 ignored; 0 measured\n\
                    test result: FAILED. 3 passed; 2 failed; 0 ignored\n";
        assert_eq!(count_results(text), (15, 2));
    }
}
