//! Umbra's hypervisor: a page that chooses a processor, a paging mode and a probe, and calls the
//! library.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
mod aarch64;
#[cfg(target_os = "none")]
mod image;
#[cfg(target_os = "none")]
mod switches;
#[cfg(all(target_os = "none", target_arch = "x86_64"))]
mod x86_64;

#[cfg(all(target_os = "none", target_arch = "aarch64"))]
use {aarch64 as here, arch_aarch64 as cpu};
#[cfg(all(target_os = "none", target_arch = "x86_64"))]
use {arch_x86_64 as cpu, x86_64 as here};

/// On an ordinary computer there is nothing to run: `cargo xtask qemu` builds the image and boots it.
#[cfg(not(target_os = "none"))]
fn main() {
    println!("the hypervisor runs on a machine of its own: cargo xtask qemu");
}
