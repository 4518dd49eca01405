//! Where things stand in the tree and in the target directory.

use std::env;
use std::path::PathBuf;

/// The root of the source tree.
pub(crate) fn root() -> PathBuf {
    let manifest =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let mut root = PathBuf::from(manifest);
    root.pop();
    root
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Where this tool keeps what it makes.
pub(crate) fn own() -> PathBuf {
    target().join("umbra")
}

/// Where the guests stand.
pub(crate) fn guests() -> PathBuf {
    root().join("guests")
}
