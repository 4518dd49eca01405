//! The file that an emulator loads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};

use crate::bundle::{self, Settings};
use crate::image::Image;
use crate::manifest::Machine;
use crate::paths;

/// The least memory of the computer that the hypervisor runs on: room for guest RAM that is aligned
/// to 1 GiB, and for the hypervisor beside it.
const HOST_MEMORY: u64 = 4 << 30;
/// What it has more than the guest's RAM where that is large.
const HOST_EXTRA: u64 = 3 << 30;

/// A file to boot. One that was made for a single run is removed after it.
#[derive(Debug)]
pub(crate) struct Kernel {
    file: PathBuf,
    scratch: bool,
    /// Bytes of memory of the machine that boots it.
    pub(crate) memory: u64,
}

impl Kernel {
    /// An image with no hypervisor under it.
    pub(crate) fn native(image: PathBuf, machine: &Machine) -> Self {
        Self { file: image, scratch: false, memory: machine.memory }
    }

    /// A hypervisor with a machine and its image behind it, in a file that no other run uses.
    pub(crate) fn assemble(
        hypervisor: &Path,
        machine: &Machine,
        image: &Path,
        settings: Settings,
    ) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let loaded = Image::read(image, &machine.ram())?;
        let initrd = machine.initrd.as_ref().map(|file| {
            fs::read(file).with_context(|| format!("cannot read the initrd {}", file.display()))
        });
        let bundle = bundle::make(machine, &loaded, initrd.transpose()?, settings)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{number}.img", loaded.name, process::id());
        let file = paths::own().join("run").join(name);
        bundle::write(hypervisor, &bundle, &file)?;
        let memory = HOST_MEMORY.max(machine.memory.next_multiple_of(1 << 30) + HOST_EXTRA);
        Ok(Self { file, scratch: true, memory })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.file
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        if self.scratch {
            // What stays behind is in the target directory, where `cargo clean` finds it.
            let _ = fs::remove_file(&self.file);
        }
    }
}
