//! The decoder and the executor against those who know: `iced-x86` and the processor.

#![expect(clippy::cast_possible_truncation, reason = "random numbers are cut to size")]

mod decoded;
mod encoded;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod executed;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod processor;
mod random;
