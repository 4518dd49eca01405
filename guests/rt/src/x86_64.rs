//! x86-64: what the portable half of the runtime asks of a 64-bit PC.

pub(crate) mod apic;
pub(crate) mod boot;
pub(crate) mod call;
pub(crate) mod clock;
pub(crate) mod console;
pub mod descriptor;
pub mod exact;
pub mod exception;
pub(crate) mod machine;
pub(crate) mod marker;
pub(crate) mod port;
pub(crate) mod quick;
pub(crate) mod table;
pub(crate) mod timer;
pub(crate) mod tlb;

pub(crate) use apic as controller;

core::arch::global_asm!(include_str!("x86_64/start.s"));
core::arch::global_asm!(include_str!("x86_64/vectors.s"));

// A linker that meets a text file among the libraries reads it as a linker script. So a guest is
// laid out by depending on this crate, without a build script of its own.
#[link(name = "guest.ld", kind = "dylib", modifiers = "+verbatim")]
unsafe extern "C" {}
