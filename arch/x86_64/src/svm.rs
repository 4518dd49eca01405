//! AMD's SVM: AMD64 APM vol. 2, chapter 15, "Secure Virtual Machine".
//!
//! VMRUN switches what a guest and the hypervisor both need: RIP, RSP, RAX, RFLAGS, the control registers,
//! CS, SS, DS, ES, and the descriptor tables. FS, GS, TR, LDTR and the MSRs of SYSCALL and SYSENTER are left as
//! they are, and the hypervisor uses none of them, so they are the guest's from its start to its end:
//! VMLOAD runs once, VMSAVE never.
//!
//! The global interrupt flag is clear from before VMRUN until the hypervisor is itself again; RFLAGS.IF
//! is set meanwhile, so that an interrupt of the machine ends the guest's turn.

use alloc::boxed::Box;
use core::arch::asm;
use core::cell::Cell;

use paging::addr::{Hpa, Level};
use paging::format::x64::X64;
use paging::mem::Tag;
use x86_64::registers::control::{Cr0Flags, Efer, EferFlags};
use x86_64::registers::model_specific::Msr;
use x86_decode::Mode;

use crate::hardware::{Delivery, Exceptions, Field, Hardware, Lack, Paging, Reason, Registers};
use crate::tlb::Flusher;
use crate::{msr, regs};
use vmcb::{Attributes, ControlRegisters, Instructions, MoreInstructions, Virtual, Vmcb};

pub mod asid;
mod exit;
mod vmcb;

/// VM_CR.
const VM_CR: u32 = 0xc001_0114;
/// VM_CR: SVM is disabled.
const VM_CR_DISABLED: u64 = 1 << 4;
/// VM_HSAVE_PA: where VMRUN keeps the hypervisor's state.
const HOST_SAVE: u32 = 0xc001_0117;

/// Bytes of the bitmap of I/O ports.
const PORT_BITMAP: usize = 3 * 4096;
/// Bytes of the bitmap of MSRs.
const MSR_BITMAP: usize = 2 * 4096;

/// RFLAGS after a reset: bit 1 is always set.
const FLAGS_AT_RESET: u64 = 1 << 1;

/// A bitmap, aligned to a page.
#[derive(Debug)]
#[repr(C, align(4096))]
struct Bitmap<const N: usize>([u8; N]);

/// SVM with one guest.
#[derive(Debug)]
pub struct Svm {
    vmcb: &'static Vmcb,
    /// The last of the processor's ASIDs.
    last_asid: u32,
}

/// The last of the processor's ASIDs; the first is the hypervisor's own, and a guest needs another.
fn last_asid() -> u32 {
    let info = raw_cpuid::CpuId::new().get_svm_info();
    info.map_or(0, |info| info.supported_asids()).saturating_sub(1).max(1)
}

impl Svm {
    /// Whether the guest runs over nested tables.
    const fn is_nested(&self) -> bool {
        self.vmcb.nested.get() != 0
    }

    /// Whether the processor has SVM at all.
    #[must_use]
    pub fn is_there() -> bool {
        raw_cpuid::CpuId::new()
            .get_extended_processor_and_feature_identifiers()
            .is_some_and(|features| features.has_svm())
    }

    /// Turns SVM on.
    fn enable(nested: bool) -> Result<(), Lack> {
        if !Self::is_there() {
            return Err(Lack::Virtualization);
        }
        // SAFETY: a processor with SVM has VM_CR.
        let disabled = unsafe { Msr::new(VM_CR).read() } & VM_CR_DISABLED != 0;
        if disabled {
            return Err(Lack::LockedOff);
        }
        let offers =
            raw_cpuid::CpuId::new().get_svm_info().is_some_and(|info| info.has_nested_paging());
        if nested && !offers {
            return Err(Lack::NestedPaging);
        }
        // SAFETY: SVM adds instructions and takes nothing away.
        unsafe { Efer::update(|efer| *efer |= EferFlags::SECURE_VIRTUAL_MACHINE_ENABLE) };
        let area: &'static Bitmap<4096> = Box::leak(Box::new(Bitmap([0; 4096])));
        // SAFETY: the page is the processor's for good.
        unsafe { Msr::new(HOST_SAVE).write(core::ptr::from_ref(area) as u64) };
        Ok(())
    }

