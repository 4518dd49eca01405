//! What the guest that misbehaves can be told to do, and what must come of it.

use crate::arch::Arch;
use crate::computer::{Computer, Program};

/// The guest that does what a guest must not; its argument says what.
pub(super) const MISBEHAVE: &str = "misbehave";

/// What a case must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Must {
    /// The guest ends by itself, with this status.
    End(u8),
    /// It ends with a status that is not 0: its own, or that of a guest that was stopped.
    Fail,
    /// It goes on until the hypervisor is asked to end it.
    GoOn,
}

/// What [`MISBEHAVE`] can be told to do, and what must come of it under nested and shadow paging.
pub(super) type Deed = (&'static str, [Must; 2]);

/// What it can be told on every processor, with the same outcome.
const DEEDS: [Deed; 9] = [
    ("status", [Must::End(42); 2]),
    ("panic", [Must::Fail; 2]),
    ("calls", [Must::End(0); 2]),
    ("phases", [Must::End(0); 2]),
    ("lists", [Must::End(0); 2]),
    ("garbage", [Must::Fail; 2]),
    ("spin", [Must::GoOn; 2]),
    ("sleep", [Must::GoOn; 2]),
    ("device-code", [Must::Fail; 2]),
];

/// What it can be told on Arm.
const DEEDS_AARCH64: [Deed; 10] = [
    ("smc", [Must::End(0); 2]),
    ("fault-loop", [Must::GoOn; 2]),
    ("privilege", [Must::Fail; 2]),
    ("granule", [Must::GoOn, Must::Fail]),
    ("nowhere", [Must::Fail; 2]),
    ("beyond", [Must::Fail; 2]),
    ("table-beyond", [Must::Fail; 2]),
    ("table-device", [Must::Fail; 2]),
    ("root-beyond", [Must::GoOn; 2]),
    ("device-pair", [Must::Fail; 2]),
];

/// What it can be told on x86-64. A PC reads ones where it has nothing.
const DEEDS_X86_64: [Deed; 20] = [
    ("nowhere", [Must::End(0); 2]),
    ("beyond", [Must::End(0); 2]),
    ("table-beyond", [Must::Fail; 2]),
    ("table-device", [Must::Fail; 2]),
    ("triple-fault", [Must::Fail; 2]),
    ("halt", [Must::GoOn; 2]),
    ("reserved-msr", [Must::Fail; 2]),
    ("virtualize", [Must::Fail; 2]),
    ("other-call", [Must::Fail; 2]),
    ("move-apic", [Must::Fail; 2]),
    ("unknown-ports", [Must::End(0); 2]),
    ("string-output", [Must::Fail; 2]),
    ("root-beyond", [Must::Fail; 2]),
    ("root-reserved", [Must::Fail; 2]),
    ("device-wide", [Must::Fail; 2]),
    ("extended-state", [Must::End(0); 2]),
    ("wild-base", [Must::Fail; 2]),
    ("paging-32", [Must::End(0), Must::Fail]),
    ("paging-pae", [Must::End(0), Must::Fail]),
    ("paging-5", [Must::Fail; 2]),
];

/// What it is not told under Bochs, which holds interrupts off while a guest does that: nobody could ask
/// it to stop (CAVEATS.md).
const NOT_UNDER_BOCHS: [&str; 1] = ["spin"];

/// All that it can be told on a computer.
pub(super) fn on(computer: Computer) -> impl Iterator<Item = Deed> {
    let own: &[Deed] = match computer.arch() {
        Arch::Aarch64 => &DEEDS_AARCH64,
        Arch::X86_64 => &DEEDS_X86_64,
    };
    let under_bochs = computer.program() == Program::Bochs;
    let all = DEEDS.into_iter().chain(own.iter().copied());
    all.filter(move |(deed, _)| !under_bochs || !NOT_UNDER_BOCHS.contains(deed))
}
