//! A model of what no emulator shows: TLBs, walk caches and page walks.
//!
//! It is told every access of a run, and what is in force meanwhile; it walks the tables that the run has made;
//! it counts. Nothing of it is random or hangs on time, so that a run gives the same counts again.
//!
//! - [`geometry`] says what a processor's structures are, [`presets`] those that documents describe.
//! - [`mmu`] is a processor's MMU: L1 TLBs, an L2, a walker. Each structure is a set-associative array that gives
//!   up what was used least recently (`cache`), and several make a `level`.
//! - `walk` adds to `paging`'s walk what hardware has around it: stage 2 below each table, and walk caches. What
//!   a descriptor means stands in `paging`'s formats, and only there.
//! - [`architecture`] says which formats are whose, and what registers put in force; [`owner`] what hardware tags
//!   translations with; [`invalidation`] what software tells it to forget.
//! - [`session`] is a run with its phases: most accesses end there, because they repeat the page of the one
//!   before. [`counts`] is what comes of it, [`config`] what it is told.
//!
//! What is counted is exact for this program, these tables and this geometry. It is no number of cycles, and no
//! statement about a processor: see CAVEATS.md.
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
