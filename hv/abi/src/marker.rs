//! Markers: instructions without effect that an instrumented emulator recognises.
//!
//! A hypercall tells the hypervisor where a phase of the workload begins and ends. A marker tells it to whoever
//! looks at the instructions from outside, in every mode and on the bare machine alike. It stands within the calls:
//! after [`PHASE_BEGIN`](crate::call::PHASE_BEGIN), before [`PHASE_END`](crate::call::PHASE_END).
//!
//! The name is in two registers: `x0`, `x1` on Arm, `rdi`, `rsi` on x86-64. It is that of `PHASE_BEGIN`: 16 bytes
//! of ASCII padded with zeros, the first byte lowest. A name of zeros ends the phase.

/// The marker on Arm: `HINT #127`, which no processor gives a meaning.
pub const AARCH64: u32 = 0xd503_2fff;

/// The marker on x86-64: `nop dword ptr [rax + 0x41524d55]`, a displacement that no compiler pads with.
pub const X86_64: [u8; 7] = [0x0f, 0x1f, 0x80, 0x55, 0x4d, 0x52, 0x41];
