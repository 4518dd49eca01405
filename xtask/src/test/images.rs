//! Images from outside the tree: bytes that are made here, so that no build of ours is in them.

mod aarch64;
mod x86_64;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use super::input::tool;
use super::tally::Tally;
use crate::arch::Arch;
use crate::paths;

/// Ways to run an image.
const MODES: [(&str, &[&str]); 3] = [
    ("native", &["--native"]),
    ("nested", &["--paging", "nested"]),
    ("shadow", &["--paging", "shadow"]),
];

/// An image of a program that prints `!` and turns its machine off.
struct Sample {
    /// What sort of image it is.
    kind: &'static str,
    /// The name of its file.
    name: &'static str,
    bytes: Vec<u8>,
    /// The status that it ends with.
    status: i32,
}

/// A bad image: what is wrong with it, its file, how it is run, and what the error must say.
type Bad = (&'static str, PathBuf, &'static [&'static str], &'static str);

/// Runs every sample in every mode.
pub(super) fn all(tally: &mut Tally, arch: Arch) -> Result<()> {
    let samples = match arch {
        Arch::Aarch64 => aarch64::samples(),
        Arch::X86_64 => x86_64::samples(),
    };
    for sample in samples {
        let file = write(sample.name, &sample.bytes)?;
        for (mode, options) in MODES {
            tally.case(&format!("image: {}, {mode}", sample.kind), || {
                let mut command = tool(&["qemu", "--arch", arch.name()])?;
                command.args(["--mem", "64MiB", "--initrd", "Cargo.toml", "--image"]).arg(&file);
                let output =
                    command.args(options).output().context("this tool cannot run itself")?;
                let message = String::from_utf8_lossy(&output.stderr);
                let status = output.status.code();
                ensure!(status == Some(sample.status), "its status is {status:?}: {message}");
                let text = String::from_utf8_lossy(&output.stdout);
                ensure!(text.contains('!'), "it prints nothing");
                Ok(())
            });
        }
    }
    Ok(())
}

/// Every bad image.
pub(super) fn bad() -> Result<Vec<Bad>> {
    let bad = x86_64::bad().into_iter().map(|(what, bytes, options, says)| {
        let name = format!("bad-{}.img", what.replace(' ', "-"));
        Ok((what, write(&name, &bytes)?, options, says))
    });
    bad.collect()
}

fn write(name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let file = paths::own().join(name);
    fs::create_dir_all(paths::own())?;
    fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}
