//! A virtual CPU: what the run loop asks of it, on whatever virtualization hardware.
//!
//! While the hypervisor handles an exit, the general-purpose registers are here and the rest of the guest
//! is in the hardware's own structure or still in the processor: the FPU and SSE, the debug registers, the
//! MSRs that a guest may use freely. The hypervisor is compiled without floating point and uses none of
//! them.
//!
//! An exit may interrupt the delivery of an event: its stack or its gate were not mapped yet. The event
//! is delivered again at the next entry, unless the exit turns out to be a fault of the guest's; then both
//! become what the architecture makes of them (Intel SDM vol. 3, "Interrupt 8—Double Fault Exception").

use core::fmt;

use arch::Vcpu;
use arch::apic::Injection;
use arch::exit::{MemoryExit, Transfer};
use paging::fault::GuestFault;
use probe::Probe;
use x86_64::registers::rflags::RFlags;
use x86_decode::{Instruction, Mode, Outcome, Segment, number};

use crate::control::debug_status;
use crate::fetch::{Lately, Way};
use crate::hardware::{Delivery, Field, Hardware, Reason, Registers};

/// The privilege of user mode.
pub const USER: u8 = 3;

/// The vectors of exceptions that the hypervisor gives to guests.
mod vector {
    /// Debug.
    pub(super) const DEBUG: u8 = 1;
    /// An invalid opcode.
    pub(super) const UNDEFINED: u8 = 6;
    /// A double fault.
    pub(super) const DOUBLE_FAULT: u8 = 8;
    /// General protection.
    pub(super) const PROTECTION: u8 = 13;
    /// A page fault.
    pub(super) const PAGE_FAULT: u8 = 14;

    /// Whether two faults of which the first is this are a double fault: division, the segments, general
    /// protection.
    pub(super) const fn is_contributory(vector: u8) -> bool {
        matches!(vector, 0 | 10..=PROTECTION)
    }
}

bitflags::bitflags! {
    /// A page fault's error code: Intel SDM vol. 3, "Page-Fault Exceptions" (4.7).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct FaultCode: u32 {
        /// P: every entry on the way was present.
        const PRESENT = 1 << 0;
        /// W/R: it was a write.
        const WRITE = 1 << 1;
        /// U/S: it came from user mode.
        const USER = 1 << 2;
        /// RSVD: an entry had a reserved bit.
        const RESERVED = 1 << 3;
        /// I/D: it was a fetch.
        const FETCH = 1 << 4;
    }
}

/// A page fault at hand.
#[derive(Clone, Copy, Debug)]
pub struct PageFault {
    /// The linear address.
    pub at: u64,
    /// What the processor said of it.
    pub code: FaultCode,
}

/// What comes before the next entry.
#[derive(Clone, Copy, Debug)]
enum Pending {
    Nothing,
    /// An interrupt that a fault of the guest kept from being delivered.
    Interrupt(Delivery),
    /// A fault met a double fault.
    Shutdown,
}

/// A virtual CPU on the hardware `H`.
#[derive(Debug)]
pub struct Context<H> {
    registers: Registers,
    /// The rest of the guest's registers, and the means to run it.
    pub hardware: H,
    /// Why the guest was left last.
    pub(crate) reason: Reason,
    /// The page fault that left the guest last.
    pub(crate) fault: PageFault,
    /// Whether the guest's page faults tell fetches: with EFER.NXE or CR4.SMEP they do.
    pub(crate) tells_fetches: bool,
    /// The way to its code.
    pub(crate) way: Way,
    /// The instructions of it that were decoded lately.
    pub(crate) lately: Lately,
    /// The instruction whose access to a device is at hand; `None` for one of a port.
    instruction: Option<Instruction>,
    /// What an instruction that has read leaves in memory.
    result: u64,
    /// Bytes of the instruction at hand, where it has been decoded.
    length: u64,
    /// What comes before the next entry.
    pending: Pending,
    /// The guest makes one step on behalf of the hypervisor.
    stepping: bool,
    /// DR6 as it was before that.
    status: u64,
}

impl<H: Hardware> Context<H> {
    /// A vCPU that `hardware` is about to run. EBX and EAX hold the halves of `argument`.
    #[must_use]
    pub const fn new(hardware: H, argument: u64) -> Self {
        let mut registers = [0; 16];
        registers[number::RBX as usize] = argument as u32 as u64;
        registers[number::RAX as usize] = argument >> u32::BITS;
        Self {
            registers,
            hardware,
            reason: Reason::Interrupt,
            fault: PageFault { at: 0, code: FaultCode::empty() },
            tells_fetches: false,
            way: Way::NONE,
            lately: Lately::NONE,
            instruction: None,
            result: 0,
            length: 0,
            pending: Pending::Nothing,
            stepping: false,
            status: 0,
        }
    }

