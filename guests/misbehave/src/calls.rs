//! Calls that mean nothing.

use hv_abi::call;
use rt::hypervisor::hypercall;
use rt::{check, println};

/// Hypercalls of functions that do not exist, with absurd arguments: each is refused.
pub(crate) fn absurd() {
    let ids =
        [0, 1, u64::MAX, 1 << 63, call::EXIT - 1, call::PHASE_END + 1, 0x8400_ffff, 0xdead_beef];
    let arguments = [[0; 3], [u64::MAX; 3], [0x4000_0000, 1 << 48, 7]];
    for id in ids {
        for arguments in arguments {
            // SAFETY: a function that does not exist does nothing.
            let result = unsafe { hypercall(id, arguments) };
            check!(result == call::NOT_SUPPORTED, "call {id:#x} returns {result:#x}");
        }
    }
    println!("@ misbehave refused={}", ids.len() * arguments.len());
}

/// Phases that end before they begin, begin within each other, and have no name or a strange one.
pub(crate) fn phases() {
    let calls = [
        (call::PHASE_END, [u64::MAX, 0, 0]),
        (call::PHASE_BEGIN, [0, 0, 0]),
        (call::PHASE_BEGIN, [u64::MAX, u64::MAX, 0]),
        (call::PHASE_END, [0, 0, 0]),
        (call::PHASE_END, [1, 0, 0]),
        (call::PHASE_BEGIN, [0x1e0a_0a20_3d00, 0x041e, 0]),
    ];
    for round in 0..100 {
        for (id, [first, second, third]) in calls {
            // SAFETY: the calls write no memory.
            unsafe { hypercall(id, [first.wrapping_add(round), second, third]) };
        }
    }
}
