//! A run that is modelled: what the emulator is told for it, and what it leaves.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use mmu_model::config::{BACKEND, Config};
use mmu_model::counts::Output;

use super::{Wish, ram};
use crate::arch::Arch;
use crate::scratch::Scratch;

/// One run to be modelled. Its files are removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Modelling<'a> {
    wish: &'a Wish,
    plugin: &'a Path,
    scratch: Scratch,
}

impl<'a> Modelling<'a> {
    /// Makes room for its files.
    pub(crate) fn new(wish: &'a Wish, plugin: &'a Path) -> Result<Self> {
        Ok(Self { wish, plugin, scratch: Scratch::new("model")? })
    }

    /// QEMU's options, for a machine with `memory` bytes. The plugin reads tables in its RAM, which therefore
    /// is memory that can be mapped a second time.
    pub(crate) fn options(&self, arch: Arch, memory: u64, hypervisor: bool) -> Result<[String; 6]> {
        let config = Config {
            geometry: self.wish.geometry.clone(),
            ram: ram::ranges(arch, memory),
            hypervisor,
            check: self.wish.check.is_some(),
            ignore_invalidations: self.wish.ignore_invalidations,
            output: self.output_file(),
        };
        let file = self.scratch.path().join("config.json");
        fs::write(&file, serde_json::to_string(&config)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        let backend = format!("memory-backend-memfd,id={BACKEND},size={memory},share=on");
        let machine = format!("memory-backend={BACKEND}");
        let plugin = format!("{},config={}", value(self.plugin), value(&file));
        Ok(["-object", &backend, "-machine", &machine, "-plugin", &plugin].map(str::to_owned))
    }

    /// What the model says, when the emulator has ended, and does stand by.
    pub(crate) fn result(&self) -> Result<Output> {
        let output = self.output()?;
        self.wish.check(&output)?;
        Ok(output)
    }

    /// What the model says, whatever it is worth.
    pub(crate) fn output(&self) -> Result<Output> {
        serde_json::from_str(&self.text()?).context("what the model left is broken")
    }

    /// The same as it was written.
    pub(crate) fn text(&self) -> Result<String> {
        fs::read_to_string(self.output_file())
            .context("the model left nothing: the emulator was ended from outside, or crashed")
    }

    /// Fails unless the model stands by what it says.
    pub(crate) fn check(&self, output: &Output) -> Result<()> {
        self.wish.check(output)
    }

    fn output_file(&self) -> PathBuf {
        self.scratch.path().join("output.json")
    }
}

/// A path as the value of an option of QEMU's, where a comma is two.
fn value(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_are_doubled() {
        assert_eq!(value(Path::new("/a,b/c")), "/a,,b/c");
    }
}