    fn new_vmcb(paging: Paging, entry: u32) -> &'static Vmcb {
        let vmcb = Vmcb::default();
        let mut control_registers = ControlRegisters::WRITE_CR4 | ControlRegisters::WRITE_CR8;
        match paging {
            Paging::Nested(root) => {
                vmcb.nested.set(1);
                vmcb.nested_cr3.set(root.bits());
                vmcb.pat.set(regs::pat());
            }
            Paging::Shadow => {
                control_registers |= ControlRegisters::READ_CR0
                    | ControlRegisters::READ_CR3
                    | ControlRegisters::READ_CR4
                    | ControlRegisters::WRITE_CR0
                    | ControlRegisters::WRITE_CR3;
            }
        }
        vmcb.control_registers.set(control_registers.bits());
        let window = Instructions::WINDOW;
        vmcb.instructions.set((Instructions::all() - window).bits());
        vmcb.more_instructions.set(MoreInstructions::all().bits());
        let ports = Box::leak(Box::new(Bitmap([u8::MAX; PORT_BITMAP])));
        vmcb.ports.set(core::ptr::from_ref(ports) as u64);
        vmcb.msrs.set(core::ptr::from_ref(msr_bitmap()) as u64);
        vmcb.tlb.set_tag(crate::tlb::NO_ROOT, last_asid());
        vmcb.tlb.forget_all();
        vmcb.virtual_interrupt.set((Virtual::MASKING | Virtual::IGNORE_PRIORITY).bits());

        for data in [&vmcb.es, &vmcb.ss, &vmcb.ds, &vmcb.fs, &vmcb.gs] {
            data.set(DATA_SELECTOR, Attributes::DATA, u32::MAX);
        }
        vmcb.cs.set(CODE_SELECTOR, Attributes::CODE_32, u32::MAX);
        vmcb.tr.set(0, Attributes::TASK, TASK_LIMIT);
        vmcb.ldtr.set(0, Attributes::empty(), 0);
        vmcb.efer.set(EferFlags::SECURE_VIRTUAL_MACHINE_ENABLE.bits());
        let cr0 = Cr0Flags::PROTECTED_MODE_ENABLE | Cr0Flags::EXTENSION_TYPE;
        vmcb.cr0.set(cr0.bits());
        vmcb.rflags.set(FLAGS_AT_RESET);
        vmcb.rip.set(u64::from(entry));
        vmcb.dr6.set(crate::control::debug_status::ALWAYS);
        vmcb.dr7.set(DR7_AT_RESET);
        Box::leak(Box::new(vmcb))
    }
}

/// Selectors that mean nothing until the guest loads descriptor tables of its own.
const CODE_SELECTOR: u16 = 0x08;
/// The same for data.
const DATA_SELECTOR: u16 = 0x10;
/// The limit of a task state segment.
const TASK_LIMIT: u32 = 0x67;
/// DR7 after a reset.
const DR7_AT_RESET: u64 = 1 << 10;

/// The MSRs that leave the guest: all but those that are its own ("MSR Intercepts", 15.11).
fn msr_bitmap() -> &'static Bitmap<MSR_BITMAP> {
    /// Bits of an MSR: one for reads, one for writes.
    const WIDTH: u32 = 2;
    /// MSRs of a range.
    const RANGE: u32 = 0x2000;
    let mut bitmap = Box::new(Bitmap([u8::MAX; MSR_BITMAP]));
    let mut clear = |register: u32, bits: u8| {
        let range = match register >> 30 {
            0 => 0,
            _ => 1,
        };
        let place = range * RANGE + register % RANGE;
        let shift = place * WIDTH % u8::BITS;
        if let Some(byte) = bitmap.0.get_mut((place * WIDTH / u8::BITS) as usize) {
            *byte &= !(bits << shift);
        }
    };
    for &register in msr::PASSED {
        clear(register, 0b11);
    }
    for &register in msr::READ {
        clear(register, 0b01);
    }
    Box::leak(bitmap)
}

/// A cell of the VMCB that holds `field`, unless the processor keeps it elsewhere.
#[inline(always)]
fn cell(vmcb: &Vmcb, field: Field) -> Option<&Cell<u64>> {
    Some(match field {
        Field::Rip => &vmcb.rip,
        Field::Rsp => &vmcb.rsp,
        Field::Rflags => &vmcb.rflags,
        Field::Cr0 => &vmcb.cr0,
        Field::Cr2 => &vmcb.cr2,
        Field::Cr3 => &vmcb.cr3,
        Field::Cr4 => &vmcb.cr4,
        Field::Efer => &vmcb.efer,
        Field::Dr6 => &vmcb.dr6,
        Field::Dr7 => &vmcb.dr7,
        Field::EsBase => &vmcb.es.base,
        Field::CsBase => &vmcb.cs.base,
        Field::SsBase => &vmcb.ss.base,
        Field::DsBase => &vmcb.ds.base,
        Field::Cr0View | Field::Cr4View | Field::FsBase | Field::GsBase => return None,
    })
}

