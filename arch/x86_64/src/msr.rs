//! Model-specific registers: what a guest may do with which.
//!
//! Every register is in one of three places. Those of [`PASSED`] are the guest's own in the processor,
//! where a value that they cannot hold faults by itself. A few are answered here. All others the guest's
//! processor does not have: general protection, as CPUID lets a guest expect.

use hv_abi::pc;

/// The registers that a guest reads and writes without the hypervisor, which uses none of them.
pub const PASSED: &[u32] = &[
    0x174,       // IA32_SYSENTER_CS
    0x175,       // IA32_SYSENTER_ESP
    0x176,       // IA32_SYSENTER_EIP
    0xc000_0081, // IA32_STAR
    0xc000_0082, // IA32_LSTAR
    0xc000_0083, // IA32_CSTAR
    0xc000_0084, // IA32_FMASK
    0xc000_0100, // IA32_FS_BASE
    0xc000_0101, // IA32_GS_BASE
    0xc000_0102, // IA32_KERNEL_GS_BASE
    0xc000_0103, // IA32_TSC_AUX
];

/// The register that a guest reads without the hypervisor: IA32_TIME_STAMP_COUNTER.
pub const READ: &[u32] = &[0x10];

/// EFER, of which the paging mode decides.
pub const EFER: u32 = 0xc000_0080;

/// IA32_APIC_BASE.
const APIC_BASE: u32 = 0x1b;
/// IA32_BIOS_SIGN_ID: the microcode's revision.
const MICROCODE: u32 = 0x8b;
/// IA32_MISC_ENABLE.
const MISC_ENABLE: u32 = 0x1a0;
/// IA32_DEBUGCTL.
const DEBUG_CONTROL: u32 = 0x1d9;
/// IA32_PAT, which the hardware knows a place for.
pub const PAT: u32 = 0x277;
/// AMD's HWCR.
const HARDWARE_CONFIGURATION: u32 = 0xc001_0015;

/// IA32_APIC_BASE: this is the processor that started first, and its local APIC is on.
const APIC_ON: u64 = 1 << 8 | 1 << 11;
/// IA32_MISC_ENABLE: fast strings.
const FAST_STRINGS: u64 = 1;

/// What the guest reads from `register`; `None`: it has none.
#[must_use]
pub fn read(register: u32) -> Option<u64> {
    match register {
        APIC_BASE => Some(pc::LOCAL_APIC | APIC_ON),
        MISC_ENABLE => Some(FAST_STRINGS),
        MICROCODE | DEBUG_CONTROL | HARDWARE_CONFIGURATION => Some(0),
        _ => None,
    }
}

/// The guest writes `value` to `register`. Returns whether it may.
#[must_use]
pub fn write(register: u32, value: u64) -> bool {
    match register {
        APIC_BASE => read(APIC_BASE) == Some(value),
        DEBUG_CONTROL => value == 0,
        MICROCODE | MISC_ENABLE | HARDWARE_CONFIGURATION => true,
        _ => false,
    }
}
