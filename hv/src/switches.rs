//! Which steps of shadow paging this build has: the features of the package.

use paging::switch::{Switch, SwitchSet, Switches};

/// The switches of this build. Every answer is a constant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Built;

impl Built {
    /// The same as a set.
    pub(crate) fn set() -> SwitchSet {
        let on = Switch::ALL.into_iter().filter(|switch| Self.has(*switch));
        on.fold(SwitchSet::NONE, SwitchSet::with)
    }
}

impl Switches for Built {
    #[inline(always)]
    fn has(&self, switch: Switch) -> bool {
        match switch {
            Switch::ReverseMap => cfg!(feature = "reverse-map"),
            Switch::NativeFaults => cfg!(feature = "native-faults"),
            Switch::LargeLeaves => cfg!(feature = "large-leaves"),
            Switch::OutOfSync => cfg!(feature = "out-of-sync"),
            Switch::ManyRoots => cfg!(feature = "many-roots"),
            Switch::WriteFlood => cfg!(feature = "write-flood"),
            Switch::FaultAround => cfg!(feature = "fault-around"),
            Switch::Paravirtual => cfg!(feature = "paravirtual"),
        }
    }
}
