//! The geometry that a person names.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use mmu_model::geometry::Geometry;
use mmu_model::presets;

use crate::arch::Arch;

/// How the name of a file of one's own ends.
const SUFFIX: &str = ".toml";

/// The preset where none is named.
const fn usual(arch: Arch) -> &'static str {
    match arch {
        Arch::Aarch64 => "cortex-a76",
        Arch::X86_64 => "amd-16h",
    }
}

/// The preset of a name, or what a file says.
pub(super) fn of(name: Option<&str>, arch: Arch) -> Result<Geometry> {
    let name = name.unwrap_or(usual(arch));
    if let Some(preset) = presets::named(name) {
        return Ok(preset);
    }
    let file = Path::new(name);
    if !(file.is_file() || name.ends_with(SUFFIX) || name.contains('/')) {
        let known: Vec<_> = presets::all().into_iter().map(|preset| preset.name).collect();
        bail!(
            "there is no geometry `{name}`; the presets are: {}; a file of one's own ends in {SUFFIX}",
            known.join(", ")
        );
    }
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read the geometry {name}"))?;
    Geometry::parse(&text).with_context(|| format!("the geometry {name} cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_has_a_preset() {
        for arch in Arch::ALL {
            assert_eq!(of(None, arch).unwrap().name, usual(arch));
        }
        assert_eq!(of(Some("skylake"), Arch::Aarch64).unwrap().name, "skylake");
    }

    #[test]
    fn what_is_no_preset_may_be_a_file() {
        let error = |name| format!("{:#}", of(Some(name), Arch::Aarch64).unwrap_err());
        assert!(error("pentium").contains("the presets are: cortex-a76, "), "{}", error("pentium"));
        assert!(error("own.toml").contains("cannot read the geometry own.toml"));
        assert!(error("no/such").contains("cannot read the geometry no/such"));
    }
}
