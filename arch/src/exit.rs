//! Why a guest was left, in words that both architectures share.

use paging::fault::Fault;

/// Why a guest was left, as far as portable code decides about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It called the hypervisor: HVC, VMCALL.
    Hypercall,
    /// It called firmware by the instruction that is not for guests: SMC.
    Firmware,
    /// Our tables did not allow a memory access.
    Memory(MemoryExit),
    /// It touched a system register that is not its own. The processor's side knows which.
    Register,
    /// An interrupt of the machine itself is pending.
    Interrupt,
    /// It waits.
    Idle,
    /// The one instruction that the hypervisor let it run is over.
    Step,
    /// The memory system signalled an error that belongs to no instruction.
    Error,
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

/// A load or store of one general-purpose register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Whether it is a store.
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
        }
    }
}

impl From<paging::pool::OutOfFrames> for Stop {
    fn from(_: paging::pool::OutOfFrames) -> Self {
        Self::OutOfFrames
    }
}
