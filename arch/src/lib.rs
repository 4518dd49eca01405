//! The seam.
#![no_std]
#![forbid(unsafe_code)]
pub mod irq;
