//! One instrument: exact counts and time distributions of named events.
//!
//! The code under measurement names an [`Event`] and holds a [`Span`] while it works. What that
//! costs is chosen by the type of the [`Probe`]: [`Off`] is empty and compiles to nothing,
//! [`Counts`] counts, [`Full`] reads a clock at both ends. The call sites are the same.
//!
//! Time is *inclusive* (a function with all that it called) and *exclusive* (without what called
//! functions took that are events themselves). The root of every span is an exit of a guest, so the
//! exclusive times of all events sum to the inclusive time of all exits, whatever is nested in
//! what. That identity is the check on the whole instrument, and a test.
//!
//! Sampling chooses whole exits: an exit is measured with everything below it or not at all, so the
//! identity holds over the sampled ones. Counts stay exact.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod distribution;
mod event;
mod recorder;

pub use distribution::{BUCKETS, Distribution};
pub use event::{Event, Kind};
pub use recorder::{Counts, Full, Off};

/// A counter that rises by one for each unit of time.
pub trait Clock {
    /// The counter now, ordered after what stands before it in the program.
    fn now() -> u64;
}

/// An open measurement: what [`Probe::stop`] needs to close it.
///
/// Spans nest like the calls that they measure: the last opened is the first to be closed.
#[must_use = "a span that is not stopped leaves its time with its caller"]
#[derive(Clone, Copy, Debug)]
pub struct Span<S>(S);

/// A place for events.
pub trait Probe {
    /// Whether the first instruction after a trap has to read the clock.
    const STAMPED: bool;
    /// Whether anything is recorded at all.
    const RECORDS: bool;
    /// What a span remembers.
    type Stamp: Copy;

    /// An exit begins, at the clock's value `stamp` (0 unless [`Self::STAMPED`]). Nothing is open.
    fn enter(&mut self, stamp: u64) -> Span<Self::Stamp>;
    /// A function that is an event begins.
    fn start(&mut self) -> Span<Self::Stamp>;
    /// It ends, and was `event`.
    fn stop(&mut self, event: Event, span: Span<Self::Stamp>);
    /// It ends, was `event`, and came to `outcome`, which has a distribution of its own.
    fn stop_as(&mut self, event: Event, outcome: Event, span: Span<Self::Stamp>);
    /// `event` happened `times` times; it has no duration.
    fn count(&mut self, event: Event, times: u64);

    /// How many exits began so far; 0 if nothing is recorded.
    fn exits(&self) -> u64;
    /// The time of all measured exits that are over; 0 if none is measured.
    fn time(&self) -> u64;
}
