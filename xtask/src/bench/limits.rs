//! What the project has promised to reach, as data.

use crate::arch::Arch;
use crate::cli::Paging;
use crate::computer::{Accel, Computer, Model};
use crate::lab::{Mode, Place};

/// A figure of the guest `bench`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    /// The median of a row, in instructions.
    Median(&'static str),
    /// Exits for each operation of a phase.
    Exits(&'static str),
}

/// The most that a figure may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// What it is about.
    pub(super) name: &'static str,
    /// The figure.
    pub(super) of: Of,
    /// Where it counts.
    pub(super) places: &'static [Place],
    /// The most.
    pub(super) most: f64,
    /// Whether the project has failed if it is missed.
    pub(super) mandatory: bool,
}

const fn limit(
    name: &'static str,
    of: Of,
    places: &'static [Place],
    most: f64,
    mandatory: bool,
) -> Limit {
    Limit { name, of, places, most, mandatory }
}

const fn under(computer: Computer, paging: Paging) -> Place {
    Place { computer, mode: Mode::Under(paging) }
}

const SVM: Computer = Computer::Q35(Accel::Tcg);
const PENRYN: Computer = Computer::Bochs(Model::PENRYN);
const SKYLAKE: Computer = Computer::Bochs(Model::SKYLAKE);

const VIRT_SHADOW: Place = under(Computer::Virt, Paging::Shadow);
const SVM_SHADOW: Place = under(SVM, Paging::Shadow);
const PENRYN_SHADOW: Place = under(PENRYN, Paging::Shadow);
const SKYLAKE_SHADOW: Place = under(SKYLAKE, Paging::Shadow);

const ON_VIRT: &[Place] = &[under(Computer::Virt, Paging::Nested), VIRT_SHADOW];
const ON_SVM: &[Place] = &[under(SVM, Paging::Nested), SVM_SHADOW];
const ON_VTX: &[Place] = &[PENRYN_SHADOW, under(SKYLAKE, Paging::Nested), SKYLAKE_SHADOW];
const SHADOWS_ON_VTX: &[Place] = &[PENRYN_SHADOW, SKYLAKE_SHADOW];
const SHADOWS_ON_X86_64: &[Place] = &[SVM_SHADOW, PENRYN_SHADOW, SKYLAKE_SHADOW];

const AARCH64: [Limit; 9] = [
    limit("null hypercall", Of::Median("hvc"), ON_VIRT, 90.0, true),
    limit("read of the distributor", Of::Median("gicd"), ON_VIRT, 200.0, false),
    limit("timer interrupt", Of::Median("timer"), ON_VIRT, 600.0, false),
    limit(
        "store to a leaf table: read-only",
        Of::Median("store-change"),
        &[VIRT_SHADOW],
        400.0,
        false,
    ),
    limit("store to a leaf table: absent", Of::Median("store-clear"), &[VIRT_SHADOW], 400.0, false),
    limit("store to a leaf table: present", Of::Median("store-make"), &[VIRT_SHADOW], 400.0, false),
    limit("exits of a guest fault, not present", Of::Exits("fault"), &[VIRT_SHADOW], 0.0, true),
    limit("exits of a cold fill, 512 valid", Of::Exits("fill-512"), &[VIRT_SHADOW], 1.0, false),
    limit("exits of a cold fill, 16 valid", Of::Exits("fill-16"), &[VIRT_SHADOW], 1.0, false),
];

const X86_64: [Limit; 14] = [
    limit("null exit: CPUID", Of::Median("cpuid"), ON_VTX, 110.0, true),
    limit("null exit: VMCALL", Of::Median("call"), ON_VTX, 110.0, true),
    limit("null exit: CPUID", Of::Median("cpuid"), ON_SVM, 250.0, true),
    limit("null exit: VMMCALL", Of::Median("call"), ON_SVM, 250.0, true),
    limit("exits of a guest fault, not present", Of::Exits("fault"), SHADOWS_ON_VTX, 0.0, true),
    limit("exits of a guest fault, not present", Of::Exits("fault"), &[SVM_SHADOW], 1.0, true),
    limit("guest fault, not present", Of::Median("fault"), &[SVM_SHADOW], 390.0, true),
    limit("exits of a protection fault", Of::Exits("protection"), SHADOWS_ON_X86_64, 1.0, true),
    limit("protection fault", Of::Median("protection"), SHADOWS_ON_X86_64, 450.0, true),
    limit(
        "store to a leaf table: read-only",
        Of::Median("store-change"),
        SHADOWS_ON_X86_64,
        600.0,
        true,
    ),
    limit(
        "store to a leaf table: absent",
        Of::Median("store-clear"),
        SHADOWS_ON_X86_64,
        600.0,
        true,
    ),
    limit(
        "store to a leaf table: present",
        Of::Median("store-make"),
        SHADOWS_ON_X86_64,
        600.0,
        true,
    ),
    limit("fill of one leaf entry", Of::Median("first-read"), SHADOWS_ON_X86_64, 500.0, true),
    limit("exits of such a fill", Of::Exits("first-read"), SHADOWS_ON_X86_64, 1.0, true),
];

/// The limits of an instruction set.
pub(super) const fn of(arch: Arch) -> &'static [Limit] {
    match arch {
        Arch::Aarch64 => &AARCH64,
        Arch::X86_64 => &X86_64,
    }
}

/// The most bytes of the hypervisor's loadable image. On x86-64 it holds both vendors.
pub(super) const fn image(arch: Arch) -> f64 {
    match arch {
        Arch::Aarch64 => 160.0 * 1024.0,
        Arch::X86_64 => 200.0 * 1024.0,
    }
}

/// Cold fills on Arm, where a whole leaf table is filled: the row of the guest `bench`.
pub(super) const FILLS: [(&str, &str); 2] =
    [("cold fill, 512 valid", "fill-512"), ("cold fill, 16 valid", "fill-16")];
/// What a cold fill may take for each valid leaf entry.
pub(super) const FILL_VALID: f64 = 16.0;
/// What it may take for each empty entry of the tables it makes.
pub(super) const FILL_EMPTY: f64 = 5.0;
/// What it may take besides.
pub(super) const FILL_BASE: f64 = 1500.0;
