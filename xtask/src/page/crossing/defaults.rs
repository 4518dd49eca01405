//! What the costs are at first, and who says so.

use super::cost::Costs;
use crate::arch::Arch;
use crate::compare::published::Published;
use crate::results::Results;

/// What an instruction costs: nobody's figure.
const INSTRUCTION: f64 = 1.0;

/// What a table read costs where it finds the entry in a cache of data near the processor, by geometry.
const READS: [(&str, f64, &str); 3] = [
    (
        "cortex-a76",
        9.0,
        "a read that hits the L2 cache of a Cortex-A76 (WikiChip, Cortex-A76: “The fastest load-to-use latency is \
         9 cycles”)",
    ),
    (
        "skylake",
        11.0,
        "a read that hits the L2 cache of a Skylake client processor (AnandTech, The Intel Skylake-X Review, \
         2017, Skylake-S and Skylake-SP caches: 11 cycles)",
    ),
    (
        "amd-16h",
        3.0,
        "a read that hits the L1 data cache (AMD, Software Optimization Guide for Family 16h Processors, 52128 \
         rev. 1.1, 2.5.2: integer load-to-use latency of 3 cycles); what hits the L2 cache costs more",
    ),
];

/// The costs that stand on the page at first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Defaults {
    /// An exit on Arm: what the exception costs, and what the return does.
    arm: f64,
    /// An exit on x86: a whole hypercall.
    x86: f64,
    /// A table read, and who says so.
    read: (f64, String),
}

impl Defaults {
    /// Those for a geometry. Nothing where the published figures cannot be read.
    pub(super) fn of(results: &Results) -> Option<Self> {
        let published = Published::read().ok()?;
        let name = results.geometry.as_ref().map_or("", |geometry| geometry.name.as_str());
        let read = match READS.iter().find(|(known, ..)| *known == name) {
            Some((_, cost, source)) => (*cost, (*source).to_owned()),
            None => {
                let (other, cost, source) = READS[0];
                let none =
                    format!("no figure of {name} is at hand, so that of {other} stands here: ");
                (cost, none + source)
            }
        };
        Some(Self { arm: published.arm_trap(), x86: published.x86_hypercall()?, read })
    }

    /// The costs on a computer of this instruction set.
    pub(super) const fn costs(&self, arch: Arch) -> Costs {
        let exit = match arch {
            Arch::Aarch64 => self.arm,
            Arch::X86_64 => self.x86,
        };
        Costs { instruction: INSTRUCTION, exit, read: self.read.0 }
    }

    /// Where each comes from.
    pub(super) fn sources(&self) -> [String; 3] {
        let Self { arm, x86, read: (read, source) } = self;
        let x86 = crate::table::number(*x86 as u64);
        [
            format!(
                "{INSTRUCTION} cycle an instruction is an assumption. No document says it, and no processor keeps \
                 to it."
            ),
            format!(
                "What leaving and entering the guest takes beyond the hypervisor's own instructions, which are \
                 counted as such. Arm, {arm} cycles: 68 to 76 from EL1 to EL2 (72 is taken) and 65 back (Lim et \
                 al., NEVE, SOSP 2017, the cost of one trap on ARMv8.0 hardware). x86, {x86} cycles: KVM's \
                 hypercall from a VM (the same, Tables 1 and 6, x86), with the instructions of KVM's own path in \
                 it, so too much by those; that study does not give the switch alone."
            ),
            format!(
                "{read} cycles: {source}. A table that is in no near cache costs many times that."
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::small;

    #[test]
    fn an_exit_costs_what_was_published() {
        let defaults = Defaults::of(&small()).unwrap();
        assert_eq!(defaults.costs(Arch::Aarch64).exit, 137.0);
        assert_eq!(defaults.costs(Arch::X86_64).exit, 1188.0);
    }

    #[test]
    fn a_geometry_of_ones_own_borrows_a_figure_and_says_so() {
        let defaults = Defaults::of(&small()).unwrap();
        assert_eq!(defaults.costs(Arch::Aarch64).read, READS[0].1);
        assert!(defaults.sources()[2].contains("is at hand"));
    }
}
