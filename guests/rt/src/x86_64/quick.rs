//! Quick fault handlers: as short as a kernel could make them, so that a row of `mmu-ops` shows
//! what the machine and the hypervisor take, and next to nothing of the guest's own.
//!
//! Each is a page-fault vector of its own (`quick.s`) that is set for a row and serves one region
//! of pages. It does not ask what the fault was: nothing else may fault meanwhile.

use super::descriptor::{PAGE_FAULT, reset_gate, set_gate};
use crate::quick::{Handler, Region};
use crate::space::FRAME;

core::arch::global_asm!(include_str!("quick.s"));

unsafe extern "C" {
    static mut rt_quick: [u64; 2];
    static rt_quick_demand: u8;
    static rt_quick_protect: u8;
    static rt_quick_access: u8;
    static rt_quick_skip: u8;
}

/// Makes `handler` serve `region`.
///
/// # Safety
///
/// The region's entries are those of its pages, and the frames are the caller's to map.
pub unsafe fn install(handler: Handler, region: &Region) {
    let page = region.start / FRAME;
    let words = [
        (region.entries.addr() as u64).wrapping_sub(page * size_of::<u64>() as u64),
        region.first.wrapping_sub(region.start),
    ];
    let bias = &raw mut rt_quick;
    // SAFETY: only handlers read it, and none is running.
    unsafe { bias.write_volatile(words) };
    let handler = match handler {
        Handler::Demand => &raw const rt_quick_demand,
        Handler::Protect => &raw const rt_quick_protect,
        Handler::Access => &raw const rt_quick_access,
        Handler::Skip => &raw const rt_quick_skip,
    };
    // SAFETY: quick.s returns from faults; by the caller.
    unsafe { set_gate(PAGE_FAULT, handler.addr() as u64, 0) };
}

/// Makes the runtime's own handler serve faults again.
pub fn remove() {
    reset_gate(PAGE_FAULT);
}
