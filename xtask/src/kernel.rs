//! The file that an emulator loads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::bundle::{self, Settings};
use crate::computer::{Computer, Program};
use crate::image::Image;
use crate::manifest::Machine;
use crate::scratch::Scratch;

/// Where guest RAM of this size is wanted aligned to as much, there is a block that maps it whole.
const LARGE: u64 = 1 << 30;
/// The least memory of a computer that QEMU emulates for the hypervisor: room for guest RAM that is
/// aligned to 1 GiB, and for the hypervisor beside it. It is only taken when it is touched.
const HOST_MEMORY: u64 = 4 << 30;
/// What it has more than the guest's RAM where that is large.
const HOST_EXTRA: u64 = 3 << 30;
/// What Bochs's has more than the guest's RAM where that is small: Bochs clears all of it first.
const SMALL_EXTRA: u64 = 512 << 20;

/// The most memory that Bochs's can have.
const BOCHS_MEMORY: u64 = 2 << 30;

/// A file to boot. One that was made for a single run is removed after it.
#[derive(Debug)]
pub(crate) struct Kernel {
    file: PathBuf,
    _scratch: Option<Scratch>,
    /// Bytes of memory of the machine that boots it.
    pub(crate) memory: u64,
}

impl Kernel {
    /// An image with no hypervisor under it.
    pub(crate) const fn native(image: PathBuf, machine: &Machine) -> Self {
        Self { file: image, _scratch: None, memory: machine.memory }
    }

    /// A hypervisor with a machine and its image behind it, in a file that no other run uses.
    pub(crate) fn assemble(
        hypervisor: &Path,
        computer: Computer,
        machine: &Machine,
        image: &Path,
        settings: Settings,
    ) -> Result<Self> {
        let loaded = Image::read(image, machine.arch, &machine.ram())?;
        let initrd = machine.initrd.as_ref().map(|file| {
            fs::read(file).with_context(|| format!("cannot read the initrd {}", file.display()))
        });
        let bundle = bundle::make(machine, &loaded, initrd.transpose()?, settings)?;
        let scratch = Scratch::new("kernel")?;
        let file = scratch.path().join("umbra.img");
        bundle::write(hypervisor, &bundle, &file)?;
        let memory = host_memory(computer, machine.memory)?;
        Ok(Self { file, _scratch: Some(scratch), memory })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.file
    }
}

/// How much memory a computer has on which a hypervisor gives a guest so much. Fails if there is no
/// such computer.
pub(crate) fn host_memory(computer: Computer, guest: u64) -> Result<u64> {
    let host = match computer.program() {
        Program::Qemu(_) => HOST_MEMORY.max(guest.next_multiple_of(LARGE) + HOST_EXTRA),
        Program::Bochs if guest < LARGE => guest + SMALL_EXTRA,
        Program::Bochs => guest.next_multiple_of(LARGE) + LARGE,
    };
    check_memory(computer, host)?;
    Ok(host)
}

/// Fails unless a computer can have so much memory.
pub(crate) fn check_memory(computer: Computer, memory: u64) -> Result<()> {
    ensure!(
        computer.program() != Program::Bochs || memory <= BOCHS_MEMORY,
        "Bochs's machine has 2 GiB at most: give the guest 1GiB or less with --mem"
    );
    Ok(())
}
