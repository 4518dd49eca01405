//! AArch64: EL1 and EL0 above EL2.

use mmu_model::architecture::{Arm, Context, Lower, Upper};
use mmu_model::invalidation::tlbi::{self, Operation};
use mmu_model::owner::Owner;
use paging::addr::{Gpa, Hpa};
use paging::format::vmsa_stage1::control::{self, Sctlr, Tcr};
use paging::format::vmsa_stage1::{HalfRegime, Regime};
use paging::format::vmsa_stage2;

use crate::registers::{Handle, Registers};
use crate::target::{Effect, InForce, Machine, Mode, Pending, Seen, Target};

/// Registers of EL1, and of every level.
struct Common {
    pc: Handle,
    cpsr: Handle,
    general: [Handle; 31],
    sctlr: Handle,
    tcr: Handle,
    ttbr: [Handle; 2],
    elr: Handle,
}

/// Registers of EL2.
struct Hypervisor {
    hcr: Handle,
    vttbr: Handle,
    vtcr: Handle,
    sctlr: Handle,
    tcr: Handle,
    ttbr: Handle,
    elr: Handle,
}

/// The instruction set.
pub(crate) struct Aarch64 {
    common: Common,
    /// Those of EL2, where there is one.
    hypervisor: Option<Hypervisor>,
}

/// What an instruction does.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    /// It writes a register that controls translation.
    Control,
    /// It invalidates, with an operand in this register.
    Invalidate(Operation, usize),
    /// It marks a phase.
    Marker,
}

/// "System register move", "System instructions" (C4.1.94): the fields that tell them apart.
const MOVE_MASK: u32 = 0xfff0_0000;
const MOVE_TO_REGISTER: u32 = 0xd510_0000;
const SYSTEM_MASK: u32 = 0xfff8_0000;
const SYSTEM: u32 = 0xd508_0000;
/// MSR: op0 is 3, and not 2.
const OP0_3: u32 = 1 << 19;
/// CRn of cache maintenance and address translation, and of the two sorts of TLB maintenance.
const CRN_CACHE: u32 = 7;
const CRN_TLB: [u32; 2] = [8, 9];
/// CRn of the registers that control translation: SCTLR and HCR; TCR, the TTBRs, VTCR, VTTBR.
const CRN_CONTROL: [u32; 2] = [1, 2];
/// CRm of AT.
const CRM_TRANSLATE: [u32; 2] = [8, 9];
/// op1, CRm and op2 of DC ZVA, and of DC GZVA.
const ZERO: [(u32, u32, u32); 2] = [(3, 4, 1), (3, 4, 4)];
/// PRFM in its forms ("Loads and stores", C4.1.95): mask and value.
const PREFETCHES: [(u32, u32); 4] = [
    (0xffc0_0000, 0xf980_0000),
    (0xffe0_0c00, 0xf8a0_0800),
    (0xffe0_0c00, 0xf880_0000),
    (0xff00_0000, 0xd800_0000),
];

/// Places in [`Target::COUNTED`].
const ZEROED: usize = 0;
const CACHES: usize = 1;
const TRANSLATED: usize = 2;
const PREFETCHED: usize = 3;

/// PSTATE, as `cpsr` shows it: the level, and whether it is AArch32.
const LEVEL_SHIFT: u32 = 2;
const AARCH32: u64 = 1 << 4;

/// HCR_EL2: VM, DC, TGE, E2H.
const STAGE2: u64 = 1 << 0;
const DEFAULT_CACHEABLE: u64 = 1 << 12;
const TRAP_GENERAL: u64 = 1 << 27;
const HOST_AT_EL2: u64 = 1 << 34;
/// TCR_EL1.A1: the ASID is TTBR1's.
const ASID_OF_TTBR1: u64 = 1 << 22;
/// Where a TTBR's ASID, or a VMID, begins.
const TAG_SHIFT: u32 = 48;
/// Bits of a physical address without FEAT_LPA.
const PHYSICAL_BITS: u32 = 48;

/// TCR_EL2 without VHE ("TCR_EL2, Translation Control Register"). T0SZ stands where TCR_EL1 has it.
const EL2_GRANULE: u64 = 0b11 << 14;
const EL2_TOP_BYTE_IGNORED: u64 = 1 << 20;
const EL2_FLAT: u64 = 1 << 24;
const EL2_LARGE_ADDRESS: u64 = 1 << 32;

