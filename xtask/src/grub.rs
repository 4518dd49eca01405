//! Discs that GRUB boots.
//!
//! GRUB starts both the hypervisor and a native guest as multiboot kernels. Two sorts of disc are
//! made: a small one for a run under Bochs, whose GRUB knows just what that takes and is made once
//! for each set of commands, and one for a person, which boots with BIOS and UEFI firmware.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::paths;
use crate::process::quietly;
use crate::scratch::Scratch;

/// GRUB's files for BIOS firmware.
pub(crate) const BIOS_FILES: &str = "/usr/lib/grub/i386-pc";
/// GRUB's files for UEFI firmware.
pub(crate) const UEFI_FILES: &str = "/usr/lib/grub/x86_64-efi";
/// What a GRUB needs to start a multiboot kernel from a disc.
const MODULES: [&str; 3] = ["biosdisk", "iso9660", "multiboot"];

/// What is on a disc.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disc<'a> {
    /// The multiboot kernel.
    pub(crate) kernel: &'a Path,
    /// What it is told.
    pub(crate) arguments: Option<&'a str>,
    /// Its first module.
    pub(crate) initrd: Option<&'a Path>,
}

impl Disc<'_> {
    /// What GRUB has to do.
    fn commands(&self) -> String {
        let words = self.arguments.unwrap_or_default().split_whitespace().map(quoted);
        let arguments: String = words.map(|word| format!(" {word}")).collect();
        let module = if self.initrd.is_some() { "module /initrd\n" } else { "" };
        format!("multiboot /kernel{arguments}\n{module}boot\n")
    }

    /// The disc's files, as xorriso takes them: names there, and where they are.
    fn files(&self) -> Vec<String> {
        let of = |name: &str, file: &Path| format!("/{name}={}", file.display());
        let mut files = vec![of("kernel", self.kernel)];
        files.extend(self.initrd.map(|file| of("initrd", file)));
        files
    }
}

/// A word as GRUB's parser reads it back.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Writes a disc that BIOS firmware boots.
pub(crate) fn write_small(disc: &Disc<'_>, file: &Path) -> Result<()> {
    let core = core(&disc.commands())?;
    let mut xorriso = Command::new("xorriso");
    xorriso.args(["-as", "mkisofs", "-quiet", "-graft-points", "-o"]).arg(file);
    xorriso.args(["-b", "grub.img", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]);
    xorriso.arg(format!("/grub.img={}", core.display())).args(disc.files());
    quietly(&mut xorriso, "making a disc")
}

/// A GRUB that does `commands` when it starts, made once.
fn core(commands: &str) -> Result<PathBuf> {
    let mut hash = DefaultHasher::new();
    commands.hash(&mut hash);
    let folder = paths::own().join("grub");
    let core = folder.join(format!("{:016x}.img", hash.finish()));
    if core.is_file() {
        return Ok(core);
    }
    fs::create_dir_all(&folder).context("cannot make the folder for GRUB")?;
    let scratch = Scratch::new("grub")?;
    let (settings, made) = (scratch.path().join("grub.cfg"), scratch.path().join("grub.img"));
    fs::write(&settings, commands).context("cannot write GRUB's commands")?;
    let mut grub = Command::new("grub-mkimage");
    grub.args(["-O", "i386-pc-eltorito", "-d", BIOS_FILES, "-p", "/", "-c"]).arg(settings);
    quietly(grub.arg("-o").arg(&made).args(MODULES), "making a GRUB")?;
    fs::rename(made, &core).context("cannot keep the GRUB")?;
    Ok(core)
}

/// Writes a disc that BIOS and UEFI firmware boot.
pub(crate) fn write_large(disc: &Disc<'_>, file: &Path) -> Result<()> {
    let scratch = Scratch::new("disc")?;
    let settings = scratch.path().join("grub.cfg");
    fs::write(&settings, disc.commands()).context("cannot write GRUB's commands")?;
    let mut grub = Command::new("grub-mkrescue");
    grub.arg("-o").arg(file);
    grub.arg(format!("/boot/grub/grub.cfg={}", settings.display())).args(disc.files());
    quietly(&mut grub, "making a disc")
}
