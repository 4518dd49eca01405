//! Why a guest was left, in words that both architectures share.

use paging::fault::Fault;
use probe::Event;

/// Why a guest was left, as far as portable code decides about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It called the hypervisor: HVC, VMCALL.
    Hypercall,
    /// It called firmware by the instruction that is not for guests: SMC.
    Firmware,
    /// Our tables did not allow a memory access.
    Memory(MemoryExit),
    /// It touched a system register that is not its own, or asked the processor about itself. The
    /// processor's side knows which; the event is what it counts as.
    Register(Event),
    /// It accessed an I/O port.
    Port(Port),
    /// An interrupt of the machine itself is pending.
    Interrupt,
    /// It waits.
    Idle,
    /// The one instruction that the hypervisor let it run is over.
    Step,
    /// It can take an interrupt from now on, of which the hypervisor wanted to know.
    Window,
    /// The memory system signalled an error that belongs to no instruction.
    Error,
    /// Its processor shut down: a fault in the handling of a double fault.
    Shutdown,
    /// It did what it may not, or what nobody foresaw. The processor's side knows what.
    Unknown,
}

/// A memory access that our tables did not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryExit {
    /// What the tables lacked.
    pub fault: Fault,
    /// Whether an instruction was being fetched.
    pub fetch: bool,
    /// What was to be moved, where the hardware says so.
    pub transfer: Option<Transfer>,
    /// Whether it was no access but cache maintenance of one address.
    pub maintenance: bool,
}

/// An access to an I/O port, of the register that a [`Transfer`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Which port.
    pub number: u16,
    /// What is moved; `None` for an instruction that moves a string.
    pub transfer: Option<Transfer>,
}

/// What an instruction moves between a register and memory. One that reads and writes does so in
/// this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Whether it loads.
    pub read: bool,
    /// Whether it stores.
    pub write: bool,
    /// Bytes, log2: 0 to 3.
    pub width: u32,
    /// The register's number.
    pub register: u8,
    /// Whether a loaded value is sign-extended.
    pub sign_extend: bool,
    /// Whether it is extended to 64 bits rather than 32.
    pub wide: bool,
}

/// Why a guest has to be stopped: it did what the hypervisor cannot do. CAVEATS.md lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its tables have a granule that shadow paging does not know.
    Granule,
    /// One instruction wrote to more tables than can be open at once.
    TooManyTables,
    /// It accessed a device by an instruction that the hardware does not describe.
    UndescribedAccess,
    /// An exit that nobody foresaw.
    UnknownExit,
    /// There are too few frames for its page tables.
    OutOfFrames,
    /// An error of the memory system was signalled while it ran.
    SystemError,
    /// Its processor shut down.
    TripleFault,
    /// It turned on a kind of paging that shadow paging does not know.
    PagingMode,
    /// It entered a mode of the processor that the hypervisor cannot run.
    ProcessorMode,
    /// It moves strings through an I/O port.
    StringPort,
    /// An exception or interrupt was to push its frame into one of its tables.
    EventToTable,
}

impl Stop {
    /// The name that the report prints.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Granule => "translation_granule_not_4k",
            Self::TooManyTables => "too_many_tables_in_one_store",
            Self::UndescribedAccess => "undescribed_device_access",
            Self::UnknownExit => "unknown_exit",
            Self::OutOfFrames => "out_of_table_frames",
            Self::SystemError => "system_error",
            Self::TripleFault => "triple_fault",
            Self::PagingMode => "paging_mode_not_4_level",
            Self::ProcessorMode => "processor_mode",
            Self::StringPort => "string_port_access",
            Self::EventToTable => "event_frame_in_table",
        }
    }
}

impl From<paging::pool::OutOfFrames> for Stop {
    fn from(_: paging::pool::OutOfFrames) -> Self {
        Self::OutOfFrames
    }
}
