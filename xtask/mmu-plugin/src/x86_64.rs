//! x86-64 with AMD's SVM.
//!
//! The emulator does not show what SVM adds. So the guest's control registers and its ASID are read from the
//! VMCB at VMRUN, and a guest has been left when the instruction behind a VMRUN is executed: by its place in the
//! machine's memory, which no guest reaches.

mod instruction;

use std::collections::BTreeSet;

use mmu_model::architecture::{Amd, Context, Lower, Upper};
use mmu_model::invalidation::{Invalidation, x64 as forget};
use mmu_model::memory::Physical as _;
use mmu_model::owner::Owner;
use paging::addr::{Gpa, Hpa};
use paging::format::x64::{ADDRESS, Regime};

pub(crate) use self::instruction::Action;
use crate::registers::{Handle, Registers};
use crate::target::{Effect, InForce, Machine, Mode, Pending, Seen, Target};

/// The general-purpose registers by number.
const GENERAL: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

/// The instruction set.
pub(crate) struct X86 {
    rip: Handle,
    cs: Handle,
    cr0: Handle,
    cr3: Handle,
    cr4: Handle,
    efer: Handle,
    general: [Handle; 16],
    segment_bases: [Handle; 2],
    /// Where guests are left to, in the emulator's memory.
    left_to: BTreeSet<usize>,
    /// The VMCB of the guest that runs, and of the one that ran last.
    guest: Option<Vmcb>,
    last_guest: Option<Vmcb>,
    /// Whether the guest's registers are still those of its VMCB.
    just_entered: bool,
    /// What controls paging, as it was seen last in either mode.
    seen: [Option<Controls>; 2],
}

/// A virtual machine control block: AMD64 APM vol. 2, appendix B, "VMCB Layout".
#[derive(Clone, Copy)]
struct Vmcb(u64);

/// Offsets in it.
const ASID: u64 = 0x58;
const NESTED: u64 = 0x90;
const NESTED_CR3: u64 = 0xb0;
const EFER: u64 = 0x4d0;
const CR4: u64 = 0x548;
const CR3: u64 = 0x550;
const CR0: u64 = 0x558;
const RIP: u64 = 0x578;
/// Where TLB_CONTROL begins behind the ASID.
const TLB_CONTROL_SHIFT: u32 = 32;

impl Vmcb {
    fn read(self, machine: &Machine, offset: u64) -> u64 {
        machine.ram.read(Hpa::from_bits(self.0 + offset)).unwrap_or(0)
    }

    fn asid(self, machine: &Machine) -> u16 {
        self.read(machine, ASID) as u16
    }
}

/// The registers that control paging.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Controls {
    cr0: u64,
    cr3: u64,
    cr4: u64,
    efer: u64,
}

/// CR0: WP, PG.
const WRITE_PROTECT: u64 = 1 << 16;
const PAGING: u64 = 1 << 31;
/// CR4: PSE, PAE, PGE, LA57, PCIDE, SMEP.
const LARGE_PAGES: u64 = 1 << 4;
const PHYSICAL_ADDRESS_EXTENSION: u64 = 1 << 5;
const GLOBAL: u64 = 1 << 7;
const FIVE_LEVELS: u64 = 1 << 12;
const PROCESS_CONTEXT: u64 = 1 << 17;
const SUPERVISOR_EXECUTE: u64 = 1 << 20;
/// Those of them whose change makes the processor forget.
const FORGETTING: u64 =
    LARGE_PAGES | PHYSICAL_ADDRESS_EXTENSION | GLOBAL | PROCESS_CONTEXT | SUPERVISOR_EXECUTE;
/// EFER: LMA, NXE.
const LONG_MODE: u64 = 1 << 10;
const EXECUTE_DISABLE: u64 = 1 << 11;
/// CR3: the PCID, and in a value that is loaded: keep what is known.
const PCID: u64 = 0xfff;
const KEEP: u64 = 1 << 63;
/// CR3 under PAE paging: the address of the four pointers.
const POINTERS: u64 = 0xffff_ffe0;
/// Bits of a physical address: fewer than any that this hypervisor uses as a reserved one.
const PHYSICAL_BITS: u32 = 51;

