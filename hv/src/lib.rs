//! What a hypervisor does, on any processor.
//!
//! - [`boot`]: what firmware gave becomes owned memory; the bundle says which machine to make.
//! - [`machine`]: a virtual machine: processor, MMU, memory, devices.
//! - [`run`]: the loop: enter the guest, see why it was left, do what that calls for.
//! - [`hypercall`], [`update`] and [`psci`]: what a guest may ask.
//! - [`device`]: what a guest finds where no memory is.
//! - [`phase`]: the parts of a workload, as the guest names them.
//! - [`report`]: every line that a program will read.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod boot;
pub mod device;
pub mod hypercall;
pub mod machine;
pub mod phase;
pub mod psci;
pub mod report;
pub mod run;
pub mod update;
