//! A PC's guest: how it finds Umbra by CPUID, and which ports end it.

/// CPUID leaf 1, ECX: there is a hypervisor.
pub const HYPERVISOR_BIT: u32 = 1 << 31;

/// The leaf with the hypervisor's name in EBX, ECX and EDX, and in EAX the last leaf of its own.
pub const LEAF_NAME: u32 = 0x4000_0000;

/// The name, `UmbraUmbraUm`.
pub const NAME: [u32; 3] =
    [u32::from_le_bytes(*b"Umbr"), u32::from_le_bytes(*b"aUmb"), u32::from_le_bytes(*b"raUm")];

/// The leaf that says in EAX how hypercalls are made: [`CALL_VMCALL`] or [`CALL_VMMCALL`]. It is the
/// last one.
pub const LEAF_CALL: u32 = 0x4000_0001;

/// Hypercalls are made by VMCALL.
pub const CALL_VMCALL: u32 = 1;

/// Hypercalls are made by VMMCALL.
pub const CALL_VMMCALL: u32 = 2;

/// The port of QEMU's `isa-debug-exit`, which a guest's machine has as well: a write of V ends the
/// guest with the status `V << 1 | 1`.
pub const DEBUG_EXIT: u16 = 0xf4;

/// The first port of the serial line, COM1.
pub const SERIAL: u16 = 0x3f8;

/// Where the local APIC's registers are, guest-physical.
pub const LOCAL_APIC: u64 = 0xfee0_0000;

/// Bytes of the local APIC's registers.
pub const LOCAL_APIC_SIZE: u64 = 0x1000;
