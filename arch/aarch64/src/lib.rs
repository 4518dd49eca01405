//! The Arm side of the seam: a hypervisor at EL2 without the Virtualization Host Extensions.
//!
//! One file for one thing that a processor has. Unsafe code stands in the files whose names say why:
//! physical memory ([`phys`]), the TLB ([`tlb`]), the world switch ([`vcpu`]), registers ([`regs`]),
//! start-up ([`boot`]), the interrupt controller ([`gic`]) and power ([`power`]).
#![no_std]

pub mod at;
pub mod boot;
pub mod clock;
pub mod console;
pub mod exit;
pub mod feature;
pub mod gic;
pub mod nested;
pub mod phys;
pub mod power;
pub mod regime;
pub mod regs;
pub mod shadow;
pub mod store;
pub mod sysreg;
pub mod tlb;
pub mod traps;
pub mod vcpu;
