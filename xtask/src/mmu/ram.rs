//! Where RAM is in the machines that QEMU makes.

use mmu_model::config::Ram;

use crate::arch::Arch;

/// Where an Arm machine's begins.
const ARM: u64 = 0x4000_0000;
/// How much of a PC's is below 4 GiB at most.
const LOW: u64 = 0xb000_0000;
/// How much there is of it where RAM is larger than that.
const LOW_OF_LARGE: u64 = 0x8000_0000;
/// Where the rest of a PC's is.
const HIGH: u64 = 1 << 32;

/// The ranges of so many bytes.
pub(super) fn ranges(arch: Arch, size: u64) -> Vec<Ram> {
    match arch {
        Arch::Aarch64 => vec![Ram { base: ARM, size, offset: 0 }],
        Arch::X86_64 if size < LOW => vec![Ram { base: 0, size, offset: 0 }],
        Arch::X86_64 => vec![
            Ram { base: 0, size: LOW_OF_LARGE, offset: 0 },
            Ram { base: HIGH, size: size - LOW_OF_LARGE, offset: LOW_OF_LARGE },
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pc_with_much_has_the_rest_above_4_gib() {
        let of = |size| ranges(Arch::X86_64, size).iter().map(|ram| ram.size).collect::<Vec<_>>();
        assert_eq!(of(LOW - 1), [LOW - 1]);
        assert_eq!(of(LOW), [LOW_OF_LARGE, LOW - LOW_OF_LARGE]);
        assert_eq!(ranges(Arch::X86_64, 4 << 30)[1].offset, 2 << 30);
    }
}
