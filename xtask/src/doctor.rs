//! `cargo xtask doctor`: what the computer needs and what it has.

use crate::cli::Arch;
use crate::setup::Need;

/// Lists every need. The status is 0 if all are met.
pub(crate) fn run() -> u8 {
    let arch = Arch::Aarch64;
    let needs = [
        Need::Emulator(arch),
        Need::Compiler(arch),
        Need::Linker(arch),
        Need::Rustfmt,
        Need::Clippy,
        Need::BareClippy(arch),
    ];
    let mut missing = 0;
    for need in needs {
        match need.look() {
            Ok(found) => println!("ok       {}\n           found: {found}", need.name()),
            Err(why) => {
                missing += 1;
                println!(
                    "MISSING  {}\n           found: {why}\n           mend:  {}",
                    need.name(),
                    need.mend()
                );
            }
        }
    }
    match missing {
        0 => println!("nothing is missing"),
        _ => println!(
            "{missing} missing; `cargo xtask qemu` and `cargo xtask test` install what they lack"
        ),
    }
    u8::from(missing > 0)
}
