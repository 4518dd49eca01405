//! Figures of papers, and which rows of ours they belong beside.
//!
//! They were measured on other machines, in other units. Where both sides have a ratio, the ratio is
//! shown; where a paper has nothing but cycles, they stand under a heading that names paper, machine and
//! unit.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::arch::Arch;
use crate::table::number;

/// The figures, as data.
const FILE: &str = include_str!("../../data/published.toml");
/// The row of a guest that stands for all it did.
pub(crate) const WHOLE: &str = "whole run";

/// What of the papers is shown.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Published {
    isca16: Isca16,
    neve: Neve,
    xen_hvm: XenHvm,
}

/// ARM Virtualization: Performance and Architectural Implications.
#[derive(Clone, Debug, Deserialize)]
struct Isca16 {
    columns: Vec<String>,
    machines: BTreeMap<String, String>,
    /// Cycles of microbenchmarks, in the order of the columns.
    table2: BTreeMap<String, Vec<u64>>,
}

/// Nested Virtualization Extensions for ARM.
#[derive(Clone, Debug, Deserialize)]
struct Neve {
    columns: Vec<String>,
    /// Cycles of microbenchmarks, in the order of the columns.
    cycles: BTreeMap<String, Vec<u64>>,
    trap_cost: TrapCost,
}

/// Cycles of an exception to the hypervisor, from the least to the most, and of the return from it.
#[derive(Clone, Debug, Deserialize)]
struct TrapCost {
    el1_to_el2: [f64; 2],
    el2_to_el1: f64,
}

/// The study of shadow paging in Xen 3.0.4.
#[derive(Clone, Debug, Deserialize)]
struct XenHvm {
    /// Operations a second natively and under shadow paging, and the loss in percent.
    aim9_memory: BTreeMap<String, [f64; 3]>,
    /// Loss in percent.
    aim9_cpu: BTreeMap<String, f64>,
    /// Seconds natively and under shadow paging, by operating system.
    memory_motion_seconds: BTreeMap<String, [f64; 2]>,
    memory_motion_debian: BTreeMap<String, Function>,
    memory_motion_windows: BTreeMap<String, Function>,
}

/// Count, mean, standard deviation, maximum, minimum, samples; but for the counts in cycles.
type Function = [f64; 6];

/// A column of a paper's beside rows of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Paper, machine and unit, a line each.
    pub(crate) heading: String,
    /// Its cells, by the row of ours.
    pub(crate) cells: BTreeMap<&'static str, String>,
}

/// How often a function was called, and how many cycles it took in the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Calls {
    /// How often.
    pub(crate) count: u64,
    /// Cycles.
    pub(crate) mean: f64,
}

/// The study's name and machine in headings.
const XEN_STUDY: &str = "Xen 3.0.4\nCore 2 Duo";
/// What the papers call a hypercall.
const HYPERCALL: &str = "hypercall";
/// The rows of `aim9-memory`, and what the study calls them.
const AIM9: [(&str, &str); 4] =
    [("page", "page_test"), ("brk", "brk_test"), ("exec", "exec_test"), ("fork", "fork_test")];
const AIM9_CPU: [(&str, &str); 4] = [
    ("add-int", "add_int"),
    ("mul-long", "mul_long"),
    ("fun-cal", "fun_cal"),
    ("fun-cal2", "fun_cal2"),
];

impl Published {
    /// Reads them.
    pub(crate) fn read() -> Result<Self> {
        toml::from_str(FILE).context("the published figures cannot be read")
    }

    /// The columns that belong beside the rows of a guest.
    pub(crate) fn beside(&self, guest: &str, arch: Arch) -> Vec<Column> {
        match guest {
            "aim9-memory" => vec![self.aim9()],
            "memory-motion" => [("debian", "Debian"), ("windows_xp", "Windows XP")]
                .into_iter()
                .filter_map(|(key, system)| self.motion(key, system))
                .collect(),
            "mmu-ops" => self.hypercalls(arch),
            _ => Vec::new(),
        }
    }

    fn aim9(&self) -> Column {
        let xen = &self.xen_hvm;
        let memory =
            AIM9.iter().filter_map(|(row, key)| Some((*row, xen.aim9_memory.get(*key)?[2])));
        let cpu = AIM9_CPU.iter().filter_map(|(row, key)| Some((*row, *xen.aim9_cpu.get(*key)?)));
        Column {
            heading: format!("{XEN_STUDY}\nloss, operations/s"),
            cells: memory.chain(cpu).map(|(row, loss)| (row, percent(loss / 100.0))).collect(),
        }
    }

