//! Whose a translation is: what hardware tags it with.

/// A translation regime with its tags, as one number to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(u64);

/// Where the tag of a virtual machine begins.
const VM_SHIFT: u32 = 16;
/// Set in the hypervisor's own regime, where the architecture has one: Arm's EL2.
const HYPERVISOR: u64 = 1 << 32;
/// Set while stage 1 is off: an address is then one of the guest's memory, and no translation of stage 1's.
const FLAT: u64 = 1 << 33;
/// The bits that tell address spaces of one machine apart.
const SPACE: u64 = (1 << VM_SHIFT) - 1;

impl Owner {
    /// An address space of a virtual machine, or of the machine itself, which is number 0: a VMID and an ASID on
    /// Arm, an ASID and a PCID on AMD's processors.
    #[must_use]
    pub const fn space(vm: u16, space: u16) -> Self {
        Self((vm as u64) << VM_SHIFT | space as u64)
    }

    /// The same machine while stage 1 is off.
    #[must_use]
    pub const fn flat(self) -> Self {
        Self(self.0 | FLAT)
    }

    /// The regime of Arm's EL2, which has neither.
    #[must_use]
    pub const fn hypervisor() -> Self {
        Self(HYPERVISOR)
    }
}

/// A set of owners: those that agree with one in some of its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owners {
    of: Owner,
    mask: u64,
}

impl Owners {
    /// All of them.
    pub const ALL: Self = Self { of: Owner(0), mask: 0 };
    /// All address spaces of all machines, without the hypervisor's own regime.
    pub const SPACES: Self = Self { of: Owner(0), mask: HYPERVISOR };
    /// The hypervisor's own regime.
    pub const HYPERVISOR: Self = Self { of: Owner(HYPERVISOR), mask: HYPERVISOR };

    /// One of them.
    #[must_use]
    pub const fn one(of: Owner) -> Self {
        Self { of, mask: u64::MAX }
    }

    /// All that belongs to the machine of `of`.
    #[must_use]
    pub const fn machine_of(of: Owner) -> Self {
        Self { of, mask: !(SPACE | FLAT) }
    }

    /// Every address space of the machine of `of`, with stage 1 on if it is for `of`, and off if not.
    #[must_use]
    pub const fn spaces_of(of: Owner) -> Self {
        Self { of, mask: !SPACE }
    }

    /// Whether `owner` is among them.
    #[must_use]
    pub const fn contain(self, owner: Owner) -> bool {
        (owner.0 ^ self.of.0) & self.mask == 0
    }

    /// Whether it has one member.
    #[must_use]
    pub const fn is_one(self) -> bool {
        self.mask == u64::MAX
    }

    /// Whether the two sets have a member in common.
    #[must_use]
    pub const fn meet(self, other: Self) -> bool {
        (self.of.0 ^ other.of.0) & self.mask & other.mask == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_contain_what_agrees_in_their_tags() {
        let (one, other) = (Owner::space(1, 7), Owner::space(1, 8));
        let elsewhere = Owner::space(2, 7);
        let machine = Owners::machine_of(one);
        assert!(machine.contain(one) && machine.contain(other) && !machine.contain(elsewhere));
        assert!(Owners::one(one).contain(one) && !Owners::one(one).contain(other));
        assert!(Owners::SPACES.contain(elsewhere) && !Owners::SPACES.contain(Owner::hypervisor()));
        assert!(!machine.contain(Owner::hypervisor()) && Owners::ALL.contain(Owner::hypervisor()));
        assert!(machine.meet(Owners::one(other)) && !machine.meet(Owners::one(elsewhere)));
        let spaces = Owners::spaces_of(one);
        assert!(spaces.contain(other) && !spaces.contain(other.flat()));
        assert!(machine.contain(other.flat()) && machine.meet(Owners::spaces_of(one.flat())));
    }
}
