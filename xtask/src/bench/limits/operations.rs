//! What one operation on page tables may take: the guest `mmu-ops`, row by row, beside what other
//! hypervisors take for the same.

use super::{Limit, Of, SHADOWS, SHADOWS_WITHOUT_EXIT, most};

/// The guest.
const MMU_OPS: &str = "mmu-ops";

/// A row.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Operation {
    /// Its name in the guest's results.
    pub(in crate::bench) row: &'static str,
    /// What it does.
    pub(in crate::bench) name: &'static str,
    /// What others take, where that is known.
    pub(in crate::bench) peers: Option<Peers>,
    /// The most that it may take under shadow paging.
    pub(in crate::bench) most: Option<f64>,
}

/// Median instructions of guest and hypervisor together on x86-64, QEMU's SVM without NPT, measured in
/// November 2026: the best of several builds and settings of each.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Peers {
    /// With no hypervisor.
    pub(in crate::bench) native: u64,
    /// KVM with `npt=0`.
    pub(in crate::bench) kvm: u64,
    /// Xen with shadow paging.
    pub(in crate::bench) xen: u64,
}

const fn judged(
    row: &'static str,
    name: &'static str,
    [native, kvm, xen]: [u64; 3],
    most: f64,
) -> Operation {
    Operation { row, name, peers: Some(Peers { native, kvm, xen }), most: Some(most) }
}

const fn shown(row: &'static str, name: &'static str) -> Operation {
    Operation { row, name, peers: None, most: None }
}

/// All rows. What is asked of QEMU's SVM is asked of the other machines too.
pub(in crate::bench) const OPERATIONS: [Operation; 12] = [
    judged("a", "null exit", [3, 2_870, 2_472], 250.0),
    judged("b", "demand", [15, 6_479, 11_604], 1_300.0),
    judged("c", "unmap", [2, 4_571, 6_287], 900.0),
    judged("d", "protect and fault", [19, 11_765, 20_286], 2_350.0),
    shown("d2", "protect many"),
    judged("e", "switch and 16 reads", [73, 4_023, 6_810], 800.0),
    shown("e-cold", "the same, first time"),
    shown("e2", "ping-pong"),
    judged("f", "fork and exit", [21_546, 471_304, 1_411_381], 94_000.0),
    judged("g", "warm", [1, 1, 1], 1.0),
    judged("h", "true guest fault", [8, 1_970, 2_931], 390.0),
    shown("i", "access flag"),
];

/// Exits of row h where its faults take none: row c leaves its last two leaf tables out of sync, and each is
/// taken back at its first use, which is a fault here. That a fault takes no exit is what row `fault` of the guest
/// `bench` is judged by.
const TAKEN_BACK: f64 = 2.0 / 1024.0;

/// The limits of all machines.
pub(super) fn limits() -> impl Iterator<Item = Limit> {
    let medians = OPERATIONS.iter().filter_map(|operation| {
        let of = Of::Median(MMU_OPS, operation.row);
        Some(most(operation.name, of, SHADOWS, operation.most?, true))
    });
    medians.chain([
        most(
            "exits of a true guest fault, with those that take a table back",
            Of::Exits(MMU_OPS, "h-true-fault"),
            SHADOWS_WITHOUT_EXIT,
            TAKEN_BACK,
            true,
        ),
        most("exits of a warm switch", Of::Exits(MMU_OPS, "e-warm"), SHADOWS, 1.0, false),
    ])
}