impl Hardware for Svm {
    type Nested = X64;
    const NAME: &'static str = "svm";
    const CALL: u32 = hv_abi::pc::CALL_VMMCALL;

    fn largest_leaf() -> Level {
        crate::boot::largest_leaf()
    }

    fn new(paging: Paging, entry: u32) -> Result<Self, Lack> {
        Self::enable(matches!(paging, Paging::Nested(_)))?;
        let vmcb = Self::new_vmcb(paging, entry);
        // SAFETY: the VMCB holds flat segments, a task state segment that nobody switches to and no
        // LDT; the hypervisor uses none of what VMLOAD loads.
        unsafe {
            asm!("vmload rax", in("rax") core::ptr::from_ref(vmcb) as u64, options(nostack));
        }
        let mut new = Self { vmcb, last_asid: last_asid() };
        new.intercept(Exceptions::None);
        Ok(new)
    }

    #[inline(always)]
    fn get(&self, field: Field) -> u64 {
        match (field, cell(self.vmcb, field)) {
            (Field::Efer, Some(cell)) => {
                cell.get() & !EferFlags::SECURE_VIRTUAL_MACHINE_ENABLE.bits()
            }
            (_, Some(cell)) => cell.get(),
            (Field::FsBase, None) => regs::fs_base(),
            (Field::GsBase, None) => regs::gs_base(),
            (_, None) => 0,
        }
    }

    #[inline(always)]
    fn set(&mut self, field: Field, value: u64) {
        let value = match field {
            Field::Efer => value | EferFlags::SECURE_VIRTUAL_MACHINE_ENABLE.bits(),
            _ => value,
        };
        if let Some(cell) = cell(self.vmcb, field) {
            cell.set(value);
        }
    }

    #[inline]
    fn privilege(&self) -> u8 {
        self.vmcb.cpl.get()
    }

    #[inline]
    fn mode(&self) -> Option<Mode> {
        let code = Attributes::from_bits_retain(self.vmcb.cs.attributes.get());
        let long = EferFlags::from_bits_retain(self.vmcb.efer.get());
        if code.contains(Attributes::LONG) && long.contains(EferFlags::LONG_MODE_ACTIVE) {
            Some(Mode::Bits64)
        } else {
            code.contains(Attributes::DEFAULT_32).then_some(Mode::Bits32)
        }
    }

    #[inline(always)]
    fn enter<const STAMPED: bool>(&mut self, registers: &mut Registers) -> u64 {
        self.vmcb.rax.set(registers[0]);
        let stamp: u64;
        // SAFETY: VMRUN enters the guest of a VMCB that `new` made, whose state only `set` and its kin
        // have changed since; what it can reach is bounded by the tables in it. Behind VMRUN the
        // stack is as before; RBX and RBP are put back, and every other register is declared as
        // changed.
        unsafe {
            asm!(
                "push rbx",
                "push rbp",
                "push rdi",
                "mov rcx, [rdi + 1 * 8]",
                "mov rdx, [rdi + 2 * 8]",
                "mov rbx, [rdi + 3 * 8]",
                "mov rbp, [rdi + 5 * 8]",
                "mov rsi, [rdi + 6 * 8]",
                "mov r8, [rdi + 8 * 8]",
                "mov r9, [rdi + 9 * 8]",
                "mov r10, [rdi + 10 * 8]",
                "mov r11, [rdi + 11 * 8]",
                "mov r12, [rdi + 12 * 8]",
                "mov r13, [rdi + 13 * 8]",
                "mov r14, [rdi + 14 * 8]",
                "mov r15, [rdi + 15 * 8]",
                "mov rdi, [rdi + 7 * 8]",
                "clgi",
                "sti",
                "vmrun rax",
                "xchg rdi, [rsp]",
                "mov [rdi + 2 * 8], rdx",
                ".if {stamped}",
                "rdtsc",
                "shl rdx, 32",
                "or rax, rdx",
                ".else",
                "xor eax, eax",
                ".endif",
                "cli",
                "stgi",
                "mov [rdi + 1 * 8], rcx",
                "mov [rdi + 3 * 8], rbx",
                "mov [rdi + 5 * 8], rbp",
                "mov [rdi + 6 * 8], rsi",
                "pop qword ptr [rdi + 7 * 8]",
                "mov [rdi + 8 * 8], r8",
                "mov [rdi + 9 * 8], r9",
                "mov [rdi + 10 * 8], r10",
                "mov [rdi + 11 * 8], r11",
                "mov [rdi + 12 * 8], r12",
                "mov [rdi + 13 * 8], r13",
                "mov [rdi + 14 * 8], r14",
                "mov [rdi + 15 * 8], r15",
                "pop rbp",
                "pop rbx",
                stamped = const STAMPED as u64,
                inout("rax") core::ptr::from_ref(self.vmcb) as u64 => stamp,
                inout("rdi") registers.as_mut_ptr() => _,
                out("rcx") _, out("rdx") _, out("rsi") _, out("r8") _, out("r9") _, out("r10") _,
                out("r11") _, out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            );
        }
        registers[0] = self.vmcb.rax.get();
        self.vmcb.event.set(0);
        self.vmcb.tlb.entered();
        stamp
    }

