//! The bits of the VMCS's control fields that are used here.
//!
//! Intel SDM vol. 3, "VM-Execution Control Fields" (25.6), "VM-Exit Control Fields" (25.7), "VM-Entry
//! Control Fields" (25.8).

use bitflags::bitflags;

bitflags! {
    /// Pin-based VM-execution controls.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Pin: u32 {
        const EXTERNAL_INTERRUPT_EXITING = 1 << 0;
        const NMI_EXITING = 1 << 3;
    }

    /// Primary processor-based VM-execution controls.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Primary: u32 {
        const INTERRUPT_WINDOW_EXITING = 1 << 2;
        const HLT_EXITING = 1 << 7;
        const MWAIT_EXITING = 1 << 10;
        const RDPMC_EXITING = 1 << 11;
        const CR3_LOAD_EXITING = 1 << 15;
        const CR3_STORE_EXITING = 1 << 16;
        const CR8_LOAD_EXITING = 1 << 19;
        const CR8_STORE_EXITING = 1 << 20;
        const UNCONDITIONAL_IO_EXITING = 1 << 24;
        const USE_MSR_BITMAPS = 1 << 28;
        const MONITOR_EXITING = 1 << 29;
        const ACTIVATE_SECONDARY_CONTROLS = 1 << 31;
    }

    /// Secondary processor-based VM-execution controls.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Secondary: u32 {
        const ENABLE_EPT = 1 << 1;
        const ENABLE_RDTSCP = 1 << 3;
        const ENABLE_VPID = 1 << 5;
        const UNRESTRICTED_GUEST = 1 << 7;
        const ENABLE_INVPCID = 1 << 12;
    }

    /// Primary VM-exit controls.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Exit: u32 {
        const SAVE_DEBUG_CONTROLS = 1 << 2;
        const HOST_ADDRESS_SPACE_SIZE = 1 << 9;
        const SAVE_EFER = 1 << 20;
        const LOAD_EFER = 1 << 21;
    }

    /// VM-entry controls.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Entry: u32 {
        const LOAD_DEBUG_CONTROLS = 1 << 2;
        const IA_32E_MODE_GUEST = 1 << 9;
        const LOAD_EFER = 1 << 15;
    }

    /// Guest interruptibility state ("Guest Non-Register State", 25.4.2).
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Interruptibility: u64 {
        const BLOCKING_BY_STI = 1 << 0;
        const BLOCKING_BY_MOV_SS = 1 << 1;
    }
}

impl Interruptibility {
    /// Events are held off until the next instruction is over.
    pub(super) const BLOCKING: Self = Self::BLOCKING_BY_STI.union(Self::BLOCKING_BY_MOV_SS);
}
