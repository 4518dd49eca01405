//! What of a guest's doing traps to EL2, and the registers of stage 2.
//!
//! "Hypervisor Configuration Register" and the fine-grained traps: as little as the guest's
//! platform and the paging mode need, and everything that would show a feature which the ID registers hide.

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{
    CNTHCTL_EL2, CNTKCTL_EL1, CNTP_CTL_EL0, CNTV_CTL_EL0, CNTVOFF_EL2, CPACR_EL1, HCR_EL2,
    MDCR_EL2, MDSCR_EL1, MIDR_EL1, Readable, SCTLR_EL1, VMPIDR_EL2, VTCR_EL2, VTTBR_EL2, Writeable,
};
use paging::addr::Hpa;

use crate::feature;
use crate::regs::{self, InstructionTraps, RegisterTraps};

/// Bits of an IPA under a nested tree, and of the windows: one root table of 512 GiB at level 1.
pub const IPA_BITS: u32 = paging::format::vmsa_shadow::WINDOWS_BITS;
/// The level of stage 2's root table for [`IPA_BITS`].
pub const STAGE2_TOP: paging::addr::Level = paging::addr::Level::BLOCK_1G;

const _: () = assert!(IPA_BITS == STAGE2_TOP.shift() + paging::addr::INDEX_BITS);

/// The VMID of a guest under a nested tree, or of a shadowed one whose MMU is off.
pub const VMID_FLAT: u16 = 1;
/// The VMID of a shadowed guest whose MMU is on.
pub const VMID_SHADOW: u16 = 2;

/// CPTR_EL2 without VHE: RES1, TZ and TSM set, so that SVE and SME trap; FP and SIMD do not. TAM set:
/// activity monitors trap.
const CPTR_NO_EXTENSIONS: u64 = 0x33ff | 1 << 30;

/// MPIDR_EL1: bit 31 is RES1; affinity 0.0.0.0.
const MPIDR_RES1: u64 = 1 << 31;
/// SCTLR_EL1: bits that are RES1 where the features that give them a meaning are absent, and of which
/// 1 is the old behaviour where they are not. MMU and caches off.
const SCTLR_AT_RESET: u64 = 0x30d0_0800;

/// Puts the registers of EL1 on which a guest's first instructions depend into their reset state.
fn reset_el1() {
    SCTLR_EL1.set(SCTLR_AT_RESET);
    MDSCR_EL1.set(0);
    CPACR_EL1.set(0);
    CNTKCTL_EL1.set(0);
    CNTV_CTL_EL0.set(0);
    CNTP_CTL_EL0.set(0);
}

/// Sets what is the same in both modes.
pub fn common() {
    reset_el1();
    HCR_EL2.write(
        HCR_EL2::RW::EL1IsAarch64
            + HCR_EL2::VM::Enable
            + HCR_EL2::SWIO::SET
            + HCR_EL2::FMO::SET
            + HCR_EL2::IMO::SET
            + HCR_EL2::AMO::SET
            + HCR_EL2::TSC::SET
            + HCR_EL2::TID3::SET
            + HCR_EL2::TIDCP::SET
            + HCR_EL2::TLOR::SET
            + HCR_EL2::TERR::SET
            + HCR_EL2::API::SET
            + HCR_EL2::APK::SET,
    );
    aarch64_cpu::registers::CPTR_EL2.set(CPTR_NO_EXTENSIONS);
    // Performance counters are the instruments'.
    MDCR_EL2.set(MDCR_EL2.get() | (MDCR_EL2::TPM::SET + MDCR_EL2::TPMCR::SET).value);
    // Both timers and both counters are the guest's.
    CNTHCTL_EL2.write(CNTHCTL_EL2::EL1PCEN::SET + CNTHCTL_EL2::EL1PCTEN::SET);
    CNTVOFF_EL2.set(0);
    VTCR_EL2.write(
        VTCR_EL2::RES1::SET
            + VTCR_EL2::PS::PA_40B_1TB
            + VTCR_EL2::TG0::Granule4KB
            + VTCR_EL2::SH0::Inner
            + VTCR_EL2::ORGN0::NormalWBRAWA
            + VTCR_EL2::IRGN0::NormalWBRAWA
            // The root table stands at level 1.
            + VTCR_EL2::SL0.val(1)
            + VTCR_EL2::T0SZ.val(u64::from(u64::BITS - IPA_BITS)),
    );
    // What a guest reads in MIDR_EL1 and MPIDR_EL1: the processor, and the first and only CPU.
    regs::set_virtual_midr(MIDR_EL1.get());
    VMPIDR_EL2.set(MPIDR_RES1);
    if feature::has_extended_configuration() {
        regs::clear_extended_configuration();
    }
    if feature::has_fine_traps() {
        let none = RegisterTraps::empty();
        regs::set_fine_traps(none, none, InstructionTraps::empty());
    }
}

/// Catches what a shadowed guest does to its translation registers: with fine-grained traps SCTLR, TCR,
/// the TTBRs and AT alone, and without them also eight others, ESR and FAR among them. AT is caught
/// only while the MMU is on: with stage 1 off the instruction is right by itself.
pub fn catch_translation(mmu_on: bool) {
    if feature::has_fine_traps() {
        let both = RegisterTraps::TCR | RegisterTraps::TTBR0 | RegisterTraps::TTBR1;
        let translate = if mmu_on {
            InstructionTraps::TRANSLATE | InstructionTraps::TRANSLATE_ANY
        } else {
            InstructionTraps::empty()
        };
        regs::set_fine_traps(both, both | RegisterTraps::SCTLR, translate);
    } else {
        let caught = HCR_EL2::TVM::SET + HCR_EL2::TRVM::SET;
        HCR_EL2.set(HCR_EL2.get() | caught.value);
    }
}

/// Puts a stage 2 tree into place under a VMID.
pub(crate) fn load_stage2(root: Hpa, vmid: u16) {
    /// Where the VMID begins.
    const VMID_SHIFT: u32 = 48;
    VTTBR_EL2.set(root.bits() | u64::from(vmid) << VMID_SHIFT);
    barrier::isb(barrier::SY);
}
