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

/// What the hypervisor offers beyond these calls: a set of `FEATURE_*` bits. Bit 63 is none of them, so that
/// [`NOT_SUPPORTED`] is no set.
pub const FEATURES: u64 = 0xc600_0004;

/// The guest may call [`UPDATE`].
pub const FEATURE_UPDATE: u64 = 1 << 0;

/// Stores to many entries of the guest's tables, in order, each as one store of 8 bytes would. `x1`: the
/// guest-physical address of a list, a multiple of [`UPDATE_BYTES`]; `x2`: how many stores it has, 1 to
/// [`UPDATES`]. The list is in RAM and within one page. A store is two little-endian words of 8 bytes: the
/// guest-physical address of an entry, a multiple of 8, in RAM; and its new value. Each is read when its turn has
/// come.
///
/// Returns [`SUCCESS`], [`BAD_COUNT`], [`BAD_LIST`], or [`BAD_ENTRY`] if it came to a store that it refused; and
/// in `x1` how many stores it made.
///
/// [`NOT_SUPPORTED`] without [`FEATURE_UPDATE`]: under nested paging, or where the build left it out.
pub const UPDATE: u64 = 0xc600_0005;

/// The most stores of one [`UPDATE`].
pub const UPDATES: u64 = 256;

/// Bytes of one store of [`UPDATE`].
pub const UPDATE_BYTES: u64 = 16;

/// The count of [`UPDATE`] is 0 or more than [`UPDATES`].
pub const BAD_COUNT: u64 = -2_i64 as u64;

/// The list of [`UPDATE`] is misaligned, not in RAM, or goes on beyond its page.
pub const BAD_LIST: u64 = -3_i64 as u64;

/// A store of [`UPDATE`] is misaligned or not to RAM. Those before it were made.
pub const BAD_ENTRY: u64 = -4_i64 as u64;

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
