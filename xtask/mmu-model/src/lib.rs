//! A model of what no emulator shows: TLBs, walk caches and page walks.
#![forbid(unsafe_code)]

pub mod architecture;
mod cache;
pub mod config;
pub mod counts;
pub mod geometry;
pub mod invalidation;
mod level;
pub mod memory;
pub mod mmu;
pub mod owner;
pub mod presets;
pub mod session;
mod walk;