    /// All general-purpose registers; RSP as it was when an instruction was last read.
    #[must_use]
    pub const fn registers(&self) -> &Registers {
        &self.registers
    }

    /// Brings RSP, which the hardware keeps, into [`registers`](Self::registers).
    #[inline]
    pub(crate) fn gather(&mut self) {
        self.registers[usize::from(number::RSP)] = self.hardware.get(Field::Rsp);
    }

    /// General-purpose register `number`, 0 to 15.
    #[inline]
    #[must_use]
    pub fn register(&self, number: u8) -> u64 {
        if number == number::RSP {
            return self.hardware.get(Field::Rsp);
        }
        self.registers[usize::from(number & 15)]
    }

    /// Sets general-purpose register `number`, 0 to 15.
    #[inline]
    pub fn set_register(&mut self, number: u8, value: u64) {
        if number == number::RSP {
            self.hardware.set(Field::Rsp, value);
        }
        self.registers[usize::from(number & 15)] = value;
    }

    /// The low halves of RDX and RAX as one number.
    #[must_use]
    pub fn pair(&self) -> u64 {
        let [high, low] = [number::RDX, number::RAX].map(|number| self.register(number) as u32);
        u64::from(high) << u32::BITS | u64::from(low)
    }

    /// Sets the halves of RDX:RAX, as RDMSR does.
    pub fn set_pair(&mut self, value: u64) {
        self.set_register(number::RAX, u64::from(value as u32));
        self.set_register(number::RDX, value >> u32::BITS);
    }

    /// The base of a segment.
    #[must_use]
    pub fn base(&self, segment: Segment) -> u64 {
        self.hardware.get(match segment {
            Segment::Es => Field::EsBase,
            Segment::Cs => Field::CsBase,
            Segment::Ss => Field::SsBase,
            Segment::Ds => Field::DsBase,
            Segment::Fs => Field::FsBase,
            Segment::Gs => Field::GsBase,
        })
    }

    /// RFLAGS.
    #[must_use]
    pub fn flags(&self) -> RFlags {
        RFlags::from_bits_retain(self.hardware.get(Field::Rflags))
    }

    /// The instruction at hand has `length` bytes.
    pub const fn set_length(&mut self, length: u64) {
        self.length = length;
    }

    /// The instruction at hand moves data by this one from now on, or by a port.
    pub const fn set_instruction(&mut self, instruction: Option<Instruction>) {
        self.instruction = instruction;
    }

    /// Puts what `instruction` left behind into registers and flags.
    #[inline]
    pub fn apply(&mut self, outcome: &Outcome) {
        for (number, value) in outcome.registers.into_iter().flatten() {
            self.set_register(number, value);
        }
        self.hardware.set(Field::Rflags, outcome.flags);
    }

    /// Moves on behind the instruction at hand.
    #[inline(always)]
    fn advance(&mut self) {
        let mut rip = self.hardware.get(Field::Rip).wrapping_add(self.length);
        if rip >> u32::BITS != 0 && self.hardware.mode() != Some(Mode::Bits64) {
            rip = u64::from(rip as u32);
        }
        self.hardware.set(Field::Rip, rip);
        self.hardware.release_interrupts();
        let flags = self.flags();
        if flags.intersects(RFlags::TRAP_FLAG | RFlags::RESUME_FLAG) {
            self.hardware.set(Field::Rflags, (flags - RFlags::RESUME_FLAG).bits());
            if flags.contains(RFlags::TRAP_FLAG) && !self.stepping {
                self.trap();
            }
        }
    }

    /// Delivers the event again whose delivery the exit interrupted, if there is one.
    #[inline(always)]
    pub(crate) fn resume_delivery(&mut self) {
        if let Some(event) = self.hardware.interrupted() {
            self.deliver_again(event);
        }
    }

    /// Gives the guest an exception.
    pub fn raise(&mut self, vector: u8, error: Option<u32>) {
        let mut delivery = Delivery::exception(vector, error);
        if let Some(before) = self.hardware.injection() {
            let page_fault = vector == vector::PAGE_FAULT;
            let contributory = vector::is_contributory(vector);
            match before.vector() {
                _ if !before.is_exception() && !before.is_software() => {
                    self.pending = Pending::Interrupt(before);
                }
                vector::DOUBLE_FAULT if contributory || page_fault => {
                    self.pending = Pending::Shutdown;
                    return;
                }
                vector::PAGE_FAULT if contributory || page_fault => {
                    delivery = Delivery::exception(vector::DOUBLE_FAULT, Some(0));
                }
                first if vector::is_contributory(first) && contributory => {
                    delivery = Delivery::exception(vector::DOUBLE_FAULT, Some(0));
                }
                _ => {}
            }
        }
        self.hardware.inject(delivery);
    }

