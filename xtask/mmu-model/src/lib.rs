//! A model of what no emulator shows: TLBs, walk caches and page walks.
#![forbid(unsafe_code)]

pub mod config;
pub mod counts;
pub mod geometry;
pub mod presets;
