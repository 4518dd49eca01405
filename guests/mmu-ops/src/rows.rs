//! The rows about single pages.

use rt::batch::{Batch, Stores as _};
use rt::quick::Handler;
use rt::samples::Samples;
use rt::{check, entry, exact, phase, space, tlb};

use crate::ROUNDS;
use crate::region::{Region, mark};

/// The guest's name in result lines.
pub(crate) const GUEST: &str = "mmu-ops";
/// A function that no hypervisor knows, and its result (Arm DEN0028).
const UNKNOWN: u64 = 0xc600_ffff;
/// See [`UNKNOWN`].
const NOT_SUPPORTED: u64 = u64::MAX;
/// Operations of the rows that need no pages.
const OPERATIONS: u64 = 1024;

/// Row a, in a row of its own for each instruction that must exit.
pub(crate) fn null_exits(cost: u64) {
    #[cfg(target_arch = "x86_64")]
    null_exit(["a", "cpuid", "a-null"], true, || exact::cpuid() - cost);
    let names = if cfg!(target_arch = "x86_64") {
        ["a-call", "null", "a-call"]
    } else {
        ["a", "null", "a-null"]
    };
    null_exit(names, rt::hypervisor::has_hypercalls(), || {
        // SAFETY: an unknown function does nothing.
        let (ticks, result) = unsafe { exact::hypercall(UNKNOWN) };
        check!(result == NOT_SUPPORTED, "an unknown hypercall returns {result:#x}");
        ticks - cost
    });
}

/// One of them, if there is somebody to exit to: its row, name and phase.
fn null_exit([row, name, within]: [&str; 3], answered: bool, mut exit: impl FnMut() -> u64) {
    let mut samples = Samples::with_capacity(OPERATIONS as usize);
    if answered {
        phase(within, OPERATIONS, || (0..OPERATIONS).for_each(|_| samples.add(exit())));
    }
    samples.print(GUEST, row, name);
}

/// Rows b and c: pages made present on demand, and unmapped, in turn.
pub(crate) fn demand_and_unmap(region: &mut Region, cost: u64) {
    let pages = region.pages;
    let mut demand = Samples::with_capacity(ROUNDS * pages as usize);
    let mut unmap = Samples::with_capacity(ROUNDS * pages as usize);
    for _ in 0..ROUNDS {
        region.with(Handler::Demand, || {
            phase("b-demand", pages, || {
                for page in 0..pages {
                    // SAFETY: the handler maps the page.
                    let (ticks, read) = unsafe { exact::load(region.page(page)) };
                    check!(read == mark(page), "row b: page {page} reads {read:#x}");
                    demand.add(ticks - cost);
                }
            });
        });
        phase("c-unmap", pages, || {
            for page in 0..pages {
                let (slot, address) = (region.entry(page), region.page(page).addr() as u64);
                let (ticks, ()) = rt::clock::time(cost, || {
                    // SAFETY: nothing of the page is in use.
                    unsafe { space::store(slot, 0) };
                    tlb::page(region.space.asid(), address);
                });
                unmap.add(ticks);
            }
        });
    }
    demand.print(GUEST, "b", "demand");
    unmap.print(GUEST, "c", "unmap");
}

/// Row d: a page protected, and a copy-on-write fault on it.
pub(crate) fn protect(region: &mut Region, cost: u64) {
    let pages = region.pages;
    let mut samples = Samples::with_capacity(pages as usize);
    region.with(Handler::Protect, || {
        phase("d-protect", pages, || {
            for page in 0..pages {
                let (slot, at) = (region.entry(page), region.page(page));
                let value = entry::with_write(region.value(page), false);
                let (ticks, ()) = rt::clock::time(cost, || {
                    // SAFETY: an entry of the region.
                    unsafe { space::store(slot, value) };
                    tlb::page(region.space.asid(), at.addr() as u64);
                    // SAFETY: the handler makes the page writable.
                    unsafe { at.write_volatile(mark(page)) };
                });
                samples.add(ticks);
            }
        });
    });
    check_writable(region, pages, "d");
    samples.print(GUEST, "d", "protect");
}

