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

/// What the machine's memory backend is called on the command line.
pub const BACKEND: &str = "umbra-ram";
/// The kind of backend that it is, which is also the name of its mapping in the emulator.
pub const BACKEND_KIND: &str = "memory-backend-memfd";
