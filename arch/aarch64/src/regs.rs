//! Registers that are ours to write, each as a type, and the few instructions that touch them.
//!
//! Plain accessors come from `aarch64-cpu`. What is here are names for the bits that this
//! hypervisor decides about, and registers that crate does not have.

use core::arch::asm;

use aarch64_cpu::registers::{MDCR_EL2, MDSCR_EL1, Readable, TTBR0_EL1, TTBR1_EL1, Writeable};
use bitflags::bitflags;
pub use paging::format::vmsa_stage1::control::{Sctlr, Tcr};

bitflags! {
    /// A saved program status ("SPSR_EL2, Saved Program Status Register").
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Pstate: u64 {
        /// M\[0\]: the level's own stack pointer.
        const OWN_STACK = 1 << 0;
        /// M\[3:2\]: EL1.
        const EL1 = 1 << 2;
        /// M\[4\]: AArch32.
        const AARCH32 = 1 << 4;
        /// F: FIQs are masked.
        const NO_FIQ = 1 << 6;
        /// I: IRQs are masked.
        const NO_IRQ = 1 << 7;
        /// A: SErrors are masked.
        const NO_ERROR = 1 << 8;
        /// D: debug exceptions are masked.
        const NO_DEBUG = 1 << 9;
        /// BTYPE: how the instruction was branched to.
        const BRANCH_TYPE = 0b11 << 10;
        /// SSBS: speculative store bypass is safe.
        const SSBS = 1 << 12;
        /// SS: one instruction before a software step.
        const STEP = 1 << 21;
        /// PAN: privileged accesses to user memory fault.
        const PAN = 1 << 22;
        /// UAO: unprivileged loads and stores are privileged.
        const UAO = 1 << 23;
        /// DIT: data-independent timing.
        const DIT = 1 << 24;
        /// TCO: tags are not checked.
        const TCO = 1 << 25;
        /// NZCV: the condition flags.
        const FLAGS = 0b1111 << 28;
    }
}

impl Pstate {
    /// EL1 with its own stack pointer.
    const EL1H: Self = Self::EL1.union(Self::OWN_STACK);
    /// Everything masked.
    const MASKED: Self =
        Self::NO_FIQ.union(Self::NO_IRQ).union(Self::NO_ERROR).union(Self::NO_DEBUG);
    /// What belongs to one instruction.
    pub const OF_ONE_INSTRUCTION: Self = Self::STEP.union(Self::BRANCH_TYPE);
    /// EL1h with everything masked: what a CPU starts in.
    pub const AT_RESET: Self = Self::EL1H.union(Self::MASKED);

    /// Offsets of synchronous vectors ("Exception vectors", D1.3.1).
    const VECTOR_SP0: u64 = 0x000;
    const VECTOR_OWN_STACK: u64 = 0x200;
    const VECTOR_LOWER: u64 = 0x400;

    /// Whether it is EL1.
    #[must_use]
    pub const fn is_el1(self) -> bool {
        self.contains(Self::EL1)
    }

    /// Where, from VBAR_EL1, a synchronous exception to EL1 goes.
    #[must_use]
    pub const fn synchronous_vector(self) -> u64 {
        match (self.is_el1(), self.contains(Self::OWN_STACK)) {
            (false, _) => Self::VECTOR_LOWER,
            (true, true) => Self::VECTOR_OWN_STACK,
            (true, false) => Self::VECTOR_SP0,
        }
    }

    /// The state in which an exception to EL1 is taken ("AArch64.TakeException").
    #[must_use]
    pub const fn at_exception(self, sctlr: Sctlr) -> Self {
        let kept = self.intersection(Self::FLAGS.union(Self::PAN).union(Self::DIT));
        let mut new = kept.union(Self::AT_RESET).union(Self::TCO);
        if !sctlr.contains(Sctlr::SET_NO_PAN) {
            new = new.union(Self::PAN);
        }
        if sctlr.contains(Sctlr::DEFAULT_SSBS) {
            new = new.union(Self::SSBS);
        }
        new
    }
}

