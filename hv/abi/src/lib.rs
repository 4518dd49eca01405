//! What the hypervisor, its guests and the build tool agree on.
//!
//! Contracts and nothing else: the hypercalls a guest may make ([`call`]), how a PC's guest finds
//! out ([`pc`]), the instructions that mark a guest's phases ([`marker`]), the bundle that tells the
//! hypervisor which machine to build ([`bundle`]), and the shape of the records that it prints
//! ([`record`]). The crate holds numbers and layouts; it does nothing.
#![no_std]
#![forbid(unsafe_code)]

pub mod bundle;
pub mod call;
pub mod marker;
pub mod pc;
pub mod record;
