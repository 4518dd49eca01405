//! Geometries of processors whose makers, or others, have described them.
//!
//! A preset says what a document says, with the document's name at each figure. What nobody has described is
//! not in it. A run with a preset is a run of that geometry, and no statement about the processor: that has
//! speculation, prefetching, and a replacement policy that nobody publishes.

use crate::geometry::Geometry;

/// The files.
const FILES: [&str; 5] = [
    include_str!("../presets/cortex-a76.toml"),
    include_str!("../presets/cortex-a72.toml"),
    include_str!("../presets/cortex-a55.toml"),
    include_str!("../presets/skylake.toml"),
    include_str!("../presets/amd-16h.toml"),
];

/// All of them; the first is the one that is meant where none is named.
///
/// # Panics
///
/// Never: the files are tested.
#[must_use]
pub fn all() -> Vec<Geometry> {
    FILES.iter().map(|text| Geometry::parse(text).expect("a preset is a geometry")).collect()
}

/// The preset of that name.
#[must_use]
pub fn named(name: &str) -> Option<Geometry> {
    all().into_iter().find(|geometry| geometry.name == name)
}
