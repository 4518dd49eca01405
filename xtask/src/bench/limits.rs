//! What the project has promised to reach, as data.

mod operations;
mod paths;
mod workloads;

pub(super) use self::operations::{OPERATIONS, Operation};
use super::of::Of;
use crate::arch::Arch;
use crate::cli::Paging;
use crate::computer::{Accel, Computer, Model};
use crate::lab::{Mode, Place};

/// How far a figure may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    /// It may be this, or less.
    AtMost(f64),
    /// It may be this, or more.
    AtLeast(f64),
}

impl Bound {
    /// The last figure that is allowed.
    pub(super) const fn value(self) -> f64 {
        match self {
            Self::AtMost(value) | Self::AtLeast(value) => value,
        }
    }

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AtMost(_) => "at most",
            Self::AtLeast(_) => "at least",
        }
    }

    /// Whether it allows a figure.
    pub(super) fn allows(self, figure: f64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }
}

/// What a figure may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// What it is about.
    pub(super) name: &'static str,
    /// The figure.
    pub(super) of: Of,
    /// Where it counts.
    pub(super) places: &'static [Place],
    /// What it may be.
    pub(super) bound: Bound,
    /// Whether the project has failed if it is missed.
    pub(super) mandatory: bool,
}

const fn most(
    name: &'static str,
    of: Of,
    places: &'static [Place],
    most: f64,
    mandatory: bool,
) -> Limit {
    Limit { name, of, places, bound: Bound::AtMost(most), mandatory }
}

const fn native(computer: Computer) -> Place {
    Place { computer, mode: Mode::Native }
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
/// Wherever a true fault of the guest needs no exit.
const SHADOWS_WITHOUT_EXIT: &[Place] = &[VIRT_SHADOW, PENRYN_SHADOW, SKYLAKE_SHADOW];
const SHADOWS: &[Place] = &[VIRT_SHADOW, SVM_SHADOW, PENRYN_SHADOW, SKYLAKE_SHADOW];
const NATIVE: &[Place] = &[native(Computer::Virt), native(SVM), native(SKYLAKE)];

/// The limits that count in a place.
pub(super) fn of(place: Place) -> impl Iterator<Item = Limit> {
    let paths = paths::of(place.computer.arch()).iter().copied();
    let all = paths.chain(operations::limits()).chain(workloads::limits());
    all.filter(move |limit| limit.places.contains(&place))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_itself_is_allowed() {
        assert!(Bound::AtMost(90.0).allows(90.0) && !Bound::AtMost(90.0).allows(90.5));
        assert!(Bound::AtLeast(500.0).allows(500.0) && !Bound::AtLeast(500.0).allows(499.0));
    }

    #[test]
    fn every_place_without_a_hypervisor_has_the_work_itself_judged() {
        for arch in Arch::ALL {
            let mut native = Place::all(arch).filter(|place| place.mode == Mode::Native);
            assert!(native.all(|place| of(place).count() == 1), "{}", arch.name());
        }
    }
}
