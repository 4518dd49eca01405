//! Needs that are met when files are there.

use std::path::Path;

use crate::process;

/// Where Bochs's firmware is, and its display for terminals.
pub(super) const BOCHS: &[&[&str]] = &[
    &["/usr/share/bochs/BIOS-bochs-latest"],
    &["/usr/share/bochs/VGABIOS-lgpl-latest"],
    &[
        "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so",
        "/usr/lib/aarch64-linux-gnu/bochs/plugins/libbx_term_gui.so",
        "/usr/lib/bochs/plugins/libbx_term_gui.so",
    ],
];
/// Where distributions keep UEFI firmware for QEMU.
pub(super) const OVMF: &[&str] =
    &["/usr/share/ovmf/OVMF.fd", "/usr/share/OVMF/OVMF.fd", "/usr/share/qemu/OVMF.fd"];

/// The first file of each list, and the programs; or what is missing.
pub(super) fn all(lists: &[&[&'static str]], programs: &[&str]) -> Result<String, String> {
    let mut found = Vec::new();
    for list in lists {
        let file = first_file(list).ok_or_else(|| format!("there is no {}", list.join(" or ")))?;
        found.push(file.to_owned());
    }
    for program in programs {
        let file = process::find(program)
            .ok_or_else(|| format!("there is no {program} in the search path"))?;
        found.push(file.display().to_string());
    }
    Ok(found.join(", "))
}

/// The first of these files that is there.
fn first_file(files: &[&'static str]) -> Option<&'static str> {
    files.iter().copied().find(|file| Path::new(file).exists())
}

/// The UEFI firmware for QEMU, if it is there.
pub(crate) fn ovmf() -> Option<&'static str> {
    first_file(OVMF)
}
