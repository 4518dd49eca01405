//! `table-stores`: a live page table is written with every kind of store there is.
//!
//! A processor does not care which instruction made an entry what it is. For each kind, entries of a
//! leaf table in use are cleared, made, and made read-only by it; and each time the pages must be
//! what their entries say. The bare machine is the judge: what passes there must pass everywhere.
#![no_std]
#![no_main]

mod kinds;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kinds::{KINDS, Kind, PLAIN};
use rt::fault::{self, Cause};
use rt::space::{self, Access, FRAME, Frame, Space, USER};
use rt::{check, entry, exact, frames, println, tlb};

rt::entry!(main);

/// Entries of the table.
const ENTRIES: usize = 512;
/// The most entries that one kind changes.
const MOST: usize = 8;

/// A value for each entry that a kind changes.
type Values = [u64; MOST];

/// How many reads and writes faulted.
static FAULTS: AtomicU64 = AtomicU64::new(0);

/// The table, and two sets of frames that its pages are mapped to in turn.
struct Table {
    /// Its space, which is the current one.
    space: Space,
    /// Its first entry.
    entries: *mut u64,
    /// The first frame of each set.
    frames: [Frame; 2],
}

fn main() {
    fault::set_handler(|exception| {
        let fault = exception.fault();
        exception.skip_instruction();
        FAULTS.fetch_add(1, Relaxed);
        fault.is_some_and(|fault| matches!(fault.cause, Cause::NotPresent | Cause::Permission))
    });
    let table = Table::new();
    let features = kinds::features();
    let mut done = 0;
    for kind in KINDS.iter().filter(|kind| kind.needs & !features == 0) {
        // Somewhere in the table, at its beginning, and at its end.
        for first in [8 * (3 + done % 40), 0, ENTRIES - 8] {
            table.try_kind(kind, first);
        }
        done += 1;
        println!("@ table-stores store={} entries={}", kind.name, kind.entries);
    }
    table.try_across();
    kinds::others(&table);
    println!("@ table-stores kinds={done} faults={}", FAULTS.load(Relaxed));
}

impl Table {
    /// Makes it; every page is mapped to the first set.
    fn new() -> Self {
        let frames = [0, 1].map(|set| {
            let first = frames::take_contiguous(ENTRIES as u64);
            for page in 0..ENTRIES {
                // SAFETY: a frame of ours.
                unsafe { first.plus(page as u64).words().write_volatile(mark(set, page)) };
            }
            first
        });
        let mut space = Space::new(1);
        let entries = space.entry(USER);
        let table = Self { space, entries, frames };
        for page in 0..ENTRIES {
            // SAFETY: an entry of the table.
            unsafe { space::store(table.slot(page), table.value(0, page)) };
        }
        table.space.activate();
        (0..ENTRIES).for_each(|page| table.expect(page, Some(mark(0, page)), "at the start"));
        table
    }

    /// The entry of a page.
    fn slot(&self, page: usize) -> *mut u64 {
        self.entries.wrapping_add(page)
    }

    /// What it is when the page is mapped to a frame of a set.
    fn value(&self, set: usize, page: usize) -> u64 {
        entry::page(self.frames[set].plus(page as u64), Access::ReadWrite)
    }

    /// Clears, makes and protects entries from `first` on.
    fn try_kind(&self, kind: &Kind, first: usize) {
        let count = kind.entries;
        let old: Values = core::array::from_fn(|index| self.value(0, first + index));
        let new: Values = core::array::from_fn(|index| self.value(1, first + index));
        let read_only = new.map(|value| entry::with_write(value, false));
        self.change(kind, first, &old, &[0; MOST]);
        (first..first + count).for_each(|page| self.expect(page, None, kind.name));
        if !kind.only_clears {
            self.change(kind, first, &[0; MOST], &new);
            for page in first..first + count {
                self.expect(page, Some(mark(1, page)), kind.name);
                self.expect_write(page, true, kind.name);
            }
            self.change(kind, first, &new, &read_only);
            for page in first..first + count {
                self.expect(page, Some(mark(1, page)), kind.name);
                self.expect_write(page, false, kind.name);
            }
            self.change(kind, first, &read_only, &[0; MOST]);
        }
        for page in first..first + count {
            // SAFETY: an entry of the table.
            unsafe { space::store(self.slot(page), self.value(0, page)) };
        }
        tlb::publish();
        for page in first.saturating_sub(1)..(first + count + 1).min(ENTRIES) {
            self.expect(page, Some(mark(0, page)), kind.name);
        }
    }

    /// Clears and makes half of the first entry by stores that begin in the page before the table.
    fn try_across(&self) {
        const HALF: u32 = 32;
        let Some(plain) = KINDS.iter().find(|kind| kind.name == PLAIN) else { return };
        let before = self.entries.wrapping_sub(1);
        // SAFETY: the 8 bytes before the table, which is identity-mapped with them.
        let previous = unsafe { space::load(before) };
        let whole = self.value(0, 0);
        for entry in [whole >> HALF << HALF, whole] {
            let across = [previous >> HALF | entry << HALF; MOST];
            let at = before.wrapping_byte_add(HALF as usize / 8);
            // SAFETY: four bytes that stay as they are, and half an entry of the table.
            unsafe { (plain.change)(at, across.as_ptr(), across.as_ptr()) };
            // SAFETY: as above.
            let kept = unsafe { space::load(before) };
            // SAFETY: an entry of the table.
            let held = unsafe { space::load(self.entries) };
            check!((kept, held) == (previous, entry), "across: {kept:#x}, {held:#x}");
            tlb::pages(self.space.asid(), USER, 1);
            self.expect(0, (entry == whole).then_some(mark(0, 0)), "across");
        }
        println!("@ table-stores store={PLAIN}-across entries=1");
    }

    /// Changes entries by a kind of store, checks that they hold what was stored, and invalidates.
    fn change(&self, kind: &Kind, first: usize, old: &Values, new: &Values) {
        // SAFETY: entries of the table, mapped to frames of ours or to nothing.
        unsafe { (kind.change)(self.slot(first), old.as_ptr(), new.as_ptr()) };
        for (index, new) in new.iter().enumerate().take(kind.entries) {
            // SAFETY: as above.
            let held = unsafe { space::load(self.slot(first + index)) };
            check!(held == *new, "{}: an entry holds {held:#x}, not {new:#x}", kind.name);
        }
        tlb::pages(self.space.asid(), USER + first as u64 * FRAME, kind.entries as u64);
    }

    /// Checks what a read of a page gives, or that it faults.
    fn expect(&self, page: usize, expected: Option<u64>, when: &str) {
        let before = FAULTS.load(Relaxed);
        // SAFETY: the handler skips what faults.
        let (_, read) = unsafe { exact::load(address(page)) };
        let read = (FAULTS.load(Relaxed) == before).then_some(read);
        check!(read == expected, "{when}: page {page} gives {read:x?}, not {expected:x?}");
    }

    /// Checks whether a page can be written.
    fn expect_write(&self, page: usize, expected: bool, when: &str) {
        let before = FAULTS.load(Relaxed);
        // SAFETY: the handler skips what faults; the page holds this mark already.
        unsafe { exact::store(address(page), mark(1, page)) };
        let written = FAULTS.load(Relaxed) == before;
        check!(written == expected, "{when}: page {page} written: {written}, not {expected}");
    }
}

/// The address of a page.
fn address(page: usize) -> *mut u64 {
    (USER + page as u64 * FRAME) as *mut u64
}

/// What the first word of a page's frame in a set holds.
fn mark(set: usize, page: usize) -> u64 {
    ((set as u64 + 1) << 32) | page as u64
}
