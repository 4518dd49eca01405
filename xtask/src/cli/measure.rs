//! The options of what measures many runs.

use std::path::PathBuf;

use clap::Args;

use super::{Mmu, SetUp};
use crate::arch::Arch;

/// Options of `cargo xtask compare`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Compare {
    /// Instruction sets [default: both].
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) arch: Vec<Arch>,
    /// Guests [default: memory-motion, aim9-memory, mmu-ops, scale; with --mmu-model also tlb-chase].
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) guest: Vec<String>,
    /// The folder for results.json and index.html [default: target/umbra/compare].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Say what changed since these results; the status is 1 if anything rose.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// Show these results instead of measuring; files are written only with --out.
    #[arg(long, value_name = "FILE", conflicts_with = "mmu_model")]
    pub(crate) from: Option<PathBuf>,
    /// Stop a run after this many seconds.
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) timeout: u64,
    /// Whether the MMU is modelled as well, in runs of their own.
    #[command(flatten)]
    pub(crate) mmu: Mmu,
    /// Whether missing tools may be installed.
    #[command(flatten)]
    pub(crate) set_up: SetUp,
}

/// Options of `cargo xtask ablate`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Ablate {
    /// Instruction sets [default: both].
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) arch: Vec<Arch>,
    /// Guests [default: memory-motion, aim9-memory, mmu-ops].
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) guest: Vec<String>,
    /// Where the figures go, as JSON; the table goes beside it, as .txt [default: target/umbra/ablate.json].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Stop a run after this many seconds.
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) timeout: u64,
    /// Whether missing tools may be installed.
    #[command(flatten)]
    pub(crate) set_up: SetUp,
}
