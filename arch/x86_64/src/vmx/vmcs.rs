//! The VMCS: the structure in which the processor keeps a guest, and the fields in it.
//!
//! Where a field stands is the processor's secret; VMREAD and VMWRITE find it by its encoding (Intel SDM
//! vol. 3, appendix B, "Field Encoding in VMCS"). They act on the VMCS that is current on this CPU. Without
//! one they do nothing, as with a field that the processor does not have.
//!
//! Fields that only say where the guest stands are [`Guest`]'s, which anybody may write: whatever they hold,
//! the guest reaches no more memory, and the host none less. Nobody writes those of [`Information`]. The rest are
//! [`Field`]'s.

use core::arch::asm;

/// Fields that say where the guest stands, and what it is about to be told.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(super) enum Guest {
    EsSelector = 0x0800,
    CsSelector = 0x0802,
    SsSelector = 0x0804,
    DsSelector = 0x0806,
    FsSelector = 0x0808,
    GsSelector = 0x080a,
    LdtrSelector = 0x080c,
    TrSelector = 0x080e,
    DebugControl = 0x2802,
    EntryInterruption = 0x4016,
    EntryErrorCode = 0x4018,
    EntryInstructionLength = 0x401a,
    EsLimit = 0x4800,
    CsLimit = 0x4802,
    SsLimit = 0x4804,
    DsLimit = 0x4806,
    FsLimit = 0x4808,
    GsLimit = 0x480a,
    LdtrLimit = 0x480c,
    TrLimit = 0x480e,
    GdtrLimit = 0x4810,
    IdtrLimit = 0x4812,
    EsRights = 0x4814,
    CsRights = 0x4816,
    SsRights = 0x4818,
    DsRights = 0x481a,
    FsRights = 0x481c,
    GsRights = 0x481e,
    LdtrRights = 0x4820,
    TrRights = 0x4822,
    Interruptibility = 0x4824,
    Activity = 0x4826,
    SysenterCs = 0x482a,
    Cr0View = 0x6004,
    Cr4View = 0x6006,
    EsBase = 0x6806,
    CsBase = 0x6808,
    SsBase = 0x680a,
    DsBase = 0x680c,
    FsBase = 0x680e,
    GsBase = 0x6810,
    LdtrBase = 0x6812,
    TrBase = 0x6814,
    GdtrBase = 0x6816,
    IdtrBase = 0x6818,
    Dr7 = 0x681a,
    Rsp = 0x681c,
    Rip = 0x681e,
    Rflags = 0x6820,
    PendingDebug = 0x6822,
    SysenterEsp = 0x6824,
    SysenterEip = 0x6826,
}

/// Fields by which a guest is kept where it belongs, and the host where it was.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(super) enum Field {
    Vpid = 0x0000,
    HostEsSelector = 0x0c00,
    HostCsSelector = 0x0c02,
    HostSsSelector = 0x0c04,
    HostDsSelector = 0x0c06,
    HostFsSelector = 0x0c08,
    HostGsSelector = 0x0c0a,
    HostTrSelector = 0x0c0c,
    MsrBitmap = 0x2004,
    EptPointer = 0x201a,
    LinkPointer = 0x2800,
    GuestEfer = 0x2806,
    HostEfer = 0x2c02,
    PinControls = 0x4000,
    PrimaryControls = 0x4002,
    ExceptionBitmap = 0x4004,
    PageFaultMask = 0x4006,
    PageFaultMatch = 0x4008,
    Cr3TargetCount = 0x400a,
    ExitControls = 0x400c,
    ExitMsrStoreCount = 0x400e,
    ExitMsrLoadCount = 0x4010,
    EntryControls = 0x4012,
    EntryMsrLoadCount = 0x4014,
    SecondaryControls = 0x401e,
    HostSysenterCs = 0x4c00,
    Cr0Mask = 0x6000,
    Cr4Mask = 0x6002,
    GuestCr0 = 0x6800,
    GuestCr3 = 0x6802,
    GuestCr4 = 0x6804,
    HostCr0 = 0x6c00,
    HostCr3 = 0x6c02,
    HostCr4 = 0x6c04,
    HostFsBase = 0x6c06,
    HostGsBase = 0x6c08,
    HostTrBase = 0x6c0a,
    HostGdtrBase = 0x6c0c,
    HostIdtrBase = 0x6c0e,
    HostSysenterEsp = 0x6c10,
    HostSysenterEip = 0x6c12,
    HostRsp = 0x6c14,
    HostRip = 0x6c16,
}

/// VM-exit information fields, in which the processor tells of an exit. Only the next one changes them.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(super) enum Information {
    GuestPhysicalAddress = 0x2400,
    InstructionError = 0x4400,
    Reason = 0x4402,
    Interruption = 0x4404,
    ErrorCode = 0x4406,
    Vectoring = 0x4408,
    VectoringErrorCode = 0x440a,
    InstructionLength = 0x440c,
    Qualification = 0x6400,
}

impl Guest {
    /// Reads the field.
    #[inline(always)]
    pub(super) fn read(self) -> u64 {
        vmread(self as u32)
    }

    /// Writes the field.
    #[inline(always)]
    pub(super) fn write(self, value: u64) {
        // SAFETY: these fields let the guest reach no memory that it could not reach before, and the host
        // finds its own state in others.
        unsafe { vmwrite(self as u32, value) };
    }
}

impl Field {
    /// Reads the field.
    #[inline(always)]
    pub(super) fn read(self) -> u64 {
        vmread(self as u32)
    }

    /// Writes the field.
    ///
    /// # Safety
    ///
    /// With this value the guest reaches no memory but its own, exits leave the host as it was, and
    /// tables that the field refers to stay for as long as it does so.
    #[inline(always)]
    pub(super) unsafe fn write(self, value: u64) {
        // SAFETY: the caller's promise.
        unsafe { vmwrite(self as u32, value) };
    }
}

impl Information {
    /// Reads the field. It is read where the value is used, and not if it is not.
    #[inline(always)]
    pub(super) fn read(self) -> u64 {
        let value;
        // SAFETY: as in `vmread`. Between two exits the field holds the same, and the way into the guest
        // may change all memory as far as the compiler knows.
        unsafe {
            asm!("vmread {}, {}", out(reg) value, in(reg) u64::from(self as u32),
                options(pure, readonly, nostack));
        }
        value
    }
}

/// VMREAD.
#[inline(always)]
fn vmread(encoding: u32) -> u64 {
    let value;
    // SAFETY: by `Vmx` this CPU is in VMX operation; reading a field changes nothing but flags.
    unsafe {
        asm!("vmread {}, {}", out(reg) value, in(reg) u64::from(encoding), options(nomem, nostack));
    }
    value
}

/// VMWRITE.
///
/// # Safety
///
/// As [`Field::write`].
#[inline(always)]
unsafe fn vmwrite(encoding: u32, value: u64) {
    // SAFETY: by `Vmx` this CPU is in VMX operation; by the caller the field may hold this value.
    unsafe {
        asm!("vmwrite {}, {}", in(reg) u64::from(encoding), in(reg) value, options(nomem, nostack));
    }
}