    /// Gives the guest an exception of its own, which was intercepted.
    pub fn deliver(&mut self, event: Delivery) {
        self.raise(event.vector(), event.error());
    }

    /// Gives the guest a general-protection fault.
    pub fn refuse(&mut self) {
        self.raise(vector::PROTECTION, Some(0));
    }

    /// Gives the guest the page fault at hand, with `code` for what its tables say.
    fn page_fault(&mut self, code: FaultCode) {
        let kept = FaultCode::WRITE | FaultCode::USER | FaultCode::FETCH;
        let mut told = self.fault.code & kept | code;
        if !self.tells_fetches {
            told -= FaultCode::FETCH;
        }
        self.hardware.set(Field::Cr2, self.fault.at);
        self.raise(vector::PAGE_FAULT, Some(told.bits()));
    }

    /// Lets the guest make one step, of which [`end_step`](Self::end_step) is told.
    pub fn begin_step(&mut self) {
        self.stepping = true;
        self.status = self.hardware.get(Field::Dr6);
        self.hardware.release_interrupts();
        let flags = self.flags() | RFlags::TRAP_FLAG;
        self.hardware.set(Field::Rflags, flags.bits());
    }

    /// The step is over, and the instruction too if `done`. `traps`: whether the guest itself steps, and
    /// is to hear of this one.
    pub fn end_step(&mut self, traps: bool, done: bool) {
        self.stepping = false;
        let mut flags = self.flags();
        // An instruction that has loaded the flags has loaded this one too.
        flags.set(RFlags::TRAP_FLAG, traps && flags.contains(RFlags::TRAP_FLAG));
        self.hardware.set(Field::Dr6, self.status);
        self.hardware.set(Field::Rflags, flags.bits());
        if traps && done {
            self.trap();
        }
    }

    /// Whether the guest makes a step on behalf of the hypervisor.
    #[must_use]
    pub const fn is_stepping(&self) -> bool {
        self.stepping
    }

    /// Tells the guest, which steps, that an instruction is over.
    fn trap(&mut self) {
        self.debug(debug_status::STEP);
    }

    /// Gives the guest the debug exception at hand, of which DR6 is to say `status`.
    pub fn debug(&mut self, status: u64) {
        self.hardware.set(Field::Dr6, status | debug_status::ALWAYS);
        self.raise(vector::DEBUG, None);
    }
}

impl<H: Hardware> Vcpu for Context<H> {
    #[inline(always)]
    fn enter<P: Probe>(&mut self) -> u64 {
        match self.pending {
            Pending::Nothing => {}
            Pending::Interrupt(event) => self.deliver_deferred(event),
            Pending::Shutdown => {
                self.hardware.shut_down();
                return 0;
            }
        }
        if P::STAMPED {
            self.hardware.enter::<true>(&mut self.registers)
        } else {
            self.hardware.enter::<false>(&mut self.registers)
        }
    }

    #[inline]
    fn argument(&self, number: usize) -> u64 {
        self.registers[usize::from(ARGUMENTS[number & 3])]
    }

    #[inline]
    fn set_result(&mut self, number: usize, value: u64) {
        self.registers[usize::from(ARGUMENTS[number & 3])] = value;
    }

    #[inline(always)]
    fn leave_call(&mut self) {
        self.advance();
    }

    fn is_privileged(&self) -> bool {
        self.hardware.privilege() != USER
    }

    fn stored(&self, transfer: &Transfer) -> u64 {
        match self.instruction {
            None => self.register(transfer.register),
            Some(_) if transfer.read => self.result,
            Some(instruction) => instruction
                .execute(0, self.registers(), self.flags().bits())
                .and_then(|outcome| outcome.memory)
                .unwrap_or_default() as u64,
        }
    }

    fn load(&mut self, transfer: &Transfer, value: u64) {
        let Some(instruction) = self.instruction else {
            // IN of 32 bits clears the upper half; of less, it leaves the rest of RAX.
            let mask = u64::from(u32::MAX) >> (u32::BITS - (8 << transfer.width));
            let before = self.register(transfer.register);
            let kept = if mask == u64::from(u32::MAX) { 0 } else { before & !mask };
            return self.set_register(transfer.register, kept | value & mask);
        };
        let flags = self.flags().bits();
        let done = instruction.execute(value.into(), self.registers(), flags);
        if let Some(outcome) = done {
            self.apply(&outcome);
            self.result = outcome.memory.unwrap_or_default() as u64;
        }
    }