    #[inline(always)]
    fn reason(&self, _registers: &Registers) -> Reason {
        exit::reason(self.vmcb)
    }

    #[inline]
    fn length(&self) -> Option<u64> {
        exit::length(self.vmcb)
    }

    fn shut_down(&mut self) {
        self.vmcb.exit_code.set(exit::SHUTDOWN);
    }

    #[inline]
    fn interrupted(&self) -> Option<Delivery> {
        delivery(self.vmcb.exit_event.get())
    }

    #[inline]
    fn inject(&mut self, event: Delivery) {
        self.vmcb.event.set(u64::from(event.code) << u32::BITS | u64::from(event.info));
    }

    #[inline]
    fn injection(&self) -> Option<Delivery> {
        delivery(self.vmcb.event.get())
    }

    #[inline]
    fn holds_interrupts(&self) -> bool {
        self.vmcb.interrupt_shadow.get() & 1 != 0
    }

    #[inline]
    fn release_interrupts(&mut self) {
        self.vmcb.interrupt_shadow.set(0);
    }

    /// Writes of CR8 leave the guest, reads do not.
    fn show_priority(&mut self, class: u8) {
        let rest = self.vmcb.virtual_interrupt.get() & !Virtual::PRIORITY.bits();
        self.vmcb.virtual_interrupt.set(rest | u64::from(class));
    }

    fn want_window(&mut self, wanted: bool) {
        let mut instructions = Instructions::from_bits_retain(self.vmcb.instructions.get());
        instructions.set(Instructions::WINDOW, wanted);
        self.vmcb.instructions.set(instructions.bits());
        let mut interrupt = Virtual::from_bits_retain(self.vmcb.virtual_interrupt.get());
        interrupt.set(Virtual::PENDING, wanted);
        self.vmcb.virtual_interrupt.set(interrupt.bits());
    }

    /// Over nested tables VMRUN takes the guest's from the VMCB.
    fn pat(&self) -> u64 {
        if self.is_nested() { self.vmcb.pat.get() } else { regs::pat() }
    }

    fn set_pat(&mut self, value: u64) {
        if !self.is_nested() {
            regs::set_pat(value);
        } else if regs::is_pat(value) {
            self.vmcb.pat.set(value);
        }
    }

    /// SVM cannot choose page faults by their error code.
    fn intercept(&mut self, which: Exceptions) {
        let always = exit::vector_bit(exit::DEBUG) | exit::vector_bit(exit::ALIGNMENT);
        self.vmcb.exceptions.set(match which {
            Exceptions::None => always,
            Exceptions::PresentPageFaults | Exceptions::PageFaults => {
                always | exit::vector_bit(exit::PAGE_FAULT)
            }
            Exceptions::All => !exit::vector_bit(exit::NMI),
        });
    }

    #[inline]
    fn load_root(&mut self, root: Hpa, low: u64, tag: Tag) {
        self.vmcb.cr3.set(root.bits() | low);
        self.vmcb.tlb.set_tag(tag, self.last_asid);
    }

    fn flusher(&self) -> Flusher {
        Flusher::Asid(&self.vmcb.tlb)
    }
}

/// An event as the VMCB holds it, if it holds one.
#[inline(always)]
fn delivery(raw: u64) -> Option<Delivery> {
    let event = Delivery { info: raw as u32, code: (raw >> u32::BITS) as u32 };
    (event.info & Delivery::VALID != 0).then_some(event)
}