impl Target for X86 {
    type Architecture = Amd;
    type Action = Action;
    const COUNTED: &'static [&'static str] = &["prefetches", "CLFLUSH and its kin"];
    const UNCOUNTED: &'static [&'static str] = &[
        "accesses that fault: their walks, and what those leave in walk caches",
        "gates, descriptors and frames of interrupts and exceptions, but for those that VMRUN delivers",
        "flags that walks set in entries",
    ];

    fn new(registers: &Registers) -> Result<Self, String> {
        let want = |name| registers.want(name);
        let mut general = [want("rax")?; 16];
        for (handle, name) in general.iter_mut().zip(GENERAL) {
            *handle = want(name)?;
        }
        Ok(Self {
            rip: want("rip")?,
            cs: want("cs")?,
            cr0: want("cr0")?,
            cr3: want("cr3")?,
            cr4: want("cr4")?,
            efer: want("efer")?,
            general,
            segment_bases: [want("fs_base")?, want("gs_base")?],
            left_to: BTreeSet::new(),
            guest: None,
            last_guest: None,
            just_entered: false,
            seen: [None; 2],
        })
    }

    fn pc(&self) -> Handle {
        self.rip
    }

    /// Outside long mode the code segment may begin elsewhere than at 0, and the emulator does not show where.
    fn virtual_address(&self, mode: Mode, pc: u64, translated: u64) -> u64 {
        let long = self.seen[mode as usize].is_some_and(|seen| seen.efer & LONG_MODE != 0);
        if long { pc } else { translated }
    }

    fn mode(&self, _machine: &Machine, start: Option<usize>) -> Result<Mode, String> {
        let is_guest = self.guest.is_some() && !self.is_left_to(start);
        Ok(if is_guest { Mode::Guest } else { Mode::Host })
    }

    fn is_left_to(&self, start: Option<usize>) -> bool {
        start.is_some_and(|start| self.left_to.contains(&start))
    }

    fn left(&mut self) {
        self.guest = None;
    }

    fn look(&mut self, bytes: &[u8], host: Option<usize>) -> Option<Seen<Action>> {
        let seen = instruction::look(bytes)?;
        if let (Seen::Action(Action::Vmrun), Some(host)) = (&seen, host) {
            self.left_to.insert(host + bytes.len());
        }
        Some(seen)
    }

    fn execute(&mut self, action: Action, machine: &Machine) -> Effect {
        let read = |handle| machine.registers.read(handle);
        let general = |number: usize| self.general.get(number).map_or(0, |&handle| read(handle));
        let privileged = read(self.cs) & 0b11 == 0;
        let forgets = |forget| Effect { forget: Some(Ok(forget)), ..Effect::default() };
        let refuses = |why: &str| Effect { forget: Some(Err(why.to_owned())), ..Effect::default() };
        match action {
            Action::Marker => Effect { phase: Some([general(7), general(6)]), ..Effect::default() },
            Action::Vmrun => self.run(Vmcb(general(0)), machine),
            _ if !privileged => Effect::default(),
            Action::Control => Effect { changes: self.here(), ..Effect::default() },
            Action::LoadCr3(register) => {
                let keeps = read(self.cr4) & PROCESS_CONTEXT != 0;
                let value = general(register);
                let owner = self.owner(machine, if keeps { value & PCID } else { 0 });
                let forget = (!keeps || value & KEEP == 0).then(|| Ok(forget::space(owner)));
                Effect { forget, changes: self.here(), ..Effect::default() }
            }
            Action::Page(None) => refuses("INVLPG with an operand of this form is not modelled"),
            Action::Page(Some(operand)) => {
                let at = operand.address(general, self.segment_bases.map(read));
                let has_pcids = read(self.cr4) & PROCESS_CONTEXT != 0;
                let pcid = if has_pcids { read(self.cr3) & PCID } else { 0 };
                forgets(forget::page(self.owner(machine, pcid), at))
            }
            Action::PageOfAsid => {
                let owner = Owner::space(general(1) as u16, 0);
                forgets(forget::page(owner, general(0)))
            }
            Action::Pcid => refuses("INVPCID is not modelled"),
        }
    }

    /// An instruction that is intercepted is where the guest was left. One that faults, such as a load of CR3 with
    /// reserved bits, is taken for executed, and the model forgets more than it has to.
    fn was_executed(&self, pending: &Pending, machine: &Machine, mode: Mode, _pc: u64) -> bool {
        match (mode, self.guest) {
            (Mode::Host, Some(guest)) => guest.read(machine, RIP) != pending.at,
            _ => true,
        }
    }

    fn in_force(&mut self, machine: &Machine, mode: Mode) -> Result<InForce<Amd>, String> {
        let from_vmcb = std::mem::take(&mut self.just_entered) && mode == Mode::Guest;
        let controls = match self.guest.filter(|_| from_vmcb) {
            Some(guest) => Controls {
                cr0: guest.read(machine, CR0),
                cr3: guest.read(machine, CR3),
                cr4: guest.read(machine, CR4),
                efer: guest.read(machine, EFER),
            },
            None => {
                let read = |handle| machine.registers.read(handle);
                Controls {
                    cr0: read(self.cr0),
                    cr3: read(self.cr3),
                    cr4: read(self.cr4),
                    efer: read(self.efer),
                }
            }
        };
        let before = self.seen[mode as usize].replace(controls);
        let guest = self.guest.filter(|_| mode == Mode::Guest);
        let vm = guest.map_or(0, |guest| guest.asid(machine));
        let forget =
            before.filter(|_| !from_vmcb).and_then(|before| forgotten(&before, &controls, vm));
        let pcid = if controls.cr4 & PROCESS_CONTEXT == 0 { 0 } else { controls.cr3 & PCID };
        let lower = guest.filter(|guest| guest.read(machine, NESTED) & 1 != 0).map(|guest| Lower {
            regime: regime(&Controls { efer: EXECUTE_DISABLE, ..controls }),
            root: Hpa::from_bits(guest.read(machine, NESTED_CR3) & ADDRESS),
        });
        let upper = upper(&controls, machine, lower.is_some())?;
        Ok((Context::new(Owner::space(vm, pcid as u16), upper, lower), forget))
    }
}

