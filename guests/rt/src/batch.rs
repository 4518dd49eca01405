//! Stores to tables, which a hypervisor may take many at once.
//!
//! A guest that would have it so [asks](ask) when it begins. What it does with tables is generic over [`Stores`], and
//! which they are is decided once for an operation: plain stores stay what they are. Nothing that relies on
//! the new entries, an invalidation or a load of a root, may come before [`Stores::finish`].

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hv_abi::call;
use spin::{Mutex, MutexGuard};

use crate::{check, hypervisor, space};

/// Entries that are written in order.
pub trait Stores {
    /// Writes an entry, by [`finish`](Self::finish) at the latest. Until then it may read as it was.
    ///
    /// # Safety
    ///
    /// As for [`space::store`].
    unsafe fn store(&mut self, entry: *mut u64, value: u64);

    /// All entries are written when it returns.
    fn finish(&mut self);
}

/// Each is written at once, with one store.
pub struct Plain;

impl Stores for Plain {
    #[inline(always)]
    unsafe fn store(&mut self, entry: *mut u64, value: u64) {
        // SAFETY: by the caller.
        unsafe { space::store(entry, value) }
    }

    #[inline(always)]
    fn finish(&mut self) {}
}

/// As many as one call takes, in one page.
#[repr(C, align(4096))]
struct List([[u64; 2]; call::UPDATES as usize]);

/// The list of whoever hands stores over.
static LIST: Mutex<List> = Mutex::new(List([[0; 2]; call::UPDATES as usize]));
/// Whether the hypervisor takes it.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Asks the hypervisor, if there is one, whether it takes stores. Without, there is no [`Batch`].
pub fn ask() {
    TAKEN.store(hypervisor::features() & call::FEATURE_UPDATE != 0, Relaxed);
}

/// They are handed to the hypervisor, in order.
pub struct Batch {
    /// What was not handed over yet is at its start.
    list: MutexGuard<'static, List>,
    /// How many that is.
    count: usize,
}

impl Batch {
    /// One without stores, if the hypervisor takes them and nobody else has the list.
    #[inline(always)]
    pub fn begin() -> Option<Self> {
        if !TAKEN.load(Relaxed) {
            return None;
        }
        Some(Self { list: LIST.try_lock()?, count: 0 })
    }

    /// Hands over what is in the list.
    #[inline(never)]
    fn hand_over(&mut self) {
        let list = (&raw const *self.list).addr() as u64;
        let count = core::mem::take(&mut self.count) as u64;
        // SAFETY: the hypervisor writes the entries of the list, for which the callers of `store` answer; the
        // identity map holds them and the list.
        let status = unsafe { hypervisor::hypercall(call::UPDATE, [list, count, 0]) };
        check!(status == call::SUCCESS, "{count} stores are refused: {status:#x}");
    }
}

impl Stores for Batch {
    #[inline(always)]
    unsafe fn store(&mut self, entry: *mut u64, value: u64) {
        if let Some(store) = self.list.0.get_mut(self.count) {
            *store = [entry.addr() as u64, value];
            self.count += 1;
        }
        if self.count == self.list.0.len() {
            self.hand_over();
        }
    }

    #[inline(always)]
    fn finish(&mut self) {
        if self.count > 0 {
            self.hand_over();
        }
    }
}

impl Drop for Batch {
    #[inline(always)]
    fn drop(&mut self) {
        self.finish();
    }
}
