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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_preset_is_a_geometry_with_a_source_for_each_figure() {
        for text in FILES {
            let geometry = Geometry::parse(text).unwrap();
            assert_eq!(named(&geometry.name).as_ref(), Some(&geometry));
            let levels = [
                &geometry.l1_instruction,
                &geometry.l1_data,
                &geometry.l2,
                &geometry.l2_instruction,
                &geometry.walk_caches,
            ];
            let sources = levels.into_iter().flatten().map(|structure| &structure.source);
            assert!(sources.clone().count() > 0);
            assert!(sources.clone().all(|source| !source.is_empty()), "{}", geometry.name);
        }
        assert_eq!(named("cortex-a99"), None);
    }
}