/// Row d2: 1,024 pages protected, one invalidation, then the fault on each. A page's figure is its
/// own store and its fault; that of the first page has the invalidation as well. Stores that are handed over are
/// shared out among the pages.
pub(crate) fn protect_many(region: &mut Region, cost: u64) {
    let mut stores = [0_u32; OPERATIONS as usize];
    let mut samples = Samples::with_capacity(stores.len());
    region.with(Handler::Protect, || {
        phase("d2-protect-many", OPERATIONS, || {
            let rest = match Batch::begin() {
                Some(batch) => protect_at_once(region, batch, &mut stores, cost),
                None => {
                    for (page, store) in (0..).zip(&mut stores) {
                        let value = entry::with_write(region.value(page), false);
                        // SAFETY: an entry of the region.
                        *store = unsafe { exact::store(region.entry(page), value) } as u32;
                    }
                    0
                }
            };
            let (invalidation, ()) = rt::clock::time(cost, || tlb::space(region.space.asid()));
            let mut extra = rest + invalidation;
            for (page, store) in (0..).zip(stores) {
                // SAFETY: the handler makes the page writable.
                let ticks = unsafe { exact::store(region.page(page), mark(page)) };
                samples.add(extra + u64::from(store) - cost + ticks - cost);
                extra = 0;
            }
        });
    });
    check_writable(region, OPERATIONS, "d2");
    samples.print(GUEST, "d2", "protect-many");
}

/// Protects pages by stores that are handed over, and gives each page its share of the ticks in `shares`, as if
/// the clock had been read around its store. Returns what is left over.
fn protect_at_once(region: &Region, mut batch: Batch, shares: &mut [u32], cost: u64) -> u64 {
    let pages = shares.len() as u64;
    let (ticks, ()) = rt::clock::time(cost, || {
        for page in 0..pages {
            let value = entry::with_write(region.value(page), false);
            // SAFETY: an entry of the region.
            unsafe { batch.store(region.entry(page), value) };
        }
        batch.finish();
    });
    shares.fill((ticks / pages + cost) as u32);
    ticks % pages
}

/// Row g: a page read again.
pub(crate) fn warm(region: &Region, cost: u64) {
    let mut samples = Samples::with_capacity(region.pages as usize);
    phase("g-warm", region.pages, || {
        for page in 0..region.pages {
            // SAFETY: the page is mapped.
            let (ticks, read) = unsafe { exact::load(region.page(page)) };
            check!(read == mark(page), "row g: page {page} reads {read:#x}");
            samples.add(ticks - cost);
        }
    });
    samples.print(GUEST, "g", "warm");
}

/// Row h: a fault that the guest keeps to itself.
pub(crate) fn true_fault(region: &Region, cost: u64) {
    let mut samples = Samples::with_capacity(OPERATIONS as usize);
    region.with(Handler::Skip, || {
        phase("h-true-fault", OPERATIONS, || {
            for page in 0..OPERATIONS {
                // SAFETY: the handler skips the read.
                let (ticks, _) = unsafe { exact::load(region.page(page)) };
                samples.add(ticks - cost);
            }
        });
    });
    for page in 0..OPERATIONS {
        // SAFETY: an entry of the region.
        let value = unsafe { space::load(region.entry(page)) };
        check!(value == 0, "row h: the entry of page {page} is {value:#x}");
    }
    samples.print(GUEST, "h", "true-fault");
}

/// Row i: as b, but the accessed flag comes with a second fault; then the first write.
pub(crate) fn access_flag(region: &mut Region, cost: u64) {
    let pages = region.pages;
    let mut samples = Samples::with_capacity(pages as usize);
    region.with(Handler::Access, || {
        phase("i-access-flag", pages, || {
            for page in 0..pages {
                // SAFETY: the handler maps the page.
                let (read_ticks, read) = unsafe { exact::load(region.page(page)) };
                check!(read == mark(page), "row i: page {page} reads {read:#x}");
                // SAFETY: the page is mapped now.
                let write_ticks = unsafe { exact::store(region.page(page), mark(page)) };
                samples.add(read_ticks - cost + write_ticks - cost);
            }
        });
    });
    for page in 0..pages {
        // SAFETY: an entry of the region.
        let value = unsafe { space::load(region.entry(page)) };
        check!(entry::is_used(value), "row i: page {page} was not marked accessed");
    }
    region.unmap_all();
    samples.print(GUEST, "i", "access-flag");
}

/// Checks that the first pages of the region allow writes, and that nothing else changed.
fn check_writable(region: &Region, pages: u64, row: &str) {
    for page in 0..pages {
        // SAFETY: an entry of the region.
        let value = unsafe { space::load(region.entry(page)) };
        check!(value == region.value(page), "row {row}: the entry of page {page} is {value:#x}");
    }
    region.touch_all();
}
