//! Hypercalls: function ids, arguments and results.
//!
//! On Arm a hypercall is `HVC #0` in the SMC Calling Convention (Arm DEN0028, "SMC and HVC calls"):
//! the function id in `x0`, arguments from `x1` on, the result in `x0`. On x86-64 the same numbers
//! go in `rax`, `rdi`, `rsi`, `rdx`. Ids are fast 64-bit calls of the range "Vendor Specific
//! Hypervisor Service Calls".

/// Ends the guest. `x1`: its exit status, of which the low 8 bits count. Does not return.
pub const EXIT: u64 = 0xc600_0001;

/// Begins a phase of the workload. `x1`, `x2`: its name, 16 bytes of ASCII padded with zeros, the
/// first byte lowest in `x1`. A phase that is open ends. Returns [`SUCCESS`].
pub const PHASE_BEGIN: u64 = 0xc600_0002;

/// Ends the open phase. `x1`: how many operations the phase made, for "exits per operation".
/// Returns [`SUCCESS`].
pub const PHASE_END: u64 = 0xc600_0003;

/// "Call UID query" of the vendor-specific hypervisor service: `x0`..`x3` receive [`UID`]. A guest
/// that receives it runs on Umbra.
pub const VENDOR_UID: u64 = 0x8600_ff01;

/// The answer to [`VENDOR_UID`], a random UUID (d8f5a8f4-53b0-4f2c-9c15-756d62726131) in four
/// little-endian words.
pub const UID: [u32; 4] = [0xf4a8_f5d8, 0x2c4f_b053, 0x6d75_159c, 0x3161_7262];

/// The call did what it names.
pub const SUCCESS: u64 = 0;

/// The function id is unknown (Arm DEN0028, "Unknown Function Identifier").
pub const NOT_SUPPORTED: u64 = -1_i64 as u64;

/// Bytes of a phase's name.
pub const PHASE_NAME: usize = 16;