impl Target for Aarch64 {
    type Architecture = Arm;
    type Action = Action;
    const COUNTED: &'static [&'static str] = &[
        "DC ZVA, DC GZVA: stores that clear memory",
        "cache maintenance, and other instructions with CRn 7",
        "AT: address translation instructions",
        "PRFM: prefetches",
    ];
    const UNCOUNTED: &'static [&'static str] =
        &["accesses that fault: their walks, and what those leave in walk caches"];

    fn new(registers: &Registers) -> Result<Self, String> {
        let want = |name: &str| registers.want(name);
        let mut general = [want("x0")?; 31];
        for (number, handle) in general.iter_mut().enumerate() {
            *handle = want(&format!("x{number}"))?;
        }
        let common = Common {
            pc: want("pc")?,
            cpsr: want("cpsr")?,
            general,
            // The emulator's name for SCTLR_EL1.
            sctlr: want("SCTLR")?,
            tcr: want("TCR_EL1")?,
            ttbr: [want("TTBR0_EL1")?, want("TTBR1_EL1")?],
            elr: want("ELR_EL1")?,
        };
        let hypervisor = match registers.handle("HCR_EL2") {
            None => None,
            Some(hcr) => Some(Hypervisor {
                hcr,
                vttbr: want("VTTBR_EL2")?,
                vtcr: want("VTCR_EL2")?,
                sctlr: want("SCTLR_EL2")?,
                tcr: want("TCR_EL2")?,
                ttbr: want("TTBR0_EL2")?,
                elr: want("ELR_EL2")?,
            }),
        };
        Ok(Self { common, hypervisor })
    }

    fn pc(&self) -> Handle {
        self.common.pc
    }

    fn mode(&self, machine: &Machine, _start: Option<usize>) -> Result<Mode, String> {
        let state = machine.registers.read(self.common.cpsr);
        match state >> LEVEL_SHIFT & 0b11 {
            _ if state & AARCH32 != 0 => Err("AArch32 code is not modelled".to_owned()),
            0 | 1 => Ok(Mode::Guest),
            2 => Ok(Mode::Host),
            _ => Err("EL3 is not modelled".to_owned()),
        }
    }

    fn look(&mut self, bytes: &[u8], _host: Option<usize>) -> Option<Seen<Action>> {
        let word = u32::from_le_bytes(bytes.try_into().ok()?);
        let field = |shift: u32, width: u32| word >> shift & ((1 << width) - 1);
        let (op1, crn, crm, op2) = (field(16, 3), field(12, 4), field(8, 4), field(5, 3));
        if word == hv_abi::marker::AARCH64 {
            return Some(Seen::Action(Action::Marker));
        }
        if word & MOVE_MASK == MOVE_TO_REGISTER && word & OP0_3 != 0 && CRN_CONTROL.contains(&crn) {
            return Some(Seen::Action(Action::Control));
        }
        if word & SYSTEM_MASK == SYSTEM && CRN_TLB.contains(&crn) {
            let operation = Operation { op1, crm, op2 };
            return Some(Seen::Action(Action::Invalidate(operation, field(0, 5) as usize)));
        }
        if word & SYSTEM_MASK == SYSTEM && crn == CRN_CACHE {
            return Some(Seen::Counted(match crm {
                _ if ZERO.contains(&(op1, crm, op2)) => ZEROED,
                crm if CRM_TRANSLATE.contains(&crm) && op1 != 3 => TRANSLATED,
                _ => CACHES,
            }));
        }
        let prefetches = PREFETCHES.iter().any(|(mask, value)| word & mask == *value);
        prefetches.then_some(Seen::Counted(PREFETCHED))
    }

    fn execute(&mut self, action: Action, machine: &Machine) -> Effect {
        // Register 31 is the zero register.
        let general = |number: usize| {
            self.common.general.get(number).map_or(0, |&handle| machine.registers.read(handle))
        };
        match action {
            Action::Control => Effect { changes: &[Mode::Host, Mode::Guest], ..Effect::default() },
            Action::Marker => Effect { phase: Some([general(0), general(1)]), ..Effect::default() },
            Action::Invalidate(operation, operand) => {
                let forget = tlbi::decode(operation, general(operand), self.vmid(machine));
                let Operation { op1, crm, op2 } = operation;
                let forget = forget.ok_or_else(|| {
                    format!(
                        "TLBI with op1 {op1}, CRm {crm}, op2 {op2} and its operand is not modelled"
                    )
                });
                Effect { forget: Some(forget), ..Effect::default() }
            }
        }
    }

    /// An instruction that traps is where its exception returns to.
    fn was_executed(&self, pending: &Pending, machine: &Machine, mode: Mode, pc: u64) -> bool {
        let elr = match (&self.hypervisor, mode) {
            (Some(hypervisor), Mode::Host) => hypervisor.elr,
            _ => self.common.elr,
        };
        pc == pending.behind || machine.registers.read(elr) != pending.at
    }

    fn in_force(&mut self, machine: &Machine, mode: Mode) -> Result<InForce<Arm>, String> {
        let read = |handle| machine.registers.read(handle);
        let hcr = self.hypervisor.as_ref().map_or(0, |own| read(own.hcr));
        if hcr & (HOST_AT_EL2 | TRAP_GENERAL) != 0 {
            return Err("a host at EL2 (HCR_EL2.E2H, TGE) is not modelled".to_owned());
        }
        let context = match (&self.hypervisor, mode) {
            (Some(own), Mode::Host) => el2(read(own.sctlr), read(own.tcr), read(own.ttbr))?,
            (hypervisor, _) => {
                let lower = match hypervisor {
                    Some(own) if hcr & (STAGE2 | DEFAULT_CACHEABLE) != 0 => {
                        Some(stage2(read(own.vtcr), read(own.vttbr))?)
                    }
                    _ => None,
                };
                let tcr = read(self.common.tcr);
                let ttbr = self.common.ttbr.map(read);
                let mut asid = ttbr[usize::from(tcr & ASID_OF_TTBR1 != 0)] >> TAG_SHIFT;
                if !Tcr::from_bits_retain(tcr).contains(Tcr::WIDE_ASIDS) {
                    asid &= 0xff;
                }
                let owner = Owner::space(self.vmid(machine), asid as u16);
                let off = hcr & DEFAULT_CACHEABLE != 0;
                let upper = if off { None } else { stage1(read(self.common.sctlr), tcr, ttbr)? };
                Context::new(owner, upper, lower)
            }
        };
        Ok((context, None))
    }
}