impl X86 {
    /// VMRUN enters a guest, whose VMCB says what is forgotten. An event that it delivers there is part of it, and
    /// its gates and frames are the guest's.
    fn run(&mut self, vmcb: Vmcb, machine: &Machine) -> Effect {
        self.guest = Some(vmcb);
        self.just_entered = true;
        if self.last_guest.replace(vmcb).is_some_and(|last| last.0 != vmcb.0) {
            self.seen[Mode::Guest as usize] = None;
        }
        let control = (vmcb.read(machine, ASID) >> TLB_CONTROL_SHIFT) as u8;
        let forget_now = forget::tlb_control(control, vmcb.asid(machine));
        let (changes, enters) = (&[Mode::Guest], Some(Mode::Guest));
        Effect { forget_now, changes, enters, ..Effect::default() }
    }

    /// The mode of whoever runs.
    const fn here(&self) -> &'static [Mode] {
        if self.guest.is_some() { &[Mode::Guest] } else { &[Mode::Host] }
    }

    /// An address space of whoever runs.
    fn owner(&self, machine: &Machine, pcid: u64) -> Owner {
        let vm = self.guest.map_or(0, |guest| guest.asid(machine));
        Owner::space(vm, pcid as u16)
    }
}

/// What a change of control registers makes the processor forget.
fn forgotten(before: &Controls, now: &Controls, vm: u16) -> Option<Invalidation> {
    let paging = (before.cr0 ^ now.cr0) & PAGING != 0;
    let forgetting = (before.cr4 ^ now.cr4) & FORGETTING != 0;
    (paging || forgetting).then(|| forget::machine(vm))
}

const fn regime(controls: &Controls) -> Regime {
    Regime {
        output_bits: PHYSICAL_BITS,
        execute_disable: controls.efer & EXECUTE_DISABLE != 0,
        gigabytes: true,
        write_protect: controls.cr0 & WRITE_PROTECT != 0,
        supervisor_execute_protect: controls.cr4 & SUPERVISOR_EXECUTE != 0,
    }
}

/// The tables that CR3 leads to, if paging is on.
fn upper(
    controls: &Controls,
    machine: &Machine,
    nested: bool,
) -> Result<Option<Upper<Amd>>, String> {
    if controls.cr0 & PAGING == 0 {
        return Ok(None);
    }
    let long = controls.efer & LONG_MODE != 0;
    if long && controls.cr4 & FIVE_LEVELS != 0 {
        return Err("five-level paging is not modelled".to_owned());
    }
    if !long && controls.cr4 & PHYSICAL_ADDRESS_EXTENSION == 0 {
        return Err("32-bit paging is not modelled".to_owned());
    }
    if !long && nested {
        return Err("PAE paging over nested tables is not modelled".to_owned());
    }
    let pointers = (!long).then(|| {
        let first = controls.cr3 & POINTERS;
        [0, 1, 2, 3].map(|place| machine.ram.read(Hpa::from_bits(first + 8 * place)).unwrap_or(0))
    });
    Ok(Some(Upper {
        regime: regime(controls),
        roots: [Gpa::from_bits(controls.cr3 & ADDRESS); 2],
        pointers,
        has_global: controls.cr4 & GLOBAL != 0,
    }))
}
