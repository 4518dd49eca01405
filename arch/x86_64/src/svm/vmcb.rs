//! The virtual machine control block: AMD64 APM vol. 2, appendix B, "VMCB Layout".
//!
//! The processor reads it at VMRUN and writes it at #VMEXIT, and only then, so plain cells will do.

use core::cell::Cell;

use bitflags::bitflags;

use crate::svm::asid;

bitflags! {
    /// Accesses to control registers that leave the guest (offset 000h).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct ControlRegisters: u32 {
        /// Reads of CR0; in QEMU 10 those of any control register.
        const READ_CR0 = 1 << 0;
        /// Reads of CR3.
        const READ_CR3 = 1 << 3;
        /// Reads of CR4.
        const READ_CR4 = 1 << 4;
        /// Writes of CR0.
        const WRITE_CR0 = 1 << 16;
        /// Writes of CR3.
        const WRITE_CR3 = 1 << 19;
        /// Writes of CR4.
        const WRITE_CR4 = 1 << 20;
        /// Writes of CR8.
        const WRITE_CR8 = 1 << 24;
    }

    /// Events and instructions that leave the guest (offset 00Ch).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Instructions: u32 {
        /// An interrupt of the machine.
        const INTERRUPT = 1 << 0;
        /// An NMI.
        const NMI = 1 << 1;
        /// An INIT.
        const INIT = 1 << 3;
        /// The guest can take the virtual interrupt.
        const WINDOW = 1 << 4;
        /// RDPMC.
        const RDPMC = 1 << 15;
        /// CPUID.
        const CPUID = 1 << 18;
        /// INVD.
        const INVD = 1 << 22;
        /// HLT.
        const HLT = 1 << 24;
        /// INVLPGA.
        const INVLPGA = 1 << 26;
        /// I/O ports by their bitmap.
        const PORTS = 1 << 27;
        /// MSRs by their bitmap.
        const MSRS = 1 << 28;
        /// A switch of tasks.
        const TASK_SWITCH = 1 << 29;
        /// A shutdown.
        const SHUTDOWN = 1 << 31;
    }

    /// Further instructions that leave the guest (offset 010h).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct MoreInstructions: u32 {
        /// VMRUN, which has to be intercepted.
        const VMRUN = 1 << 0;
        /// VMMCALL.
        const VMMCALL = 1 << 1;
        /// VMLOAD.
        const VMLOAD = 1 << 2;
        /// VMSAVE.
        const VMSAVE = 1 << 3;
        /// STGI.
        const STGI = 1 << 4;
        /// CLGI.
        const CLGI = 1 << 5;
        /// SKINIT.
        const SKINIT = 1 << 6;
        /// MONITOR.
        const MONITOR = 1 << 10;
        /// MWAIT.
        const MWAIT = 1 << 11;
        /// XSETBV.
        const XSETBV = 1 << 13;
    }

    /// Virtual interrupts (offset 060h).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Virtual: u64 {
        /// V_TPR: CR8.
        const PRIORITY = 0xff;
        /// V_IRQ: one is pending.
        const PENDING = 1 << 8;
        /// V_IGN_TPR: whatever CR8 says.
        const IGNORE_PRIORITY = 1 << 20;
        /// V_INTR_MASKING: the guest's IF masks virtual interrupts, not those of the machine.
        const MASKING = 1 << 24;
    }

    /// A segment's attributes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Attributes: u16 {
        /// Type: accessed.
        const ACCESSED = 1 << 0;
        /// Type: writable data, or readable code.
        const WRITABLE = 1 << 1;
        /// Type: code.
        const CODE = 1 << 3;
        /// Code or data.
        const SEGMENT = 1 << 4;
        /// Present.
        const PRESENT = 1 << 7;
        /// 64-bit code.
        const LONG = 1 << 9;
        /// 32-bit code, or a 32-bit stack.
        const DEFAULT_32 = 1 << 10;
        /// The limit counts pages.
        const PAGES = 1 << 11;
    }
}

impl Attributes {
    /// Flat 32-bit data.
    pub(super) const DATA: Self = Self::ACCESSED
        .union(Self::WRITABLE)
        .union(Self::SEGMENT)
        .union(Self::PRESENT)
        .union(Self::DEFAULT_32)
        .union(Self::PAGES);
    /// Flat 32-bit code.
    pub(super) const CODE_32: Self = Self::DATA.union(Self::CODE);
    /// A busy 32-bit task state segment: type 1011b.
    pub(super) const TASK: Self =
        Self::PRESENT.union(Self::ACCESSED).union(Self::WRITABLE).union(Self::CODE);
}

/// A segment register.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Segment {
    pub(super) selector: Cell<u16>,
    pub(super) attributes: Cell<u16>,
    pub(super) limit: Cell<u32>,
    pub(super) base: Cell<u64>,
}

impl Segment {
    /// Makes it a flat segment.
    pub(super) fn set(&self, selector: u16, attributes: Attributes, limit: u32) {
        self.selector.set(selector);
        self.attributes.set(attributes.bits());
        self.limit.set(limit);
        self.base.set(0);
    }
}

