//! What the build tool tells the plugin about a run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::geometry::Geometry;

/// A range of the machine's RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Ram {
    /// Its first physical address.
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// Where it begins in the emulator's memory backend.
    pub offset: u64,
}

/// A run to be modelled.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Config {
    /// What is modelled.
    pub geometry: Geometry,
    /// The machine's RAM.
    pub ram: Vec<Ram>,
    /// Whether a hypervisor runs. If not, all that runs is the guest.
    pub hypervisor: bool,
    /// Whether each translation is compared with the emulator's own.
    pub check: bool,
    /// Whether invalidations are left out, to see whether the comparison notices.
    pub ignore_invalidations: bool,
    /// Where the counts go.
    pub output: PathBuf,
}

/// The name of the machine's memory backend, and what its mapping is called in the emulator's list of mappings.
pub const BACKEND: &str = "umbra-ram";
