//! A machine, as a person describes it: a TOML file.
//!
//! `guests/machine.toml` is the Arm machine of every guest that has no file of its own,
//! `guests/machine-x86_64.toml` the PC. On Arm the devices are fixed in kind but not in place: the
//! hypervisor emulates them where the manifest puts them. A PC's stand where every PC has them.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use hv_abi::bundle;
use serde::{Deserialize, Deserializer, de};

use crate::arch::Arch;
use crate::paths;

/// What the base and size of RAM are multiples of: a block of the middle level.
pub(crate) const RAM_UNIT: u64 = 2 << 20;
/// What the base and size of a device are multiples of.
const DEVICE_UNIT: u64 = 4 << 10;
/// The end of the addresses a machine may use: 36 bits, what a guest's ID registers tell.
const ADDRESS_END: u64 = 1 << 36;
/// The end of a PC's RAM: above are its devices.
const PC_RAM_END: u64 = 3 << 30;
/// Interrupts of devices, as the interrupt controller numbers them: the shared ones.
const SHARED_INTERRUPTS: Range<u32> = 32..96;

/// A machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Machine {
    /// Its name, in reports.
    pub(crate) name: String,
    /// Its instruction set: what it was read for.
    #[serde(skip, default = "aarch64")]
    pub(crate) arch: Arch,
    /// Where its RAM begins; without it, where the kernels of its kind expect it.
    #[serde(rename = "base")]
    stated_base: Option<u64>,
    /// Bytes of RAM.
    #[serde(deserialize_with = "size")]
    pub(crate) memory: u64,
    /// How many CPUs it has.
    #[serde(default = "one")]
    pub(crate) cpus: u32,
    /// The image it boots; without one, the guest of the tree that was asked for.
    pub(crate) image: Option<PathBuf>,
    /// What the image is told: `/chosen/bootargs` of the device tree, a PC's command line.
    #[serde(default)]
    pub(crate) arguments: String,
    /// An initial RAM disk.
    pub(crate) initrd: Option<PathBuf>,
    /// The most 4 KiB frames that the hypervisor may use for page tables; without it, its own choice.
    #[serde(default)]
    pub(crate) table_frames: u32,
    /// What is emulated.
    #[serde(default, rename = "device")]
    pub(crate) devices: Vec<Device>,
}

/// An emulated device.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Device {
    /// What it is.
    pub(crate) kind: Kind,
    /// Where its registers begin.
    pub(crate) base: u64,
    /// Bytes of registers.
    pub(crate) size: u64,
    /// Its interrupt, as the interrupt controller numbers it; 0: none.
    #[serde(default)]
    pub(crate) interrupt: u32,
}

/// A kind of device.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The console.
    #[serde(rename = "pl011")]
    Pl011,
    /// The interrupt controller's distributor.
    #[serde(rename = "gicv3-distributor")]
    Distributor,
    /// The interrupt controller's redistributor.
    #[serde(rename = "gicv3-redistributor")]
    Redistributor,
}

impl Kind {
    /// Its number in a bundle.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Pl011 => bundle::DEVICE_PL011,
            Self::Distributor => bundle::DEVICE_GICV3_DISTRIBUTOR,
            Self::Redistributor => bundle::DEVICE_GICV3_REDISTRIBUTOR,
        }
    }
}

impl Device {
    fn range(&self) -> Range<u64> {
        self.base..self.base.saturating_add(self.size)
    }
}

