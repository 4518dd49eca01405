//! The decoder and the executor against those who know: `iced-x86` and the processor.

#![expect(clippy::cast_possible_truncation, reason = "random numbers are cut to size")]

mod decoded;
mod random;