/// Bytes that nobody here uses.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Unused<const N: usize>([u8; N]);

impl<const N: usize> Default for Unused<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

/// The block, 4 KiB, aligned to as much.
#[derive(Debug, Default)]
#[repr(C, align(4096))]
pub(super) struct Vmcb {
    pub(super) control_registers: Cell<u32>,
    debug_registers: Cell<u32>,
    /// A bit for each exception's vector.
    pub(super) exceptions: Cell<u32>,
    pub(super) instructions: Cell<u32>,
    pub(super) more_instructions: Cell<u32>,
    _before_bitmaps: Unused<0x2c>,
    /// Where the bitmap of I/O ports stands.
    pub(super) ports: Cell<u64>,
    /// Where the bitmap of MSRs stands.
    pub(super) msrs: Cell<u64>,
    tsc_offset: Cell<u64>,
    pub(super) tlb: asid::Control,
    pub(super) virtual_interrupt: Cell<u64>,
    /// Bit 0: interrupts are held off for one instruction.
    pub(super) interrupt_shadow: Cell<u64>,
    pub(super) exit_code: Cell<u64>,
    pub(super) exit_info_1: Cell<u64>,
    pub(super) exit_info_2: Cell<u64>,
    /// The event whose delivery was interrupted.
    pub(super) exit_event: Cell<u64>,
    /// Bit 0: nested paging.
    pub(super) nested: Cell<u64>,
    _before_event: Unused<0x10>,
    /// The event to be delivered.
    pub(super) event: Cell<u64>,
    /// Where the nested tables begin.
    pub(super) nested_cr3: Cell<u64>,
    _before_next_rip: Unused<0x10>,
    /// Where the instruction ends that was intercepted, if the processor tells.
    pub(super) next_rip: Cell<u64>,
    _before_state: Unused<0x330>,
    pub(super) es: Segment,
    pub(super) cs: Segment,
    pub(super) ss: Segment,
    pub(super) ds: Segment,
    pub(super) fs: Segment,
    pub(super) gs: Segment,
    gdtr: Segment,
    pub(super) ldtr: Segment,
    idtr: Segment,
    pub(super) tr: Segment,
    _before_cpl: Unused<0x2b>,
    pub(super) cpl: Cell<u8>,
    _before_efer: Unused<4>,
    pub(super) efer: Cell<u64>,
    _before_cr4: Unused<0x70>,
    pub(super) cr4: Cell<u64>,
    pub(super) cr3: Cell<u64>,
    pub(super) cr0: Cell<u64>,
    pub(super) dr7: Cell<u64>,
    pub(super) dr6: Cell<u64>,
    pub(super) rflags: Cell<u64>,
    pub(super) rip: Cell<u64>,
    _before_rsp: Unused<0x58>,
    pub(super) rsp: Cell<u64>,
    _before_rax: Unused<0x18>,
    pub(super) rax: Cell<u64>,
    _before_cr2: Unused<0x40>,
    pub(super) cr2: Cell<u64>,
    _before_pat: Unused<0x20>,
    /// The guest's PAT, with nested paging.
    pub(super) pat: Cell<u64>,
    _rest: Rest,
}

/// What is left of the page.
#[derive(Debug)]
#[repr(transparent)]
struct Rest([u8; 0x990]);

impl Default for Rest {
    fn default() -> Self {
        Self([0; 0x990])
    }
}

const _: () = assert!(size_of::<Vmcb>() == 4096);
const _: () = assert!(core::mem::offset_of!(Vmcb, ports) == 0x40);
const _: () = assert!(core::mem::offset_of!(Vmcb, tlb) == 0x58);
const _: () = assert!(core::mem::offset_of!(Vmcb, exit_code) == 0x70);
const _: () = assert!(core::mem::offset_of!(Vmcb, nested) == 0x90);
const _: () = assert!(core::mem::offset_of!(Vmcb, event) == 0xa8);
const _: () = assert!(core::mem::offset_of!(Vmcb, next_rip) == 0xc8);
const _: () = assert!(core::mem::offset_of!(Vmcb, es) == 0x400);
const _: () = assert!(core::mem::offset_of!(Vmcb, cpl) == 0x4cb);
const _: () = assert!(core::mem::offset_of!(Vmcb, efer) == 0x4d0);
const _: () = assert!(core::mem::offset_of!(Vmcb, cr4) == 0x548);
const _: () = assert!(core::mem::offset_of!(Vmcb, rip) == 0x578);
const _: () = assert!(core::mem::offset_of!(Vmcb, rsp) == 0x5d8);
const _: () = assert!(core::mem::offset_of!(Vmcb, rax) == 0x5f8);
const _: () = assert!(core::mem::offset_of!(Vmcb, cr2) == 0x640);
const _: () = assert!(core::mem::offset_of!(Vmcb, pat) == 0x668);