bitflags! {
    /// Fine-grained traps of register accesses: HFGRTR_EL2 and HFGWTR_EL2. Bits of the other polarity
    /// (TPIDR2_EL0 and newer registers) are left 0 and trap: the features are hidden.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct RegisterTraps: u64 {
        /// SCTLR_EL1.
        const SCTLR = 1 << 29;
        /// TCR_EL1.
        const TCR = 1 << 32;
        /// TTBR0_EL1.
        const TTBR0 = 1 << 36;
        /// TTBR1_EL1.
        const TTBR1 = 1 << 37;
    }
}

bitflags! {
    /// Fine-grained traps of instructions: HFGITR_EL2.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct InstructionTraps: u64 {
        /// AT S1E1R, S1E1W, S1E0R, S1E0W, S1E1RP and S1E1WP.
        const TRANSLATE = 0b11_1111 << 12;
        /// AT S1E1A.
        const TRANSLATE_ANY = 1 << 62;
    }
}

/// A register that `aarch64-cpu` lacks, by its encoding.
macro_rules! write_register {
    ($encoding:literal, $value:expr) => {
        // SAFETY: the register traps what a guest does, or is the guest's own; it changes nothing
        // in the execution of the hypervisor.
        unsafe { asm!(concat!("msr ", $encoding, ", {}"), in(reg) $value, options(nomem, nostack)) }
    };
}

/// The value of a register, by its name or encoding.
macro_rules! read_register {
    ($encoding:literal) => {{
        let value: u64;
        // SAFETY: reading the register changes nothing.
        unsafe {
            asm!(concat!("mrs {}, ", $encoding), out(reg) value, options(nomem, nostack));
        }
        value
    }};
}

/// Sets the fine-grained traps of a guest. The processor has FEAT_FGT.
pub fn set_fine_traps(reads: RegisterTraps, writes: RegisterTraps, instructions: InstructionTraps) {
    // HFGRTR_EL2, HFGWTR_EL2, HFGITR_EL2, HDFGRTR_EL2, HDFGWTR_EL2.
    write_register!("s3_4_c1_c1_4", reads.bits());
    write_register!("s3_4_c1_c1_5", writes.bits());
    write_register!("s3_4_c1_c1_6", instructions.bits());
    write_register!("s3_4_c3_c1_4", 0_u64);
    write_register!("s3_4_c3_c1_5", 0_u64);
}

/// Takes every feature from guests that HCRX_EL2 could give. The processor has FEAT_HCX.
pub fn clear_extended_configuration() {
    write_register!("s3_4_c1_c2_2", 0_u64);
}

/// CTR_EL0: how caches are made.
#[must_use]
pub fn cache_type() -> u64 {
    read_register!("ctr_el0")
}

/// Bytes that one DC ZVA makes zero, if it may be used and four of them fit in a frame.
#[must_use]
pub fn zero_block() -> Option<u64> {
    let id = read_register!("dczid_el0");
    /// DCZID_EL0.DZP: it may not be used.
    const PROHIBITED: u64 = 1 << 4;
    /// DCZID_EL0.BS: log2 of the words of a block.
    const SIZE: u64 = 0xf;
    let block = 4_u64 << (id & SIZE);
    (id & PROHIBITED == 0 && 4 * block <= paging::addr::PAGE_SIZE).then_some(block)
}

/// Sets VPIDR_EL2: what a guest reads in MIDR_EL1.
pub fn set_virtual_midr(value: u64) {
    write_register!("vpidr_el2", value);
}

/// SP_EL0.
#[must_use]
pub fn sp_el0() -> u64 {
    read_register!("sp_el0")
}

/// SP_EL1.
#[must_use]
pub fn sp_el1() -> u64 {
    read_register!("sp_el1")
}

