//! Whether this computer's own processor can be lent: `--accel kvm`.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;

use anyhow::{Result, bail, ensure};

/// The device by which programs use it.
const DEVICE: &str = "/dev/kvm";
/// The kernel's modules that serve it, what they lend, and where they say whether they lend it on.
const MODULES: [(&str, &str, &str); 2] = [
    ("kvm_intel", "VT-x", "/sys/module/kvm_intel/parameters/nested"),
    ("kvm_amd", "SVM", "/sys/module/kvm_amd/parameters/nested"),
];

/// Fails, with the reason, unless the processor can be lent; with `nested`, together with its VT-x or
/// SVM, which a hypervisor in the machine needs.
pub(crate) fn check(nested: bool) -> Result<()> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "--accel kvm needs an x86-64 processor, and this computer has another"
    );
    if let Err(error) = OpenOptions::new().read(true).write(true).open(DEVICE) {
        match error.kind() {
            ErrorKind::NotFound => bail!(
                "--accel kvm: there is no {DEVICE}: this computer's processor has no VT-x or SVM to lend, or its \
                 firmware or its kernel keeps it; without --accel QEMU emulates one"
            ),
            ErrorKind::PermissionDenied => bail!(
                "--accel kvm: {DEVICE} may not be opened: join the group it belongs to (`sudo usermod -aG kvm $USER`, \
                 then log in again)"
            ),
            _ => bail!("--accel kvm: {DEVICE} cannot be opened: {error}"),
        }
    }
    if !nested {
        return Ok(());
    }
    for (module, what, file) in MODULES {
        match fs::read_to_string(file).as_deref().map(str::trim) {
            Ok("Y" | "1") => return Ok(()),
            Ok(_) => bail!(
                "--accel kvm: the machine would have no {what}: load the kernel's module with nested=1 (`sudo \
                 modprobe -r {module} && sudo modprobe {module} nested=1`)"
            ),
            Err(_) => {}
        }
    }
    bail!(
        "--accel kvm: neither kvm_intel nor kvm_amd tells whether it lends its VT-x or SVM to a machine; \
         without --accel QEMU emulates SVM"
    )
}
