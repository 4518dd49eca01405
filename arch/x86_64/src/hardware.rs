//! What Intel's VMX and AMD's SVM have in common, in words of both.
//!
//! Both keep a guest's state in a structure of their own, leave the guest for a reason with
//! a number, and deliver an event to it at the next entry. Everything above this seam is written once; each
//! vendor's folder says how its hardware spells what is asked for here.

use core::fmt::Debug;

use arch::exit::Port;
use paging::addr::{Gpa, Hpa, Level};
use paging::format::Format;
use paging::mem::Tag;
pub use x86_decode::Registers;
use x86_decode::{Mode, Register};

use crate::regs;

/// A register of the guest that the hardware keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// RIP.
    Rip,
    /// RSP.
    Rsp,
    /// RFLAGS.
    Rflags,
    /// CR0 as it is in force.
    Cr0,
    /// CR0 as the guest reads it. Means something only while the hypervisor owns bits of it, and only
    /// where the hardware answers reads by itself; may only be written.
    Cr0View,
    /// CR2.
    Cr2,
    /// CR3 as it is in force.
    Cr3,
    /// CR4 as it is in force.
    Cr4,
    /// CR4 as the guest reads it, as for CR0.
    Cr4View,
    /// EFER as it is in force. What the hardware itself needs of it is added on writing and left out on
    /// reading.
    Efer,
    /// DR6.
    Dr6,
    /// DR7.
    Dr7,
    /// The base of ES.
    EsBase,
    /// The base of CS.
    CsBase,
    /// The base of SS.
    SsBase,
    /// The base of DS.
    DsBase,
    /// The base of FS.
    FsBase,
    /// The base of GS.
    GsBase,
}

/// A control register that an instruction accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlAccess {
    /// MOV to a control register, with the value.
    Write {
        /// Which one.
        control: u8,
        /// The value.
        value: u64,
    },
    /// MOV from a control register.
    Read {
        /// Which one.
        control: u8,
        /// The general-purpose register that receives it.
        register: u8,
    },
    /// SMSW to a register.
    StoreStatus(Register),
    /// CLTS.
    ClearTaskSwitched,
    /// LMSW, with the low 16 bits of its operand.
    LoadStatus(u16),
}

/// An event that is delivered to the guest at its next entry, as both vendors encode it: Intel SDM vol. 3,
/// "VM-Entry Controls for Event Injection" (25.8.3); AMD64 APM vol. 2, "Event Injection" (15.20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The vector, the type, and whether there is an error code.
    pub info: u32,
    /// The error code.
    pub code: u32,
}

impl Delivery {
    /// The field is in use.
    pub const VALID: u32 = 1 << 31;
    /// An error code is pushed.
    const HAS_ERROR: u32 = 1 << 11;
    /// Where the type begins.
    const TYPE_SHIFT: u32 = 8;
    /// The bits of a type.
    const TYPE: u32 = 7 << Self::TYPE_SHIFT;
    /// An interrupt of the machine.
    const INTERRUPT: u32 = 0 << Self::TYPE_SHIFT;
    /// An exception of the processor.
    const EXCEPTION: u32 = 3 << Self::TYPE_SHIFT;

    /// The interrupt `vector`.
    #[must_use]
    pub const fn interrupt(vector: u8) -> Self {
        Self { info: Self::VALID | Self::INTERRUPT | vector as u32, code: 0 }
    }

    /// The exception `vector`, with the error code that it pushes.
    #[must_use]
    pub const fn exception(vector: u8, error: Option<u32>) -> Self {
        let info = Self::VALID | Self::EXCEPTION | vector as u32;
        match error {
            Some(error) => Self { info: info | Self::HAS_ERROR, code: error },
            None => Self { info, code: 0 },
        }
    }

    /// The vector.
    #[must_use]
    pub const fn vector(self) -> u8 {
        self.info as u8
    }

