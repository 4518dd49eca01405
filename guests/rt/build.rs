//! Tells the linker where the guests' linker script stands. The library names it (`src/aarch64.rs`),
//! so that a guest needs no build script of its own.

fn main() {
    println!("cargo:rerun-if-changed=src/aarch64/guest.ld");
    println!("cargo:rustc-link-search=native={}/src/aarch64", env!("CARGO_MANIFEST_DIR"));
}
