//! Tells the linker where the guests' linker script stands. The library names it (`src/aarch64.rs`,
//! `src/x86_64.rs`), so that a guest needs no build script of its own.

fn main() {
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    println!("cargo:rerun-if-changed=src/{arch}/guest.ld");
    println!("cargo:rustc-link-search=native={}/src/{arch}", env!("CARGO_MANIFEST_DIR"));
}
