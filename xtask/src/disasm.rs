//! Looking for instructions that must not be in the hypervisor's machine code.
//!
//! With the probes off, nothing that is measured elsewhere may read a clock. And no function may take a
//! large part of the stack: how much a value takes that is moved is up to the compiler, so only the code
//! tells. Every AArch64 instruction is one word, so either is found by comparing words; a constant among
//! the code that looks like one would be reported too, which errs on the right side.

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
    let reads = instructions(&elf).filter_map(|(at, word)| {
        let (counter, function) = (counter_read_by(word)?, function_at(&elf, at));
        let allowed = ALLOWED.iter().any(|allowed| function.ends_with(allowed));
        (!allowed).then(|| format!("{function} reads {counter} at {at:#x}"))
    });
    Ok(reads.collect())
}

/// `SUB <Xd>, SP, #<pages>, LSL #12` without Xd and pages: how a frame is made, or, one page at a time,
/// where it is to end.
const SUB_PAGES_FROM_SP: u32 = 0xd140_03e0;
/// All of that instruction but Xd and the number of pages.
const WITHOUT_PAGES: u32 = !(0xfff << 10 | 0x1f);
/// The most pages of a frame: a quarter of the stack.
const MOST_PAGES: u32 = 4;

/// By how many pages `word` goes down from the stack pointer.
fn pages_of(word: u32) -> u32 {
    if word & WITHOUT_PAGES == SUB_PAGES_FROM_SP { word >> 10 & 0xfff } else { 0 }
}

/// Every function in the code of `file` whose frame is too large: which, and how large it is.
pub(crate) fn large_frames(file: &Path) -> Result<Vec<String>> {
    let elf = Elf::read(file)?;
    let frames = instructions(&elf).map(|(at, word)| (at, pages_of(word)));
    let large = frames.filter(|(_, pages)| *pages > MOST_PAGES);
    let told = large.map(|(at, pages)| {
        format!("{} takes {pages} pages of the stack at {at:#x}", function_at(&elf, at))
    });
    Ok(told.collect())
}

/// The words of the code, with their addresses.
fn instructions(elf: &Elf) -> impl Iterator<Item = (u64, u32)> {
    elf.loads.iter().filter(|load| load.code).flat_map(|load| {
        let words = load.bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        (load.seen_at..).step_by(4).zip(words)
    })
}

/// The name of the function that `at` lies in.
fn function_at(elf: &Elf, at: u64) -> &str {
    let function = elf.symbols.iter().rfind(|symbol| symbol.address <= at);
    function.map_or("?", |symbol| symbol.name.as_str())
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

    #[test]
    fn frames_are_told_from_other_instructions() {
        // sub x9, sp, #26, lsl #12; sub sp, sp, #1, lsl #12; sub sp, sp, #1824; sub x9, x9, #26, lsl #12
        let words = [0xd140_6be9, 0xd140_07ff, 0xd11c_83ff, 0xd140_6929];
        assert_eq!(words.map(pages_of), [26, 1, 0, 0]);
    }
}
