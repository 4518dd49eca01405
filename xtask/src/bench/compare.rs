//! Figures that have no limit but neighbours: other hypervisors, other modes.

use super::figures::Figures;
use super::limits::{OPERATIONS, Operation};
use super::of::beside;
use crate::arch::Arch;
use crate::cli::Paging;
use crate::lab::{Mode, Place};
use crate::table::{cells, drawn, number, table};

/// What stands where nothing was measured.
const NOTHING: &str = "-";
/// What must be known to read the column of QEMU's SVM.
const SVM: &str = "\
QEMU's SVM gives no decode assists: the hypervisor reads and decodes the instruction that left the guest. Reads of
CR2 and CR3 leave it together with those of CR0, which shadow paging must watch: each is decoded and carried out,
so that a fault handler's look at CR2 (b, d, d2, i) is an exit more. VT-x needs none for it.
";

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| number(value.round() as u64))
}

/// `mmu-ops`, row by row.
pub(super) fn mmu_ops(arch: Arch, figures: &Figures) -> String {
    let headings = [
        "operation",
        "row",
        "native",
        "nested",
        "shadow",
        "at most",
        "x86 native",
        "KVM npt=0",
        "Xen shadow",
    ];
    let mut table = table(&headings, &[]);
    for Operation { row, name, peers, most } in OPERATIONS {
        let ours = Mode::ALL.map(|mode| {
            let place = Place { computer: arch.computers()[0], mode };
            shown(figures.result("mmu-ops", place, &[("row", row)], "median"))
        });
        let theirs = peers.map(|peers| [peers.native, peers.kvm, peers.xen]);
        let theirs = theirs.map_or_else(|| [NOTHING; 3].map(str::to_owned), |all| all.map(number));
        let line = std::iter::once(row.to_owned()).chain(ours).chain([shown(most)]).chain(theirs);
        table.add_row(cells(name, line));
    }
    let note = if arch == Arch::X86_64 { SVM } else { "" };
    format!(
        "\nmmu-ops, median instructions, probes off; on the right the same operations on x86-64 (QEMU SVM)\n{}\n{note}",
        drawn(table)
    )
}

/// `memory-motion` in every mode.
pub(super) fn memory_motion(arch: Arch, figures: &Figures) -> String {
    let headings = ["round", "on", "native", "nested", "shadow", "nested/native", "shadow/native"];
    let mut table = table(&headings, &["on"]);
    for (&computer, round) in
        arch.computers().iter().flat_map(|of| ["cold", "warm"].map(|round| (of, round)))
    {
        let of = |mode| {
            let place = Place { computer, mode };
            let place = if mode == Mode::Native { beside(place, mode) } else { place };
            figures.result("memory-motion", place, &[("round", round)], "per_page")
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
