//! Calls that mean nothing.

use hv_abi::call;
use rt::hypervisor::{features, hypercall};
use rt::space::{FRAME, Frame};
use rt::{check, frames, println};

use crate::addresses::outside;

/// Hypercalls of functions that do not exist, with absurd arguments: each is refused.
pub(crate) fn absurd() {
    let ids = [0, 1, u64::MAX, 1 << 63, call::EXIT - 1, call::UPDATE + 1, 0x8400_ffff, 0xdead_beef];
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

/// Stores of a list that is handed over.
const STORES: usize = 4;

/// Lists of stores that no guest should hand over: each is refused, and what stands before the first bad store is
/// done. A hypervisor that takes no lists refuses all of them, and does nothing.
pub(crate) fn lists() {
    let (list, target) = (frames::take(), frames::take());
    let [at, to] = [list, target].map(Frame::address);
    let [behind, far] = outside();
    for (at, count, status) in [
        (at, 0, call::BAD_COUNT),
        (at, call::UPDATES + 1, call::BAD_COUNT),
        (at, u64::MAX, call::BAD_COUNT),
        (at + 8, 1, call::BAD_LIST),
        (at + call::UPDATE_BYTES, call::UPDATES, call::BAD_LIST),
        (at + FRAME - call::UPDATE_BYTES, 2, call::BAD_LIST),
        (behind, 1, call::BAD_LIST),
        (far, 1, call::BAD_LIST),
        (call::UPDATE_BYTES.wrapping_neg(), 1, call::BAD_LIST),
    ] {
        hand_over(at, count, status);
    }
    for bad in [to + 4, behind, far, !7] {
        bad_store(list, target, [(to, 1), (to + 16, 2), (bad, 3), (to + 24, 4)], [1, 0, 2, 0]);
    }
    // The first store changes where the third one goes.
    let third = at + 2 * call::UPDATE_BYTES;
    bad_store(list, target, [(third, far), (to, 1), (to + 8, 2), (to + 16, 3)], [1, 0, 0, 0]);
}

/// Whether the hypervisor takes lists.
fn takes_lists() -> bool {
    features() & call::FEATURE_UPDATE != 0
}

/// Hands over the list at `at`, which gives `status`.
fn hand_over(at: u64, count: u64, status: u64) {
    let status = if takes_lists() { status } else { call::NOT_SUPPORTED };
    // SAFETY: the list is a bad one, or writes frames of ours that Rust does not know of.
    let result = unsafe { hypercall(call::UPDATE, [at, count, 0]) };
    check!(result == status, "{count} stores at {at:#x}: {result:#x} instead of {status:#x}");
}

/// Hands over `stores`, one of which is bad, by the frame `list`; `made` is what the first words of `target` come to.
fn bad_store(list: Frame, target: Frame, stores: [(u64, u64); STORES], made: [u64; STORES]) {
    let word = |frame: Frame, number: usize| frame.words().wrapping_add(number);
    for (number, (at, value)) in stores.into_iter().enumerate() {
        for (word, value) in [
            (word(target, number), 0),
            (word(list, 2 * number), at),
            (word(list, 2 * number + 1), value),
        ] {
            // SAFETY: a frame of ours.
            unsafe { word.write_volatile(value) };
        }
    }
    hand_over(list.address(), STORES as u64, call::BAD_ENTRY);
    // SAFETY: a frame of ours.
    let found = [0, 1, 2, 3].map(|number| unsafe { word(target, number).read_volatile() });
    let made = if takes_lists() { made } else { [0; STORES] };
    check!(found == made, "{stores:x?} come to {found:x?} instead of {made:x?}");
}
