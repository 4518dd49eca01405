//! The options of the model of the MMU.

use std::path::PathBuf;

use clap::Args;

/// Whether the MMU is modelled, and what is asked of the model.
#[derive(Args, Clone, Debug)]
pub(crate) struct Mmu {
    /// Model TLBs and page walks of a geometry: a preset, or a TOML file of one's own [default: cortex-a76 on
    /// Arm, amd-16h on x86-64].
    #[arg(long, value_name = "PRESET|FILE", num_args = 0..=1)]
    pub(crate) mmu_model: Option<Option<String>>,
    /// Compare each modelled translation with the emulator's own, and fail on the first difference.
    #[arg(long, requires = "mmu_model")]
    pub(crate) mmu_check: bool,
    /// Fail if fewer translations were compared.
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "mmu_check")]
    pub(crate) mmu_check_least: u64,
}

/// The same for a single run.
#[derive(Args, Clone, Debug)]
pub(crate) struct MmuRun {
    /// What is asked.
    #[command(flatten)]
    pub(crate) mmu: Mmu,
    /// For testing the check: let the model ignore invalidations of the TLB.
    #[arg(long, requires = "mmu_model")]
    pub(crate) mmu_ignore_invalidations: bool,
    /// Also write what the model says to this file.
    #[arg(long, value_name = "FILE", requires = "mmu_model")]
    pub(crate) mmu_json: Option<PathBuf>,
}

impl MmuRun {
    /// Whether there is to be a model.
    pub(crate) const fn is_asked_for(&self) -> bool {
        self.mmu.mmu_model.is_some()
    }
}