/// An ID register by its number (op0 = 3, op1 = 0, CRn = 0); 0 for those that no guest is shown.
#[must_use]
pub fn id_register(crm: u8, op2: u8) -> u64 {
    macro_rules! table {
        ($($crm:literal $op2:literal $name:literal;)*) => {
            match (crm, op2) {
                $(($crm, $op2) => read_register!($name),)*
                _ => 0,
            }
        };
    }
    table! {
        4 0 "s3_0_c0_c4_0"; 4 1 "s3_0_c0_c4_1"; 4 2 "s3_0_c0_c4_2"; 4 4 "s3_0_c0_c4_4";
        5 0 "s3_0_c0_c5_0"; 5 1 "s3_0_c0_c5_1";
        6 0 "s3_0_c0_c6_0"; 6 1 "s3_0_c0_c6_1"; 6 2 "s3_0_c0_c6_2"; 6 3 "s3_0_c0_c6_3";
        7 0 "s3_0_c0_c7_0"; 7 1 "s3_0_c0_c7_1"; 7 2 "s3_0_c0_c7_2"; 7 3 "s3_0_c0_c7_3";
        7 4 "s3_0_c0_c7_4";
    }
}

/// Loads the roots of the EL1&0 regime, both with the same ASID, so that TCR_EL1.A1 does not matter.
pub(crate) fn load_roots(tables: [u64; 2], asid: u16) {
    /// Where the ASID of a TTBR begins.
    const ASID_SHIFT: u32 = 48;
    let tag = u64::from(asid) << ASID_SHIFT;
    TTBR0_EL1.set(tables[0] | tag);
    TTBR1_EL1.set(tables[1] | tag);
}

/// Where the guest's EL1 would read what it calls `at`, by the tables that are in the hardware.
#[must_use]
pub fn translate(at: u64) -> Option<u64> {
    let (guests, found) = (read_register!("par_el1"), {
        // SAFETY: the instruction changes PAR_EL1 and nothing else.
        unsafe { asm!("at s12e1r, {}", "isb", in(reg) at, options(nomem, nostack)) };
        read_register!("par_el1")
    });
    write_register!("par_el1", guests);
    /// PAR_EL1.F: there is no translation.
    const FAILED: u64 = 1;
    /// PAR_EL1.PA.
    const PAGE: u64 = paging::format::vmsa_stage1::ADDRESS;
    (found & FAILED == 0).then_some(found & PAGE | at & (paging::addr::PAGE_SIZE - 1))
}

/// PMCR_EL0.E with LC: the counters run, the cycle counter in 64 bits.
const COUNTERS_RUN: u64 = 1 << 6 | 1;
/// PMCCFILTR_EL0.NSH: cycles of EL2 count.
const COUNT_EL2: u64 = 1 << 27;
/// PMCNTENSET_EL0.C: the cycle counter.
const CYCLE_COUNTER: u64 = 1 << 31;

/// Starts the cycle counter at zero, at EL2 too.
pub fn start_cycle_counter() {
    write_register!("pmccfiltr_el0", COUNT_EL2);
    write_register!("pmccntr_el0", 0_u64);
    write_register!("pmcntenset_el0", CYCLE_COUNTER);
    write_register!("pmcr_el0", COUNTERS_RUN);
}

/// MDSCR_EL1.SS: software step.
const STEP: u64 = 1 << 0;
/// OSLSR_EL1.OSLK: the OS lock is locked, which disables stepping.
const OS_LOCKED: u64 = 1 << 1;

/// What of the guest's debug state a step has to put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugState {
    mdscr: u64,
    locked: bool,
}

/// Arms a software step that is taken to EL2.
#[must_use]
pub fn begin_step() -> DebugState {
    let before =
        DebugState { mdscr: MDSCR_EL1.get(), locked: read_register!("oslsr_el1") & OS_LOCKED != 0 };
    write_register!("oslar_el1", 0_u64);
    MDSCR_EL1.set(before.mdscr | STEP);
    MDCR_EL2.set(MDCR_EL2.get() | MDCR_EL2::TDE::SET.value);
    before
}

/// Disarms it.
pub fn end_step(before: DebugState) {
    MDSCR_EL1.set(before.mdscr);
    write_register!("oslar_el1", u64::from(before.locked));
    MDCR_EL2.set(MDCR_EL2.get() & !MDCR_EL2::TDE::SET.value);
}