    /// The error code, if one is pushed.
    #[must_use]
    pub const fn error(self) -> Option<u32> {
        if self.info & Self::HAS_ERROR != 0 { Some(self.code) } else { None }
    }

    /// Whether it is an exception of the processor, which the guest did not ask for by INT, INT1, INT3
    /// or INTO.
    #[must_use]
    pub const fn is_exception(self) -> bool {
        self.info & Self::TYPE == Self::EXCEPTION
    }

    /// Whether it is raised by an instruction that was meant to: executing that again raises it again.
    /// SVM takes INT3 and INTO for exceptions of the processor.
    #[must_use]
    pub const fn is_software(self) -> bool {
        const BREAKPOINT: u8 = 3;
        const OVERFLOW: u8 = 4;
        let meant = matches!(self.vector(), BREAKPOINT | OVERFLOW);
        self.info & Self::TYPE > Self::EXCEPTION || self.is_exception() && meant
    }
}

/// Why the hardware left the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// CPUID.
    Cpuid,
    /// VMCALL on Intel, VMMCALL on AMD.
    Hypercall,
    /// HLT.
    Halt,
    /// RDMSR.
    ReadMsr,
    /// WRMSR.
    WriteMsr,
    /// XSETBV.
    Xsetbv,
    /// A control register. `None`: the instruction has to be decoded to know more.
    Control(Option<ControlAccess>),
    /// An I/O port.
    Port(Port),
    /// A page fault of the guest's own tables or of a shadow's.
    PageFault {
        /// The linear address.
        at: u64,
        /// The error code.
        error: u32,
    },
    /// A fault of nested tables.
    Nested {
        /// The guest-physical address.
        at: Gpa,
        /// Whether an instruction was being fetched.
        fetch: bool,
        /// Whether it was met by the walk of the guest's own tables.
        walk: bool,
    },
    /// A debug exception. What DR6 would say of it.
    Debug(u64),
    /// Another exception that was intercepted; the guest is to get it.
    Exception(Delivery),
    /// An instruction that this guest's processor does not have.
    Undefined,
    /// An instruction that the guest may not use.
    Refused,
    /// An instruction that is done by doing nothing.
    Ignored,
    /// An interrupt of the machine.
    Interrupt,
    /// An interrupt of the machine that nobody masks. It has been counted.
    NonMaskable,
    /// The guest can take an interrupt.
    Window,
    /// The guest's processor shut down.
    Shutdown,
    /// The guest switched to a task or to a mode that the hypervisor does not run.
    Mode,
    /// The hardware would not enter the guest, or left it for a reason that nobody foresaw.
    Unknown(u64),
}

/// Which exceptions leave the guest, beside the few that always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceptions {
    /// None: the tables are the guest's own.
    None,
    /// Page faults; where the hardware can choose, only those of which every entry on the way was present.
    PresentPageFaults,
    /// All page faults.
    PageFaults,
    /// Every exception.
    All,
}

/// Why the hardware of a machine cannot do what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There is neither VMX nor SVM.
    Virtualization,
    /// Firmware has locked it off.
    LockedOff,
    /// There is no EPT, or no NPT.
    NestedPaging,
    /// The guest could not run with its paging off over EPT.
    UnrestrictedGuest,
    /// A control that the hypervisor cannot do without.
    Control,
    /// Every bit of an address in a page table means something: none is left to mark entries.
    ReservedBit,
}

impl Lack {
    /// What to tell a person.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Virtualization => "the processor has neither VT-x nor SVM",
            Self::LockedOff => {
                "firmware has locked virtualization off: turn VT-x or SVM on in its set-up"
            }
            Self::NestedPaging => {
                "the processor has no EPT or NPT, which nested paging needs: build for shadow paging (--paging shadow)"
            }
            Self::UnrestrictedGuest => {
                "the processor's EPT has no unrestricted guests, which nested paging needs: build for shadow paging (--paging shadow)"
            }
            Self::Control => "the processor's virtualization lacks a control that Umbra needs",
            Self::ReservedBit => {
                "the processor's physical addresses have 52 bits, which leaves none to mark shadow entries: use nested paging (--paging nested)"
            }
        }
    }
}

