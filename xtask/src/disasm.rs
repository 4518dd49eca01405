//! Looking for counter reads in the machine code of the hypervisor.
//!
//! With the probes off, nothing that is measured elsewhere may read a clock. Every AArch64 instruction
//! is one word, so a read is found by comparing words; a constant among the code that looks like one
//! would be reported too, which errs on the right side.

use std::path::Path;

use anyhow::Result;

use crate::elf::Elf;

/// `MRS <Xt>, <register>` without register and Xt.
const MRS: u32 = 0xd530_0000;
/// All of an instruction but the general-purpose register that it names.
const WITHOUT_RT: u32 = !0x1f;

/// Functions that may read a counter although the probes are off, by the end of their mangled names: the
/// one that finds out, before there is a guest, what the counter counts.
const ALLOWED: [&str; 1] = ["5clock5start"];

/// The registers that count: name, op0, op1, CRn, CRm, op2 (Arm ARM, D19).
const COUNTERS: [(&str, [u32; 5]); 8] = [
    ("PMCCNTR_EL0", [3, 3, 9, 13, 0]),
    ("PMXEVCNTR_EL0", [3, 3, 9, 13, 2]),
    ("PMEVCNTR0_EL0", [3, 3, 14, 8, 0]),
    ("PMEVCNTR1_EL0", [3, 3, 14, 8, 1]),
    ("CNTPCT_EL0", [3, 3, 14, 0, 1]),
    ("CNTVCT_EL0", [3, 3, 14, 0, 2]),
    ("CNTPCTSS_EL0", [3, 3, 14, 0, 5]),
    ("CNTVCTSS_EL0", [3, 3, 14, 0, 6]),
];

/// The instruction that reads a register into X0.
const fn read_of([op0, op1, crn, crm, op2]: [u32; 5]) -> u32 {
    MRS | (op0 & 1) << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5
}

/// The counter that the instruction `word` reads.
fn counter_read_by(word: u32) -> Option<&'static str> {
    let found = COUNTERS.iter().find(|(_, register)| read_of(*register) == word & WITHOUT_RT);
    found.map(|(name, _)| *name)
}

/// Every counter read in the code of `file` that is not allowed: where, and of what.
pub(crate) fn counter_reads(file: &Path) -> Result<Vec<String>> {
    let elf = Elf::read(file)?;
    let mut found = Vec::new();
    for load in elf.loads.iter().filter(|load| load.code) {
        for (index, bytes) in load.bytes.as_chunks::<4>().0.iter().enumerate() {
            let Some(counter) = counter_read_by(u32::from_le_bytes(*bytes)) else { continue };
            let at = load.seen_at + 4 * index as u64;
            let function = elf.symbols.iter().rfind(|symbol| symbol.address <= at);
            let function = function.map_or("?", |symbol| symbol.name.as_str());
            if !ALLOWED.iter().any(|allowed| function.ends_with(allowed)) {
                found.push(format!("{function} reads {counter} at {at:#x}"));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_told_from_other_instructions() {
        // mrs x5, pmccntr_el0; mrs x0, cntvct_el0; mrs x0, cntfrq_el0; msr pmccntr_el0, x5; nop
        let words = [0xd53b_9d05, 0xd53b_e040, 0xd53b_e000, 0xd51b_9d05, 0xd503_201f];
        let read: Vec<_> = words.into_iter().map(counter_read_by).collect();
        assert_eq!(read, [Some("PMCCNTR_EL0"), Some("CNTVCT_EL0"), None, None, None]);
    }
}
