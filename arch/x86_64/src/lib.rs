//! The PC side of the seam: a hypervisor in 64-bit mode, at ring 0 of VMX root operation or of SVM's host.
//!
//! One file for one thing that a processor has. What stands here first is the hypervisor's own footing,
//! the same for both vendors: start-up ([`boot`]), segments and vectors ([`segment`], [`interrupt`]), the
//! interrupt controllers ([`pic`], [`apic`], both as [`interrupts`]), the clock, the serial line and the
//! switch for the power.
//!
//! With AMD's SVM an exit leaves FS, GS, TR, LDTR, KERNEL_GS_BASE and the MSRs of SYSCALL and SYSENTER as
//! the guest has them (AMD64 APM vol. 2, "#VMEXIT"). So that nothing of it must be switched at every
//! exit, the hypervisor uses none of them once a guest has started.
#![no_std]

extern crate alloc;

pub mod apic;
pub mod boot;
pub mod clock;
pub mod console;
pub mod control;
pub mod cpuid;
mod exit;
mod fetch;
pub mod hardware;
pub mod interrupt;
pub mod interrupts;
pub mod msr;
pub mod nested;
mod outside;
pub mod phys;
pub mod pic;
pub mod power;
mod register;
mod regs;
pub mod segment;
pub mod shadow;
mod store;
pub mod svm;
pub mod tlb;
pub mod vcpu;
pub mod vmx;