impl Aarch64 {
    /// The number of the machine that EL1's translations belong to.
    fn vmid(&self, machine: &Machine) -> u16 {
        let vttbr = self.hypervisor.as_ref().map(|own| machine.registers.read(own.vttbr));
        vttbr.map_or(0, |vttbr| (vttbr >> TAG_SHIFT) as u16)
    }
}

/// Stage 1 of EL1 and EL0, if it is on.
fn stage1(sctlr: u64, tcr: u64, ttbr: [u64; 2]) -> Result<Option<Upper<Arm>>, String> {
    let (sctlr, tcr) = (Sctlr::from_bits_retain(sctlr), Tcr::from_bits_retain(tcr));
    if !sctlr.contains(Sctlr::MMU) {
        return Ok(None);
    }
    if control::excluded(tcr) {
        return Err("a translation granule other than 4 KiB (TCR_EL1) is not modelled".to_owned());
    }
    if tcr.contains(Tcr::LARGE_ADDRESS) {
        return Err("52-bit addresses (TCR_EL1.DS) are not modelled".to_owned());
    }
    if sctlr.contains(Sctlr::BIG_ENDIAN) {
        return Err("big-endian tables (SCTLR_EL1.EE) are not modelled".to_owned());
    }
    let regime = control::regime(tcr, sctlr, PHYSICAL_BITS);
    let roots = [0, 1].map(|half| control::base(&regime, half, ttbr[half]));
    Ok(Some(Upper { regime, roots, pointers: None, has_global: true }))
}

fn stage2(vtcr: u64, vttbr: u64) -> Result<Lower<Arm>, String> {
    let regime = vmsa_stage2::Regime::of(vtcr).ok_or(
        "a stage 2 with a granule other than 4 KiB, 52-bit addresses, or a root of more than one table (VTCR_EL2) is not \
         modelled",
    )?;
    Ok(Lower { regime, root: Hpa::from_bits(regime.root(vttbr)) })
}

/// EL2's own stage 1.
fn el2(sctlr: u64, tcr: u64, ttbr: u64) -> Result<Context<Arm>, String> {
    let owner = Owner::hypervisor();
    if !Sctlr::from_bits_retain(sctlr).contains(Sctlr::MMU) {
        return Ok(Context::untranslated(owner));
    }
    if tcr & EL2_GRANULE != 0 {
        return Err("a translation granule other than 4 KiB (TCR_EL2) is not modelled".to_owned());
    }
    if tcr & EL2_LARGE_ADDRESS != 0 {
        return Err("52-bit addresses (TCR_EL2.DS) are not modelled".to_owned());
    }
    let half = HalfRegime {
        input_bits: u64::BITS - Tcr::from_bits_retain(tcr).size(0) as u32,
        disabled: false,
        flat: tcr & EL2_FLAT != 0,
        top_byte_ignored: tcr & EL2_TOP_BYTE_IGNORED != 0,
    };
    let regime = Regime {
        halves: [half, HalfRegime { disabled: true, ..half }],
        output_bits: PHYSICAL_BITS,
        write_execute_never: false,
    };
    let roots: [Gpa; 2] = [0, 1].map(|_| control::base(&regime, 0, ttbr));
    let upper = Upper { regime, roots, pointers: None, has_global: false };
    Ok(Context::new(owner, Some(upper), None))
}
