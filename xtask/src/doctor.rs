//! `cargo xtask doctor`: what the computer needs and what it has.

use crate::arch::Arch;
use crate::computer::Program;
use crate::setup::Need;

/// Lists every need. The status is 0 if all are met.
pub(crate) fn run() -> u8 {
    let of_each = Arch::ALL.into_iter().flat_map(|arch| {
        [Need::Emulator(Program::Qemu(arch)), Need::Compiler(arch), Need::BareClippy(arch)]
    });
    let needs = of_each.chain([
        Need::Linker(Arch::Aarch64),
        Need::Rustfmt,
        Need::Clippy,
        Need::Emulator(Program::Bochs),
        Need::BochsFiles,
        Need::Grub,
        Need::GrubUefi,
        Need::Ovmf,
        Need::Browser,
    ]);
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
