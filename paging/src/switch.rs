//! Switches: the steps that make shadow paging fast, each of which a build can leave out.
//!
//! None of them changes what a guest sees. What each is worth can be measured only if everything else
//! stays as it is, so the engine asks at the place where the step is taken. A build answers with a
//! constant, and nothing of the question is left in its code; tests answer with a set of their choice.

use core::fmt;

/// A step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Switch {
    /// From a frame to every shadow leaf that maps it through a reverse map. Without: all leaf tables are
    /// searched.
    ReverseMap,
    /// A guest's fault on an entry that is not present takes no exit, where the hardware can tell it. Without:
    /// every page fault exits.
    NativeFaults,
    /// A guest's block of contiguous memory stays one entry. Without: every block is split into pages.
    LargeLeaves,
    /// A leaf table that is written again and again may get out of step with its shadow until it is next used.
    /// Without: every store to a table is carried out.
    OutOfSync,
    /// Many sets of roots are kept. Without: only the current one is.
    ManyRoots,
    /// Stores that look as if a table were none any more make an end of its shadow. Without: a shadow lives until
    /// nothing leads to it or its room is needed.
    WriteFlood,
    /// A fault on one page of a table fills others around it. Without: that page alone, where the
    /// hardware lets a leaf be unknown.
    FaultAround,
    /// A guest that knows of it hands over many changes of its tables in one call.
    Paravirtual,
}

impl Switch {
    /// All of them, in the order of the documents.
    pub const ALL: [Self; 8] = [
        Self::ReverseMap,
        Self::NativeFaults,
        Self::LargeLeaves,
        Self::OutOfSync,
        Self::ManyRoots,
        Self::WriteFlood,
        Self::FaultAround,
        Self::Paravirtual,
    ];

    /// Its name, which is also that of the hypervisor's feature.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReverseMap => "reverse-map",
            Self::NativeFaults => "native-faults",
            Self::LargeLeaves => "large-leaves",
            Self::OutOfSync => "out-of-sync",
            Self::ManyRoots => "many-roots",
            Self::WriteFlood => "write-flood",
            Self::FaultAround => "fault-around",
            Self::Paravirtual => "paravirtual",
        }
    }

    /// Whether a build has it unless told otherwise. What a guest has to know of is off.
    #[must_use]
    pub const fn is_default(self) -> bool {
        !matches!(self, Self::Paravirtual)
    }
}

/// Which switches are on.
pub trait Switches: Copy + fmt::Debug + 'static {
    /// Whether `switch` is.
    fn has(&self, switch: Switch) -> bool;
}

/// A set of switches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SwitchSet(u8);

impl SwitchSet {
    /// None.
    pub const NONE: Self = Self(0);

    /// All that are on unless told otherwise.
    pub const DEFAULT: Self = {
        let (mut set, mut place) = (Self::NONE, 0);
        while place < Switch::ALL.len() {
            let switch = Switch::ALL[place];
            if switch.is_default() {
                set = set.with(switch);
            }
            place += 1;
        }
        set
    };

    /// The set whose members are the bits of `bits`, in the order of [`Switch::ALL`].
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The set with `switch` as well.
    #[must_use]
    pub const fn with(self, switch: Switch) -> Self {
        Self(self.0 | 1 << switch as u8)
    }

    /// The set without `switch`.
    #[must_use]
    pub const fn without(self, switch: Switch) -> Self {
        Self(self.0 & !(1 << switch as u8))
    }

    /// Its members, in the order of [`Switch::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Switch> {
        Switch::ALL.into_iter().filter(move |switch| self.has(*switch))
    }
}

/// The names of its members with commas between; `-` if it has none.
impl fmt::Display for SwitchSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.iter().map(Switch::name);
        f.write_str(names.next().unwrap_or("-"))?;
        names.try_for_each(|name| write!(f, ",{name}"))
    }
}

impl Switches for SwitchSet {
    #[inline]
    fn has(&self, switch: Switch) -> bool {
        self.0 & 1 << switch as u8 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        for switch in Switch::ALL {
            assert_eq!(SwitchSet::DEFAULT.has(switch), switch.is_default());
            assert!(SwitchSet::NONE.with(switch).has(switch));
            assert!(!SwitchSet::from_bits(u8::MAX).without(switch).has(switch));
        }
        assert!(SwitchSet::DEFAULT.iter().eq(Switch::ALL[..7].iter().copied()));
    }
}
