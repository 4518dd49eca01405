//! Links the hypervisor by its own map, where there is no operating system to load it.

fn main() {
    println!("cargo:rerun-if-changed=hv.ld");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/hv.ld");
        println!("cargo:rustc-link-arg-bins=-T{script}");
    }
}
