//! Why a guest was left, in the words of portable code.
//!
//! Where the hardware does not tell how long an instruction is, it is read and decoded here, once, so that
//! whoever carries it out only has to move on.

use arch::exit::{Exit, MemoryExit, Transfer};
use paging::addr::Gva;
use paging::attrs::{Access, Kind};
use paging::fault::Fault;
use paging::mem::{Env, World};
use probe::Event;
use x86_64::registers::control::Cr4Flags;
use x86_64::registers::rflags::RFlags;
use x86_decode::{Mode, Operand, Operation, Register};

use crate::fetch::{GuestTables, Opcode};
use crate::hardware::{ControlAccess, Field, Hardware, Reason};
use crate::vcpu::{Context, FaultCode, PageFault, USER};

impl<H: Hardware> Context<H> {
    /// Why the guest was left, whose tables are `tables`.
    #[inline(always)]
    pub(crate) fn exit<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
    ) -> Exit {
        match self.hardware.reason(self.registers()) {
            Reason::Cpuid => {
                self.reason = Reason::Cpuid;
                self.known(world, tables, Opcode::CPUID, Exit::Register(Event::ExitCpuid))
            }
            Reason::Hypercall => self.known(world, tables, Opcode::VMMCALL, Exit::Hypercall),
            Reason::PageFault { at, error } => {
                self.resume_delivery();
                Exit::Memory(self.fault_of_pages(at, error))
            }
            Reason::Nested { at, fetch, walk: false } => {
                self.resume_delivery();
                Exit::Memory(MemoryExit {
                    fault: Fault::Device { at },
                    fetch,
                    transfer: None,
                    maintenance: false,
                })
            }
            Reason::Control(None) => {
                if self.knows_control(world, tables) {
                    Exit::Register(Event::ExitControlRegister)
                } else {
                    Exit::Unknown
                }
            }
            Reason::Interrupt => Exit::Interrupt,
            Reason::Port(port) => {
                self.set_length(self.hardware.length().unwrap_or_default());
                self.set_instruction(None);
                Exit::Port(port)
            }
            other => self.rare(&mut world.lend(), tables, other),
        }
    }

    /// The same for reasons that are not worth a place in the run loop.
    #[inline(never)]
    fn rare<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
        reason: Reason,
    ) -> Exit {
        let msr = Exit::Register(Event::ExitModelRegister);
        self.resume_delivery();
        self.reason = reason;
        self.set_length(self.hardware.length().unwrap_or_default());
        match reason {
            Reason::Control(Some(_)) => Exit::Register(Event::ExitControlRegister),
            Reason::ReadMsr => self.known(world, tables, Opcode::RDMSR, msr),
            Reason::WriteMsr => self.known(world, tables, Opcode::WRMSR, msr),
            Reason::Halt => self.known(world, tables, Opcode::HLT, Exit::Idle),
            Reason::Xsetbv => {
                let exit = Exit::Register(Event::ExitControlRegister);
                self.known(world, tables, Opcode::XSETBV, exit)
            }
            Reason::Ignored if !self.is_measured(&mut world.lend(), tables) => Exit::Unknown,
            Reason::Window => {
                self.hardware.want_window(false);
                Exit::Window
            }
            Reason::Debug(_) if self.is_stepping() => Exit::Step,
            Reason::Nested { .. } => self.walk_outside(world, tables),
            Reason::Shutdown => Exit::Shutdown,
            Reason::Unknown(_) => Exit::Unknown,
            _ => Exit::Register(Event::ExitOther),
        }
    }

    /// `exit`, if it can be told how long the instruction is that caused it: `opcode`, perhaps behind
    /// prefixes.
    #[inline(always)]
    fn known<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
        opcode: Opcode,
        exit: Exit,
    ) -> Exit {
        let told = self.hardware.length();
        if let Some(length) = told.or_else(|| self.length_of(world, tables, opcode)) {
            self.set_length(length);
            return exit;
        }
        if self.is_measured(&mut world.lend(), tables) { exit } else { Exit::Unknown }
    }

    /// Whether it can be told how long the instruction is that caused the exit, whatever it is.
    #[inline(never)]
    fn is_measured<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
    ) -> bool {
        let length = self
            .hardware
            .length()
            .or_else(|| self.instruction_at_hand(world, tables).map(|found| found.length.into()));
        self.set_length(length.unwrap_or_default());
        length.is_some()
    }

    /// Finds out which control register the instruction at hand accesses. Whether it can be told.
    #[inline(always)]
    fn knows_control<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
    ) -> bool {
        if let Some((access, length)) = self.control_move(world, tables) {
            self.set_length(length.into());
            self.reason = Reason::Control(Some(access));
            return true;
        }
        self.finds_control(&mut world.lend(), tables)
    }

    /// The same for instructions that have to be decoded.
    #[inline(never)]
    fn finds_control<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
    ) -> bool {
        let Some(instruction) = self.instruction_at_hand(world, tables) else {
            return false;
        };
        self.set_length(instruction.length.into());
        let value = |register: Register| register.value(self.register(register.number));
        let access = match (instruction.operation, instruction.destination(), instruction.source())
        {
            (Operation::MovControl, Operand::Control(control), Operand::Register(from)) => {
                ControlAccess::Write { control, value: value(from) }
            }
            (Operation::MovControl, Operand::Register(to), Operand::Control(control)) => {
                ControlAccess::Read { control, register: to.number }
            }
            (Operation::Smsw, Operand::Register(to), _) => ControlAccess::StoreStatus(to),
            (Operation::Clts, ..) => ControlAccess::ClearTaskSwitched,
            (Operation::Lmsw, _, Operand::Register(from)) => {
                ControlAccess::LoadStatus(value(from) as u16)
            }
            _ => return false,
        };
        self.reason = Reason::Control(Some(access));
        true
    }

    /// The access and the length of a MOV between a control register and another, `0F 20 /r` and `0F 22 /r`
    /// with no prefix but REX: outside 64-bit code, no MOV begins like one. QEMU leaves a guest for each look at CR2 too, so
    /// this is part of what a page fault costs there.
    #[inline(always)]
    fn control_move<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
    ) -> Option<(ControlAccess, u8)> {
        /// Its length without a REX prefix.
        const LENGTH: u8 = 3;
        const ESCAPE: u8 = 0x0f;
        const FROM_CONTROL: u8 = 0x20;
        const TO_CONTROL: u8 = 0x22;
        let (bytes, count) = self.first_bytes(world, tables)?;
        // REX, 0100WRXB: R and B are upper bits of the two numbers.
        let prefix = bytes as u8;
        let (bytes, rex, length) = match prefix >> 4 {
            0b0100 => (bytes >> u8::BITS, prefix, LENGTH + 1),
            _ => (bytes, 0, LENGTH),
        };
        let [escape, opcode, modrm, ..] = bytes.to_le_bytes();
        if count < u32::from(length) || escape != ESCAPE {
            return None;
        }
        // ModRM: the upper two bits mean nothing here.
        let (control, register) = (rex << 1 & 8 | modrm >> 3 & 7, rex << 3 & 8 | modrm & 7);
        match opcode {
            FROM_CONTROL => Some((ControlAccess::Read { control, register }, length)),
            TO_CONTROL => {
                let whole = self.register(register);
                let narrow = self.hardware.mode() != Some(Mode::Bits64);
                let value = if narrow { u64::from(whole as u32) } else { whole };
                Some((ControlAccess::Write { control, value }, length))
            }
            _ => None,
        }
    }

    /// A page fault as the engine wants it.
    #[inline]
    fn fault_of_pages(&mut self, at: u64, error: u32) -> MemoryExit {
        let code = FaultCode::from_bits_retain(error);
        self.fault = PageFault { at, code };
        let fetch = code.contains(FaultCode::FETCH);
        let kind = match (fetch, code.contains(FaultCode::WRITE)) {
            (true, _) => Kind::Execute,
            (false, true) => Kind::Write,
            (false, false) => Kind::Read,
        };
        let user = code.contains(FaultCode::USER);
        let access = Access { kind, user, guarded: !user && self.is_guarded() };
        // QEMU 10 leaves P clear where a reserved bit is set, which only a present entry can have.
        let present = code.intersects(FaultCode::PRESENT | FaultCode::RESERVED);
        let fault = Fault::Page { at: Gva::from_bits(at), access, present };
        MemoryExit { fault, fetch, transfer: None, maintenance: false }
    }

    /// Whether SMAP keeps a privileged access from what user mode can reach. Accesses that an
    /// instruction of user mode makes without saying so are not excused by AC.
    fn is_guarded(&self) -> bool {
        let cr4 = Cr4Flags::from_bits_retain(self.hardware.get(Field::Cr4));
        cr4.contains(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION)
            && (self.hardware.privilege() == USER
                || !self.flags().contains(RFlags::ALIGNMENT_CHECK))
    }

    /// What the instruction at hand, which reaches a device, moves.
    pub(crate) fn transfer_at_hand<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
    ) -> Option<Transfer> {
        if self.hardware.interrupted().is_some() {
            // It is no instruction that accesses it.
            return None;
        }
        let instruction = self.instruction_at_hand(world, tables)?;
        let (read, write) = (instruction.reads(), instruction.writes());
        let size = instruction.size.bytes();
        let string = matches!(
            instruction.operation,
            Operation::Stos | Operation::Movs | Operation::Ins | Operation::Outs
        );
        if string || size > size_of::<u64>() as u64 || !(read || write) {
            return None;
        }
        self.set_length(instruction.length.into());
        self.set_instruction(Some(instruction));
        let width = size.trailing_zeros();
        Some(Transfer { read, write, width, register: 0, sign_extend: false, wide: false })
    }
}
