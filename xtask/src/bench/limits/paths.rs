//! What one way through the hypervisor may take: the guest `bench`, row by row.

use super::{
    Limit, ON_SVM, ON_VIRT, ON_VTX, Of, SHADOWS_ON_VTX, SHADOWS_ON_X86_64, SVM_SHADOW, VIRT_SHADOW,
    most,
};
use crate::arch::Arch;

/// The guest.
const BENCH: &str = "bench";

const AARCH64: [Limit; 9] = [
    most("null hypercall", Of::Median(BENCH, "hvc"), ON_VIRT, 90.0, true),
    most("read of the distributor", Of::Median(BENCH, "gicd"), ON_VIRT, 200.0, false),
    most("timer interrupt", Of::Median(BENCH, "timer"), ON_VIRT, 600.0, false),
    most(
        "store to a leaf table: read-only",
        Of::Median(BENCH, "store-change"),
        &[VIRT_SHADOW],
        400.0,
        false,
    ),
    most(
        "store to a leaf table: absent",
        Of::Median(BENCH, "store-clear"),
        &[VIRT_SHADOW],
        400.0,
        false,
    ),
    most(
        "store to a leaf table: present",
        Of::Median(BENCH, "store-make"),
        &[VIRT_SHADOW],
        400.0,
        false,
    ),
    most(
        "exits of a guest fault, not present",
        Of::Exits(BENCH, "fault"),
        &[VIRT_SHADOW],
        0.0,
        true,
    ),
    most(
        "exits of a cold fill, 512 valid",
        Of::Exits(BENCH, "fill-512"),
        &[VIRT_SHADOW],
        1.0,
        false,
    ),
    most("exits of a cold fill, 16 valid", Of::Exits(BENCH, "fill-16"), &[VIRT_SHADOW], 1.0, false),
];

const X86_64: [Limit; 14] = [
    most("null exit: CPUID", Of::Median(BENCH, "cpuid"), ON_VTX, 110.0, true),
    most("null exit: VMCALL", Of::Median(BENCH, "call"), ON_VTX, 110.0, true),
    most("null exit: CPUID", Of::Median(BENCH, "cpuid"), ON_SVM, 250.0, true),
    most("null exit: VMMCALL", Of::Median(BENCH, "call"), ON_SVM, 250.0, true),
    most(
        "exits of a guest fault, not present",
        Of::Exits(BENCH, "fault"),
        SHADOWS_ON_VTX,
        0.0,
        true,
    ),
    most(
        "exits of a guest fault, not present",
        Of::Exits(BENCH, "fault"),
        &[SVM_SHADOW],
        1.0,
        true,
    ),
    most("guest fault, not present", Of::Median(BENCH, "fault"), &[SVM_SHADOW], 390.0, true),
    most(
        "exits of a protection fault",
        Of::Exits(BENCH, "protection"),
        SHADOWS_ON_X86_64,
        1.0,
        true,
    ),
    most("protection fault", Of::Median(BENCH, "protection"), SHADOWS_ON_X86_64, 450.0, true),
    most(
        "store to a leaf table: read-only",
        Of::Median(BENCH, "store-change"),
        SHADOWS_ON_X86_64,
        600.0,
        true,
    ),
    most(
        "store to a leaf table: absent",
        Of::Median(BENCH, "store-clear"),
        SHADOWS_ON_X86_64,
        600.0,
        true,
    ),
    most(
        "store to a leaf table: present",
        Of::Median(BENCH, "store-make"),
        SHADOWS_ON_X86_64,
        600.0,
        true,
    ),
    most("fill of one leaf entry", Of::Median(BENCH, "first-read"), SHADOWS_ON_X86_64, 500.0, true),
    most("exits of such a fill", Of::Exits(BENCH, "first-read"), SHADOWS_ON_X86_64, 1.0, true),
];

/// The limits of an instruction set.
pub(super) const fn of(arch: Arch) -> &'static [Limit] {
    match arch {
        Arch::Aarch64 => &AARCH64,
        Arch::X86_64 => &X86_64,
    }
}
