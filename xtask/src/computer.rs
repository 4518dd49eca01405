//! The computers that things run on: an emulator, and what it is told to be.

use clap::ValueEnum;

use crate::arch::Arch;

/// What executes the instructions of QEMU's x86-64 machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accel {
    /// QEMU's own translator, which knows SVM. It counts instructions, and two runs are identical.
    Tcg,
    /// This computer's processor, if it lends its VT-x or SVM.
    Kvm,
}

/// A program that emulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// QEMU for an instruction set.
    Qemu(Arch),
    /// Bochs.
    Bochs,
}

impl Program {
    /// Its name for a person.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Qemu(_) => "QEMU",
            Self::Bochs => "Bochs",
        }
    }
}

/// An emulated computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Computer {
    /// QEMU's `virt`.
    Virt,
    /// QEMU's `q35`.
    Q35(Accel),
    /// Bochs with a processor of this model.
    Bochs(Model),
}

impl Arch {
    /// The computers that its tests run on.
    pub(crate) const fn computers(self) -> &'static [Computer] {
        match self {
            Self::Aarch64 => &[Computer::Virt],
            Self::X86_64 => &[
                Computer::Q35(Accel::Tcg),
                Computer::Bochs(Model::PENRYN),
                Computer::Bochs(Model::SKYLAKE),
            ],
        }
    }
}

impl Computer {
    /// Its instruction set.
    pub(crate) const fn arch(self) -> Arch {
        match self {
            Self::Virt => Arch::Aarch64,
            Self::Q35(_) | Self::Bochs(_) => Arch::X86_64,
        }
    }

    /// What emulates it.
    pub(crate) const fn program(self) -> Program {
        match self {
            Self::Virt | Self::Q35(_) => Program::Qemu(self.arch()),
            Self::Bochs(_) => Program::Bochs,
        }
    }

    /// Its name for a person.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Virt => "QEMU",
            Self::Q35(Accel::Tcg) => "QEMU, SVM",
            Self::Q35(Accel::Kvm) => "QEMU, KVM",
            Self::Bochs(model) => model.name,
        }
    }

    /// Its name in the names of tests. Arm's, the first, has none.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Virt => "",
            _ => self.word(),
        }
    }

    /// Its name in files of results.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Virt => "virt",
            Self::Q35(Accel::Tcg) => "svm",
            Self::Q35(Accel::Kvm) => "kvm",
            Self::Bochs(model) => model.short,
        }
    }
}

/// A processor model of Bochs's that can run a hypervisor in 64-bit mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    /// Its name there.
    pub(crate) name: &'static str,
    /// Its name in the names of tests.
    short: &'static str,
}

impl Model {
    /// VT-x without EPT, VPID and preemption timer.
    pub(crate) const PENRYN: Self = Self { name: "core2_penryn_t9600", short: "penryn" };
    /// VT-x with all that Bochs knows.
    pub(crate) const SKYLAKE: Self = Self { name: "corei7_skylake_x", short: "skylake_x" };

    /// All of them: those with VT-x, then those with SVM.
    const ALL: [Self; 14] = [
        Self::PENRYN,
        Self { name: "corei5_lynnfield_750", short: "lynnfield" },
        Self { name: "corei5_arrandale_m520", short: "arrandale" },
        Self { name: "corei7_sandy_bridge_2600k", short: "sandy_bridge" },
        Self { name: "corei7_ivy_bridge_3770k", short: "ivy_bridge" },
        Self { name: "corei7_haswell_4770", short: "haswell" },
        Self { name: "broadwell_ult", short: "broadwell" },
        Self::SKYLAKE,
        Self { name: "corei3_cnl", short: "cnl" },
        Self { name: "corei7_icelake_u", short: "icelake" },
        Self { name: "tigerlake", short: "tigerlake" },
        Self { name: "phenom_8650_toliman", short: "toliman" },
        Self { name: "trinity_apu", short: "trinity" },
        Self { name: "ryzen", short: "ryzen" },
    ];

    /// Their names.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|model| model.name)
    }

    /// The model of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name == name)
    }
}
