//! Links the hypervisor by its own map, where there is no operating system to load it.

use std::env;

fn main() {
    let of = |name| env::var(name).unwrap_or_default();
    if of("CARGO_CFG_TARGET_OS") == "none" {
        let script = format!("{}.ld", of("CARGO_CFG_TARGET_ARCH"));
        println!("cargo:rerun-if-changed={script}");
        println!("cargo:rustc-link-arg-bins=-T{}/{script}", env!("CARGO_MANIFEST_DIR"));
    }
}