    fn motion(&self, key: &str, system: &str) -> Option<Column> {
        let [native, shadow] = self.xen_hvm.memory_motion_seconds.get(key)?;
        Some(Column {
            heading: format!("{XEN_STUDY}, {system}\nloss, time"),
            cells: BTreeMap::from([(WHOLE, percent(1.0 - native / shadow))]),
        })
    }

    fn hypercalls(&self, arch: Arch) -> Vec<Column> {
        // The row of `mmu-ops` that is a hypercall, and what the papers call the machine.
        let (row, machine, vm) = match arch {
            Arch::Aarch64 => ("a", "arm", "armv8.3_vm"),
            Arch::X86_64 => ("a-call", "x86", "x86_vm"),
        };
        let column = |paper: String, cycles: u64| Column {
            heading: format!("{paper}\n{HYPERCALL}, CYCLES"),
            cells: BTreeMap::from([(row, format!("{} cycles", number(cycles)))]),
        };
        let of = |figures: &BTreeMap<String, Vec<u64>>| {
            figures.get(HYPERCALL).cloned().unwrap_or_default()
        };
        let Isca16 { columns, machines, table2 } = &self.isca16;
        let title = machines.get(machine).and_then(|title| title.split(", Linux").next());
        let title = title.unwrap_or(machine);
        let isca = columns.iter().zip(of(table2)).filter_map(|(name, cycles)| {
            let hypervisor = name.strip_suffix(machine)?.trim_end_matches('_').to_uppercase();
            Some(column(format!("ISCA'16, {hypervisor}\n{title}"), cycles))
        });
        let neve = self.neve.columns.iter().zip(of(&self.neve.cycles));
        let neve = neve.filter(|(name, _)| *name == vm);
        isca.chain(
            neve.map(|(_, cycles)| column(format!("NEVE, KVM\n{}", vm.replace('_', " ")), cycles)),
        )
        .collect()
    }

    /// Cycles of an exception from EL1 to EL2, in the middle of what was measured, and back.
    pub(crate) fn arm_trap(&self) -> f64 {
        let TrapCost { el1_to_el2: [least, most], el2_to_el1 } = self.neve.trap_cost;
        f64::midpoint(least, most) + el2_to_el1
    }

    /// Cycles of a hypercall from a VM of KVM's on x86.
    pub(crate) fn x86_hypercall(&self) -> Option<f64> {
        let place = self.neve.columns.iter().position(|column| column == "x86_vm")?;
        Some(*self.neve.cycles.get(HYPERCALL)?.get(place)? as f64)
    }

    /// What the study's two guests made of a function in `memory-motion`: Debian, Windows XP.
    pub(crate) fn function(&self, name: &str) -> [Option<Calls>; 2] {
        let xen = &self.xen_hvm;
        [&xen.memory_motion_debian, &xen.memory_motion_windows].map(|functions| {
            let [count, mean, ..] = *functions.get(name)?;
            Some(Calls { count: count as u64, mean })
        })
    }
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_finds_its_figure() {
        let published = Published::read().unwrap();
        let aim9 = &published.beside("aim9-memory", Arch::Aarch64)[0];
        assert_eq!(aim9.cells.len(), AIM9.len() + AIM9_CPU.len());
        assert_eq!(aim9.cells["fork"], "91.5 %");
        let motion = published.beside("memory-motion", Arch::X86_64);
        assert_eq!(motion[0].cells[WHOLE], "73.6 %");
        assert!(published.beside("hello", Arch::X86_64).is_empty());
    }

    #[test]
    fn cycles_say_that_they_are() {
        let published = Published::read().unwrap();
        let columns = published.beside("mmu-ops", Arch::Aarch64);
        assert_eq!(columns.len(), 3);
        assert!(columns[1].heading.starts_with("ISCA'16, XEN\nHP m400"));
        assert!(columns[1].heading.ends_with("hypercall, CYCLES"));
        assert_eq!(columns[1].cells["a"], "376 cycles");
        assert_eq!(columns[2].cells["a"], "2,729 cycles");
    }

    #[test]
    fn functions_are_known_by_their_names_of_old() {
        let [debian, windows] = Published::read().unwrap().function("sh_page_fault.fault_fixed");
        assert_eq!(debian, Some(Calls { count: 21_479_937, mean: 3823.1 }));
        assert_eq!(windows.map(|calls| calls.count), Some(75_555_141));
    }
}
