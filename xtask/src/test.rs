//! `cargo xtask test`: everything that can fail.
//!
//! From the cheapest to the dearest: style, tests on this computer, what no compiler checks, bad
//! input, and every guest in every mode in the emulator.

mod baseline;
mod browser;
mod compare;
mod deeds;
mod discs;
mod images;
mod input;
mod model;
pub(crate) mod page;
mod runs;
mod tally;
mod whole;

use std::process::Command;

use anyhow::{Result, bail, ensure};

use self::tally::Tally;
use crate::arch::Arch;
use crate::cli::{self, Paging, Probes};
use crate::lab::Lab;
use crate::progress::Step;
use crate::setup::{self, Need};
use crate::toolchain::{Toolchain, host_cargo};
use crate::{build, disasm, emu, process, tidy};

/// `cargo xtask test`.
pub(crate) fn run(options: &cli::Test) -> Result<u8> {
    let install = options.set_up.install();
    let needs = [Need::Rustfmt, Need::Clippy, Need::GrubUefi, Need::Ovmf, Need::Browser];
    setup::ensure(&needs, install)?;
    let mut toolchains = Vec::new();
    for arch in Arch::ALL {
        setup::ensure(&setup::needs_of_all(arch), install)?;
        toolchains.push((arch, setup::toolchain(arch, install)?));
        setup::ensure(&[Need::BareClippy(arch)], install)?;
    }
    let mut tally = Tally::new(options.filter.clone());
    tally.case("rustfmt", || quietly(host_cargo().args(["fmt", "--all", "--check"])));
    tally.case("clippy: host", || {
        quietly(host_cargo().args(["clippy", "--all-targets"]).args(DENY))
    });
    for (arch, toolchain) in &toolchains {
        bare_style(&mut tally, *arch, toolchain)?;
    }
    on_this_computer(&mut tally);
    tally.case("tidy: unsafe files", tidy::unsafe_files);
    tally.case("tidy: nothing left for later", tidy::nothing_left_for_later);
    tally.case("tidy: no machine paths", tidy::no_machine_paths);
    input::all(&mut tally)?;
    compare::inputs(&mut tally)?;
    model::inputs(&mut tally)?;
    compare::all(&mut tally);
    page::all(&mut tally);
    let mut computed = Vec::new();
    for (arch, toolchain) in &toolchains {
        match Lab::new(*arch, toolchain, &[Probes::Off, Probes::Counts, Probes::Full]) {
            Ok(lab) => {
                code(&mut tally, &lab);
                whole::all(&mut tally, *arch)?;
                images::all(&mut tally, *arch)?;
                if *arch == Arch::X86_64 {
                    discs::all(&mut tally, &lab)?;
                }
                model::all(&mut tally, &lab);
                computed.push(runs::all(&mut tally, &lab));
            }
            Err(error) => tally.fail(&format!("build, {}", arch.name()), &format!("{error:#}")),
        }
    }
    runs::across(&mut tally, &computed);
    let status = tally.close();
    Ok(if emu::interrupted() { emu::INTERRUPTED } else { status })
}

/// What every linter is told.
const DENY: [&str; 3] = ["--", "-D", "warnings"];

fn bare_style(tally: &mut Tally, arch: Arch, toolchain: &Toolchain) -> Result<()> {
    let arch = arch.name();
    for paging in [Paging::Nested, Paging::Shadow] {
        tally.case(&format!("clippy: hypervisor, {arch}, {}", paging.name()), || {
            let mut clippy = toolchain.clippy();
            let features = format!("{},probes-full", paging.name());
            clippy
                .args(["--package", "hv", "--no-default-features", "--features", &features])
                .args(DENY);
            quietly(&mut clippy)
        });
    }
    let guests = build::guest_names()?;
    tally.case(&format!("clippy: guests, {arch}"), || {
        let mut clippy = toolchain.clippy();
        for guest in &guests {
            clippy.args(["--package", guest]);
        }
        quietly(clippy.args(["--package", "rt"]).args(DENY))
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

/// What must not be in the machine code of any variant.
fn code(tally: &mut Tally, lab: &Lab) {
    let arch = lab.arch().name();
    let nothing =
        |found: Vec<String>| if found.is_empty() { Ok(()) } else { bail!("{}", found.join("; ")) };
    for paging in [Paging::Nested, Paging::Shadow] {
        tally.case(&format!("probes off: no counter is read, {arch}, {}", paging.name()), || {
            nothing(disasm::counter_reads(lab.hypervisor(paging, Probes::Off)?)?)
        });
        for probes in [Probes::Off, Probes::Counts, Probes::Full] {
            let (paging_name, probes_name) = (paging.name(), probes.name());
            let name = format!("frames are small: {arch}, {paging_name}, probes {probes_name}");
            tally.case(&name, || nothing(disasm::large_frames(lab.hypervisor(paging, probes)?)?));
        }
    }
    tally.case(&format!("probes full: the search finds the clock, {arch}"), || {
        let found = disasm::counter_reads(lab.hypervisor(Paging::Nested, Probes::Full)?)?;
        ensure!(!found.is_empty(), "the search finds nothing where there is something");
        Ok(())
    });
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
