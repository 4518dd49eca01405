//! Figures that have no limit but neighbours: other hypervisors, other modes.

use super::figures::Figures;
use crate::arch::Arch;
use crate::cli::Paging;
use crate::computer::{Computer, Model};
use crate::lab::{Mode, Place};
use crate::table::{cells, drawn, number, table};

/// What stands where nothing was measured.
const NOTHING: &str = "-";

/// A row of `mmu-ops`, with the medians of other hypervisors for the same operation.
struct Peer {
    row: &'static str,
    name: &'static str,
    native: &'static str,
    kvm: &'static str,
    xen: &'static str,
}

/// x86-64, QEMU SVM without NPT, guest and hypervisor together, measured in November 2026.
const PEERS: [Peer; 12] = [
    Peer { row: "a", name: "null exit", native: "3", kvm: "2,870", xen: "2,472" },
    Peer { row: "b", name: "demand", native: "15", kvm: "6,479", xen: "11,604" },
    Peer { row: "c", name: "unmap", native: "2", kvm: "4,571", xen: "6,287" },
    Peer { row: "d", name: "protect and fault", native: "19", kvm: "11,765", xen: "20,286" },
    Peer { row: "d2", name: "protect many", native: NOTHING, kvm: NOTHING, xen: NOTHING },
    Peer { row: "e", name: "switch and 16 reads", native: "73", kvm: "4,023", xen: "6,810" },
    Peer {
        row: "e-cold",
        name: "the same, first time",
        native: NOTHING,
        kvm: NOTHING,
        xen: NOTHING,
    },
    Peer { row: "e2", name: "ping-pong", native: NOTHING, kvm: NOTHING, xen: NOTHING },
    Peer { row: "f", name: "fork and exit", native: "21,546", kvm: "471,304", xen: "1,411,381" },
    Peer { row: "g", name: "warm", native: "1", kvm: "1", xen: "1" },
    Peer { row: "h", name: "true guest fault", native: "8", kvm: "1,970", xen: "2,931" },
    Peer { row: "i", name: "access flag", native: NOTHING, kvm: NOTHING, xen: NOTHING },
];

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| number(value.round() as u64))
}

/// `mmu-ops`, row by row.
pub(super) fn mmu_ops(arch: Arch, figures: &Figures) -> String {
    let mut table = table(
        &[
            "operation",
            "row",
            "native",
            "nested",
            "shadow",
            "x86 native",
            "KVM npt=0",
            "Xen shadow",
        ],
        &[],
    );
    for peer in &PEERS {
        let ours = Mode::ALL.map(|mode| {
            let place = Place { computer: arch.computers()[0], mode };
            shown(figures.result("mmu-ops", place, ("row", peer.row), "median"))
        });
        let theirs = [peer.native, peer.kvm, peer.xen].map(str::to_owned);
        let line = std::iter::once(peer.row.to_owned()).chain(ours).chain(theirs);
        table.add_row(cells(peer.name, line));
    }
    format!(
        "\nmmu-ops, median instructions, probes off; on the right the same operations on x86-64 (QEMU SVM)\n{}\n",
        drawn(table)
    )
}

/// Where the same guest ran natively: the models of Bochs do not differ in that.
const fn native(computer: Computer) -> Computer {
    match computer {
        Computer::Bochs(_) => Computer::Bochs(Model::SKYLAKE),
        Computer::Virt | Computer::Q35(_) => computer,
    }
}

/// `memory-motion` in every mode.
pub(super) fn memory_motion(arch: Arch, figures: &Figures) -> String {
    let headings = ["round", "on", "native", "nested", "shadow", "nested/native", "shadow/native"];
    let mut table = table(&headings, &["on"]);
    for (&computer, round) in
        arch.computers().iter().flat_map(|of| ["cold", "warm"].map(|round| (of, round)))
    {
        let of = |mode| {
            let computer = if mode == Mode::Native { native(computer) } else { computer };
            let place = Place { computer, mode };
            figures.result("memory-motion", place, ("round", round), "per_page")
        };
        let ratio = |mode| {
            let ratio = of(mode)? / of(Mode::Native)?;
            Some(format!("{ratio:.2}"))
        };
        let modes = [Paging::Nested, Paging::Shadow].map(Mode::Under);
        let ratios = modes.map(|mode| ratio(mode).unwrap_or_else(|| NOTHING.to_owned()));
        let on = std::iter::once(computer.title().to_owned());
        let figures = Mode::ALL.map(|mode| shown(of(mode)));
        table.add_row(cells(round, on.chain(figures).chain(ratios)));
    }
    format!(
        "\nmemory-motion, instructions for each page, probes off; the Xen study took 3.8 times native\n{}\n",
        drawn(table)
    )
}