    fn answer(&mut self, number: u8, value: u64) {
        self.set_register(number, value);
    }

    fn skip(&mut self) {
        self.advance();
    }

    fn reflect(&mut self, fault: GuestFault, _exit: &MemoryExit) {
        match fault {
            GuestFault::Translation(_) => self.page_fault(FaultCode::empty()),
            GuestFault::Permission(_) | GuestFault::AccessFlag(_) => {
                self.page_fault(FaultCode::PRESENT);
            }
            GuestFault::Reserved(_) | GuestFault::AddressSize(_) | GuestFault::WalkAbort(_) => {
                self.page_fault(FaultCode::PRESENT | FaultCode::RESERVED);
            }
            // Nobody answers a fetch there, so the bytes are all ones, which is no instruction.
            GuestFault::Abort => self.undefined(),
        }
    }

    fn undefined(&mut self) {
        self.raise(vector::UNDEFINED, None);
    }

    fn describe(&self, to: &mut impl fmt::Write) -> fmt::Result {
        let fields = [
            ("pc", Field::Rip),
            ("sp", Field::Rsp),
            ("rflags", Field::Rflags),
            ("cr0", Field::Cr0),
            ("cr2", Field::Cr2),
            ("cr3", Field::Cr3),
            ("cr4", Field::Cr4),
            ("efer", Field::Efer),
        ];
        let general = core::array::from_fn(|number| self.register(number as u8));
        write_registers(to, &fields.map(|(name, field)| (name, self.hardware.get(field))))?;
        write!(to, " cpl={}", self.hardware.privilege())?;
        write_general(to, &general, self.fault)
    }
}

/// Writes registers by their names.
#[inline(never)]
fn write_registers(to: &mut dyn fmt::Write, registers: &[(&str, u64)]) -> fmt::Result {
    for (place, (name, value)) in registers.iter().enumerate() {
        let space = if place == 0 { "" } else { " " };
        write!(to, "{space}{name}={value:#x}")?;
    }
    Ok(())
}

/// Writes the general-purpose registers and the last page fault.
#[inline(never)]
fn write_general(
    to: &mut dyn fmt::Write,
    registers: &Registers,
    PageFault { at, code }: PageFault,
) -> fmt::Result {
    const NAMES: [&str; 16] = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15",
    ];
    for (name, value) in NAMES.into_iter().zip(registers) {
        write!(to, " {name}={value:#x}")?;
    }
    write!(to, " fault={at:#x} fault_code={:#x}", code.bits())
}

/// The registers that carry a hypercall's id and arguments, and its results.
const ARGUMENTS: [u8; 4] = [number::RAX, number::RDI, number::RSI, number::RDX];

impl<H: Hardware> Context<H> {
    /// Delivers an event whose delivery was interrupted, unless the instruction that raised it is executed
    /// again.
    #[cold]
    #[inline(never)]
    fn deliver_again(&mut self, event: Delivery) {
        if !event.is_software() {
            self.hardware.inject(event);
        }
    }

    /// Delivers an interrupt that was put off, or waits for the time when that can be done.
    #[cold]
    fn deliver_deferred(&mut self, event: Delivery) {
        if self.can_deliver() {
            self.pending = Pending::Nothing;
            self.hardware.inject(event);
        } else {
            self.hardware.want_window(true);
        }
    }

    /// Whether the guest can be given an interrupt at its next entry.
    fn can_deliver(&self) -> bool {
        self.interrupts_enabled()
            && !self.stepping
            && !self.hardware.holds_interrupts()
            && self.hardware.injection().is_none()
    }
}

impl<H: Hardware> Injection for Context<H> {
    fn takes_interrupts(&self) -> bool {
        matches!(self.pending, Pending::Nothing) && self.can_deliver()
    }

    fn show_priority(&mut self, class: u8) {
        self.hardware.show_priority(class);
    }

    fn inject_interrupt(&mut self, vector: u8) {
        self.hardware.inject(Delivery::interrupt(vector));
    }

    fn want_window(&mut self, wanted: bool) {
        self.hardware.want_window(wanted);
    }

    fn interrupts_enabled(&self) -> bool {
        self.flags().contains(RFlags::INTERRUPT_FLAG)
    }

    fn has_event(&self) -> bool {
        let deferred = matches!(self.pending, Pending::Interrupt(_)) && self.interrupts_enabled();
        deferred || self.hardware.injection().is_some()
    }
}
