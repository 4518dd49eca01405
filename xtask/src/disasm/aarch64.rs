//! AArch64: every instruction is one word, and is told by comparing words.
//!
//! A constant among the code that looks like an instruction would be reported too, which errs on the
//! right side.

use super::Fact;
use crate::elf::Load;

/// `MRS <Xt>, <register>` without register and Xt.
const MRS: u32 = 0xd530_0000;
/// All of an instruction but the general-purpose register that it names.
const WITHOUT_RT: u32 = !0x1f;

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

/// `SUB <Xd>, SP, #<pages>, LSL #12` without Xd and pages: how a frame is made, or, one page at a time,
/// where it is to end.
const SUB_PAGES_FROM_SP: u32 = 0xd140_03e0;
/// All of that instruction but Xd and the number of pages.
const WITHOUT_PAGES: u32 = !(0xfff << 10 | 0x1f);
/// By how many pages `word` goes down from the stack pointer.
fn pages_of(word: u32) -> u64 {
    if word & WITHOUT_PAGES == SUB_PAGES_FROM_SP { (word >> 10 & 0xfff).into() } else { 0 }
}

/// What the code tells, and where.
pub(super) fn facts(load: &Load) -> Vec<(u64, Fact)> {
    let words = load.bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
    let facts = (load.seen_at..).step_by(4).zip(words).filter_map(|(at, word)| {
        let counter = counter_read_by(word).map(Fact::ReadsCounter);
        let frame = || (pages_of(word) > 0).then(|| Fact::Frame(pages_of(word) << 12));
        Some((at, counter.or_else(frame)?))
    });
    facts.collect()
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