impl Machine {
    /// Reads the manifest in `file`. Paths in it are relative to it.
    pub(crate) fn read(file: &Path, arch: Arch) -> Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("cannot read the machine {}", file.display()))?;
        let mut machine = Self::parse(&text, arch)
            .with_context(|| format!("the machine {} does not make sense", file.display()))?;
        let dir = file.parent().unwrap_or(Path::new(""));
        for path in [&mut machine.image, &mut machine.initrd].into_iter().flatten() {
            *path = dir.join(&*path);
        }
        Ok(machine)
    }

    /// The manifest of a guest of this tree: its own, else the one for all.
    pub(crate) fn file_for(guest: &str, arch: Arch) -> PathBuf {
        let own = paths::guests().join(guest).join(arch.manifest());
        if own.is_file() { own } else { paths::guests().join(arch.manifest()) }
    }

    fn parse(text: &str, arch: Arch) -> Result<Self> {
        let machine = Self { arch, ..toml::from_str(text)? };
        machine.check()?;
        Ok(machine)
    }

    /// Where its RAM begins.
    pub(crate) fn base(&self) -> u64 {
        self.stated_base.unwrap_or(self.arch.ram_base())
    }

    /// Where RAM is.
    pub(crate) fn ram(&self) -> Range<u64> {
        self.base()..self.base().saturating_add(self.memory)
    }

    /// The first device of a kind.
    pub(crate) fn device(&self, kind: Kind) -> Option<&Device> {
        self.devices.iter().find(|device| device.kind == kind)
    }

    /// Fails unless a machine can be like this.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(
            !self.name.contains(char::is_whitespace)
                && self.name.is_ascii()
                && !self.name.is_empty(),
            "`name` must be a word of ASCII, not `{}`",
            self.name
        );
        ensure!(self.name.len() <= 32, "`name` is longer than 32 characters");
        ensure!(self.cpus == 1, "`cpus` is {}: only 1 is built", self.cpus);
        ensure!(
            self.base().is_multiple_of(RAM_UNIT),
            "`base` {:#x} is no multiple of 2 MiB",
            self.base()
        );
        ensure!(
            self.memory.is_multiple_of(RAM_UNIT) && self.memory > 0,
            "`memory` is {} bytes: it must be a multiple of 2 MiB",
            self.memory
        );
        ensure!(self.ram().end <= ADDRESS_END, "RAM ends at {:#x}, beyond 36 bits", self.ram().end);
        ensure!(
            self.devices.len() <= bundle::MAX_DEVICES,
            "there are {} devices, more than {}",
            self.devices.len(),
            bundle::MAX_DEVICES
        );
        if self.arch == Arch::X86_64 {
            ensure!(self.base() == 0, "`base` is {:#x}: a PC's RAM begins at 0", self.base());
            ensure!(
                self.ram().end <= PC_RAM_END,
                "`memory` is {} MiB: a PC has 3 GiB at most, since its devices stand above",
                self.memory >> 20
            );
            ensure!(
                self.devices.is_empty(),
                "it has a `device`, and a PC's devices are the same on every machine"
            );
        }
        for (index, device) in self.devices.iter().enumerate() {
            self.check_device(device, &self.devices[..index])?;
        }
        Ok(())
    }

    fn check_device(&self, device: &Device, before: &[Device]) -> Result<()> {
        let (kind, range) = (device.kind, device.range());
        let (base, size) = (device.base, device.size);
        if !base.is_multiple_of(DEVICE_UNIT) || !size.is_multiple_of(DEVICE_UNIT) || size == 0 {
            bail!(
                "{kind:?}: base {base:#x} and size {size:#x} must be multiples of 4 KiB, the size not 0"
            );
        }
        ensure!(range.end <= ADDRESS_END, "{kind:?} ends at {:#x}, beyond 36 bits", range.end);
        ensure!(!overlap(&range, &self.ram()), "{kind:?} at {base:#x} overlaps RAM");
        if let Some(other) = before.iter().find(|other| overlap(&range, &other.range())) {
            bail!("{kind:?} at {base:#x} overlaps {:?} at {:#x}", other.kind, other.base);
        }
        ensure!(
            before.iter().all(|other| other.kind != kind),
            "there are two devices of kind {kind:?}"
        );
        ensure!(
            device.interrupt == 0 || SHARED_INTERRUPTS.contains(&device.interrupt),
            "{kind:?}: interrupt {} is none of 32 to 95",
            device.interrupt
        );
        Ok(())
    }
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

const fn aarch64() -> Arch {
    Arch::Aarch64
}

const fn one() -> u32 {
    1
}

fn size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let text = String::deserialize(from)?;
    parse_size(&text).map_err(de::Error::custom)
}

/// Reads a size such as `512MiB` or `1G`; a bare number is bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        unit => bail!("`{unit}` is no unit of size; write KiB, MiB or GiB"),
    };
    let number: u64 = digits
        .trim()
        .parse()
        .with_context(|| format!("`{text}` is no size; write one like 512MiB"))?;
    number
        .checked_shl(shift)
        .filter(|bytes| bytes >> shift == number)
        .with_context(|| format!("`{text}` is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "name = \"m\"\nmemory = \"64MiB\"\n";

    fn error(text: &str) -> String {
        format!("{:#}", Machine::parse(text, Arch::Aarch64).unwrap_err())
    }

    #[test]
    fn the_machines_of_the_tree_make_sense() {
        for arch in Arch::ALL {
            let file = paths::guests().join(arch.manifest());
            let machine = Machine::read(&file, arch).unwrap();
            assert_eq!(machine.ram(), arch.ram_base()..arch.ram_base() + (1 << 30));
        }
        let file = paths::guests().join(Arch::Aarch64.manifest());
        let machine = Machine::read(&file, Arch::Aarch64).unwrap();
        assert_eq!(machine.device(Kind::Pl011).map(|device| device.interrupt), Some(33));
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("512MiB").unwrap(), 512 << 20);
        assert_eq!(parse_size("1G").unwrap(), 1 << 30);
        assert_eq!(parse_size("4096").unwrap(), 4096);
        for bad in ["", "MiB", "-1", "1X", "99999999999999999999G", "17179869185GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert!(error("name = \"m\"\nmemory = \"3MiB\"").contains("multiple of 2 MiB"));
        assert!(error(&format!("{SMALL}colour = 1")).contains("colour"));
        assert!(error(&format!("{SMALL}cpus = 2")).contains("only 1"));
        let device = |kind, base: u64| {
            format!("[[device]]\nkind = \"{kind}\"\nbase = {base}\nsize = 0x1000\n")
        };
        assert!(
            error(&format!("{SMALL}{}", device("pl011", Arch::Aarch64.ram_base())))
                .contains("overlaps RAM")
        );
        assert!(error(&format!("{SMALL}{}", device("pl011", 12))).contains("4 KiB"));
        assert!(error(&format!("{SMALL}{}", device("floppy", 0))).contains("floppy"));
        let twice = device("pl011", 0x900_0000) + &device("gicv3-distributor", 0x900_0000);
        assert!(error(&format!("{SMALL}{twice}")).contains("overlaps Pl011"));
    }
    #[test]
    fn a_pc_is_no_other_machine() {
        let error = |text: &str| format!("{:#}", Machine::parse(text, Arch::X86_64).unwrap_err());
        assert!(error("name = \"m\"\nmemory = \"4GiB\"").contains("3 GiB at most"));
        assert!(error(&format!("{SMALL}base = 0x4000_0000")).contains("begins at 0"));
        let device = "[[device]]\nkind = \"pl011\"\nbase = 0x9000_0000\nsize = 0x1000\n";
        assert!(error(&format!("{SMALL}{device}")).contains("a PC's devices"));
    }
}
