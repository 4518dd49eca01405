//! The instruction sets, and what this tool knows of each.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arch {
    /// 64-bit Arm, at EL2.
    #[value(name = "aarch64")]
    Aarch64,
    /// x86-64, by VT-x or SVM.
    #[value(name = "x86_64")]
    X86_64,
}

impl Arch {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::Aarch64, Self::X86_64];

    /// Its name in file names and reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64",
            Self::X86_64 => "x86_64",
        }
    }

    /// The name of its target among rustc's. Without floating point: the hypervisor must leave the
    /// guest's floating-point registers alone.
    pub(crate) const fn target(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64-unknown-none-softfloat",
            Self::X86_64 => "x86_64-unknown-none",
        }
    }

    /// The file of a guest's machine: in the guest's own folder, or among all guests for those that
    /// have none.
    pub(crate) const fn manifest(self) -> &'static str {
        match self {
            Self::Aarch64 => "machine.toml",
            Self::X86_64 => "machine-x86_64.toml",
        }
    }

    /// The file that the figures of its budgets are saved in.
    pub(crate) const fn bench_file(self) -> &'static str {
        match self {
            Self::Aarch64 => "bench.json",
            Self::X86_64 => "bench-x86_64.json",
        }
    }

    /// Where RAM begins on the machines that its kernels know.
    pub(crate) const fn ram_base(self) -> u64 {
        match self {
            Self::Aarch64 => 0x4000_0000,
            Self::X86_64 => 0,
        }
    }

    /// How the lines begin in which QEMU's monitor tells the integer registers.
    pub(crate) const fn register_lines(self) -> &'static [&'static str] {
        match self {
            Self::Aarch64 => &["PC=", "X", "PSTATE="],
            Self::X86_64 => {
                &["RAX=", "RSI=", "R8 =", "R12=", "RIP=", "CR0=", "EAX=", "ESI=", "EIP="]
            }
        }
    }
}
