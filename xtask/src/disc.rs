//! `cargo xtask image`: a disc image of the hypervisor and a guest, for any PC.

use anyhow::{Result, bail};

use crate::arch::Arch;
use crate::bundle::Settings;
use crate::cli::Image;
use crate::computer::{Accel, Computer};
use crate::grub::{self, Disc};
use crate::kernel::Kernel;
use crate::progress::Step;
use crate::setup::{self, Need};
use crate::{build, paths, run};

/// `cargo xtask image`.
pub(crate) fn run(options: &Image) -> Result<u8> {
    if options.arch != Arch::X86_64 {
        bail!("images of discs are for --arch x86_64: on Arm nothing here boots one");
    }
    let what = &options.what;
    let plan = run::plan(options.arch, what)?;
    let install = what.set_up.install();
    setup::ensure(&[Need::Grub, Need::GrubUefi], install)?;
    let toolchain = setup::toolchain(options.arch, install)?;
    let image = plan.image(&toolchain)?;
    let hypervisor = build::hypervisor(&toolchain, what.variant(options.arch))?;
    // What the computer will be is not known here; the kernel does not depend on it.
    let computer = Computer::Q35(Accel::Tcg);
    let kernel =
        Kernel::assemble(&hypervisor, computer, &plan.machine, &image, Settings::of(what))?;
    let name = format!("umbra-{}-{}.iso", plan.name(), what.paging.name());
    let file = options.output.clone().unwrap_or_else(|| paths::own().join(name));
    {
        let _step = Step::begin("making the disc");
        grub::write_large(&Disc { kernel: kernel.path(), arguments: None, initrd: None }, &file)?;
    }
    println!("{}", file.display());
    Ok(0)
}