/// How a guest's MMU is virtualized, as far as the hardware has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// By the nested tables at this root.
    Nested(Hpa),
    /// By tables of ours in CR3.
    Shadow,
}

/// The virtualization hardware of the physical CPU that runs this, with one guest in it.
///
/// Between an exit and the next entry, on that CPU, it belongs to the guest's vCPU.
pub trait Hardware: Sized + Debug {
    /// The format of its nested tables.
    type Nested: Format;
    /// The name that the report prints.
    const NAME: &'static str;
    /// What CPUID tells a guest of how to call the hypervisor.
    const CALL: u32;

    /// The largest leaf that its nested tables may have.
    fn largest_leaf() -> Level;

    /// Makes a guest that begins at `entry` in 32-bit protected mode with flat segments: what PVH and
    /// multiboot start a kernel with. CR0 holds PE and what the hardware demands; CR3 and, under shadow
    /// paging, what else stands for the guest's paging is still to be set.
    ///
    /// # Errors
    ///
    /// What the hardware lacks.
    fn new(paging: Paging, entry: u32) -> Result<Self, Lack>;

    /// Reads a register of the guest.
    fn get(&self, field: Field) -> u64;
    /// Writes a register of the guest. The hardware takes it as it is: the caller has checked that the
    /// guest may have this value, and that what is in force is the hypervisor's choice.
    fn set(&mut self, field: Field, value: u64);

    /// The guest's privilege: 0 to 3.
    fn privilege(&self) -> u8;
    /// How the guest's instructions are to be read; `None` in 16-bit code.
    fn mode(&self) -> Option<Mode>;

    /// Runs the guest until it is left. Returns the probe's clock at the first instruction behind
    /// that if `STAMPED`, or 0.
    fn enter<const STAMPED: bool>(&mut self, registers: &mut Registers) -> u64;

    /// Why the guest was left. `registers` hold what they held then.
    fn reason(&self, registers: &Registers) -> Reason;
    /// Bytes of the instruction that left the guest, where the hardware tells.
    fn length(&self) -> Option<u64>;
    /// The guest's processor shuts down: that is the reason for which it was left.
    fn shut_down(&mut self);
    /// The event whose delivery to the guest was interrupted by the exit. Only a fault, a switch of tasks
    /// or the end of the guest can do that.
    fn interrupted(&self) -> Option<Delivery>;

    /// Delivers `event` at the next entry.
    fn inject(&mut self, event: Delivery);
    /// What is delivered at the next entry.
    fn injection(&self) -> Option<Delivery>;
    /// Whether STI, MOV SS or POP SS holds interrupts off for one instruction.
    fn holds_interrupts(&self) -> bool;
    /// The instruction for which interrupts were held off is over.
    fn release_interrupts(&mut self);
    /// The guest reads `class` in CR8 from now on, where that does not leave it.
    fn show_priority(&mut self, _class: u8) {}
    /// Leaves the guest as soon as it can take an interrupt, or no longer.
    fn want_window(&mut self, wanted: bool);

    /// The guest's PAT. Where the hardware has no place of its own for it, that is the machine's.
    fn pat(&self) -> u64 {
        regs::pat()
    }
    /// Writes it; nothing if that [is none](regs::is_pat).
    fn set_pat(&mut self, value: u64) {
        regs::set_pat(value);
    }

    /// Chooses the exceptions that leave the guest.
    fn intercept(&mut self, which: Exceptions);
    /// Puts a root for the guest into CR3, with the PCID bits `low` of its own, and with `tag` for its
    /// translations. Shadow paging only.
    fn load_root(&mut self, root: Hpa, low: u64, tag: Tag);
    /// What the TLB is told of this guest's translations by.
    fn flusher(&self) -> crate::tlb::Flusher;
}
