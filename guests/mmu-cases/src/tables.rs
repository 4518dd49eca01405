//! Cases about the shape of tables: tables that map themselves, are shared, come and go.

use rt::fault::Cause::{NotPresent, Permission};
use rt::space::{Access, FRAME, Frame, USER};
use rt::{check, entry, frames, tlb};

use crate::Case;
use crate::access::{read, write};
use crate::arch::{bits, run_inside};
use crate::arena::{Arena, get, mark, page, set, slot, table, two_blocks};

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("self-map", self_map),
    ("recursive-root", recursive_root),
    ("leaf-table-twice", leaf_table_twice),
    ("two-levels", two_levels),
    ("upper-entry-replaced", upper_entry_replaced),
    ("table-becomes-data", table_becomes_data),
    ("data-becomes-table", data_becomes_table),
    ("block-split-and-joined", block_split_and_joined),
    ("gib-block", gib_block),
    ("one-leaf-table-for-all", one_leaf_table_for_all),
];

/// A leaf table that maps itself is changed by the page it maps.
fn self_map() {
    let mut arena = Arena::new(1);
    let leaf = entry::target(arena.entry(0).addr() as u64);
    let window = page(100);
    set(arena.entry(100), entry::page(leaf, Access::ReadWrite));
    tlb::publish();
    for turn in 0..3 {
        let frame = 1 + turn % 2;
        check!(write(window, 0) == Ok(0), "the table cannot be written by its window");
        tlb::page(1, page(0));
        check!(read(page(0)) == Err(NotPresent), "page 0 is still there");
        check!(write(window, arena.value(frame)) == Ok(0), "the window has closed");
        tlb::publish();
        check!(read(page(0)) == Ok(mark(frame)), "page 0 is not frame {frame}");
        check!(read(window) == Ok(arena.value(frame)), "the window does not show the table");
    }
    // The table takes its own window away.
    check!(write(window + 100 * 8, 0) == Ok(0), "the window has closed");
    tlb::page(1, window);
    check!(read(window) == Err(NotPresent), "the window is still open");
    arena.space.destroy();
}

/// A root with an entry for itself: every table of the space is a page of it.
fn recursive_root() {
    /// The root's entry for itself.
    const SELF: u64 = 200;
    let mut arena = Arena::new(1);
    let root = arena.space.root();
    // What a table descriptor ignores is what makes a page of it: attributes and access flag.
    let page_of = |slot: *mut u64| entry::page(entry::target(get(slot)), Access::ReadWrite);
    for link in [slot(root, 1), slot(arena.upper(), 0), slot(arena.lower(), 0)] {
        set(link, page_of(link));
    }
    set(slot(root, SELF), entry::page(root, Access::ReadWrite));
    tlb::publish();
    let at = |level2: u64, level1: u64, level0: u64, word: u64| {
        (SELF << 39) | (level2 << 30) | (level1 << 21) | (level0 << 12) | (word * 8)
    };
    let leaf_window = at(1, 0, 0, 0);
    let lower_window = at(SELF, 1, 0, 0);
    let root_window = at(SELF, SELF, SELF, 0);
    check!(read(leaf_window) == Ok(get(arena.entry(0))), "the leaf table is not in its window");
    check!(read(root_window + 8) == Ok(get(slot(root, 1))), "the root is not in its window");
    check!(write(leaf_window, 0) == Ok(0), "the leaf table cannot be written");
    tlb::page(1, page(0));
    check!(read(page(0)) == Err(NotPresent), "page 0 is still there");
    check!(write(leaf_window, arena.value(2)) == Ok(0), "the leaf table cannot be written");
    tlb::publish();
    check!(read(page(0)) == Ok(mark(2)), "page 0 is not frame 2");
    // A new leaf table, linked and filled through the root.
    let leaf = table();
    let link = entry::page(leaf, Access::ReadWrite);
    check!(write(lower_window + 8, link) == Ok(0), "the level above cannot be written");
    tlb::publish();
    check!(write(at(1, 0, 1, 7), arena.value(3)) == Ok(0), "the new leaf table has no window");
    tlb::publish();
    check!(read(page(512 + 7)) == Ok(mark(3)), "the page of the new leaf table is not frame 3");
    check!(write(root_window + SELF * 8, 0) == Ok(0), "the root cannot be written");
    tlb::space(1);
    check!(read(leaf_window) == Err(NotPresent), "the root still maps itself");
    check!(read(page(512 + 7)) == Ok(mark(3)), "the new leaf table went with the root's entry");
    arena.space.destroy();
    frames::give_back(leaf);
}

/// One leaf table under two entries: one store, two pages.
fn leaf_table_twice() {
    let mut arena = Arena::new(1);
    set(slot(arena.lower(), 5), get(slot(arena.lower(), 0)));
    tlb::publish();
    let twin = page(5 * 512);
    check!(read(twin) == Ok(mark(0)), "the twin is not there");
    let (entry, value) = (arena.entry(0), arena.value(4));
    arena.replace(entry, value);
    check!(read(page(0)) == Ok(mark(4)), "page 0 is not frame 4");
    check!(read(twin) == Ok(mark(4)), "its twin is not frame 4");
    set(entry, 0);
    tlb::space(1);
    check!(read(twin) == Err(NotPresent), "the twin is still there");
    set(slot(arena.lower(), 5), 0);
    tlb::space(1);
    check!(read(twin + FRAME) == Err(NotPresent), "the twin table is still there");
    check!(read(page(1)) == Ok(mark(1)), "the table went with its twin");
    arena.space.destroy();
}

/// One table that is a leaf table in one place, and the level above in another: its entries mean a
/// page here and a leaf table there.
fn two_levels() {
    let arena = Arena::new(1);
    let (both, leaf) = (table(), table());
    set(slot(leaf, 9), arena.value(6));
    set(slot(both, 3), entry::page(leaf, Access::ReadWrite));
    // As level 1, second entry of level 2; as leaf table, entry 8 of level 1.
    set(slot(arena.upper(), 1), entry::table(both));
    set(slot(arena.lower(), 8), entry::table(both));
    tlb::publish();
    let as_level1 = USER + (1 << 30) + (3 << 21) + (9 << 12);
    let as_leaf = USER + (8 << 21) + (3 << 12);
    check!(read(as_level1) == Ok(mark(6)), "as level 1 it does not lead to frame 6");
    check!(read(as_leaf + 9 * 8) == Ok(arena.value(6)), "as leaf table it does not show the other");
    check!(write(as_leaf + 9 * 8, 0) == Ok(0), "the other cannot be written");
    tlb::space(1);
    check!(read(as_level1) == Err(NotPresent), "the page is still there");
    check!(write(as_leaf + 9 * 8, arena.value(7)) == Ok(0), "the other cannot be written");
    tlb::publish();
    check!(read(as_level1) == Ok(mark(7)), "as level 1 it does not lead to frame 7");
    set(slot(both, 3), 0);
    tlb::space(1);
    check!(read(as_level1) == Err(NotPresent), "as level 1 it has its entry still");
    check!(read(as_leaf) == Err(NotPresent), "as leaf table it has its entry still");
    arena.space.destroy();
    frames::give_back(both);
    frames::give_back(leaf);
}

/// An entry of an upper level leads elsewhere, and back.
fn upper_entry_replaced() {
    let arena = Arena::new(1);
    let (lower, leaf) = (table(), table());
    set(slot(leaf, 0), arena.value(8));
    set(slot(lower, 0), entry::table(leaf));
    let link = slot(arena.upper(), 0);
    let old = get(link);
    for _ in 0..3 {
        arena.replace(link, entry::table(lower));
        check!(read(page(0)) == Ok(mark(8)), "the new tables do not count");
        check!(read(page(1)) == Err(NotPresent), "the old tables still count");
        arena.replace(link, old);
        check!(read(page(0)) == Ok(mark(0)), "the old tables do not count again");
        check!(read(page(1)) == Ok(mark(1)), "the old tables do not count again");
    }
    arena.space.destroy();
    frames::give_back(lower);
    frames::give_back(leaf);
}

/// A table is unlinked; its frame holds data, which may look like entries, and becomes another
/// table.
fn table_becomes_data() {
    let mut arena = Arena::new(1);
    let leaf = entry::target(arena.entry(0).addr() as u64);
    let link = slot(arena.lower(), 0);
    let other = page(3 * 512);
    arena.space.entry(other);
    for turn in 0..3 {
        let entries: [u64; 16] = core::array::from_fn(|index| get(slot(leaf, index as u64)));
        set(link, 0);
        tlb::space(1);
        check!(read(page(0)) == Err(NotPresent), "an unlinked table still counts");
        // The frame is a page of data now, writable at `other` too.
        let data = arena.space.entry(other);
        set(data, entry::page(leaf, Access::ReadWrite));
        tlb::publish();
        for word in 0..512 {
            let value = arena.value(word % 16) ^ turn;
            check!(write(other + word * 8, value) == Ok(0), "data cannot be written");
            check!(get(slot(leaf, word)) == value, "data was not written");
        }
        check!(read(page(0)) == Err(NotPresent), "data counts as entries");
        set(data, 0);
        tlb::page(1, other);
        (0..).zip(entries).for_each(|(index, value)| set(slot(leaf, index), value));
        (16..512).for_each(|index| set(slot(leaf, index), 0));
        set(link, entry::table(leaf));
        tlb::publish();
        check!(read(page(15)) == Ok(mark(15)), "the table does not count again");
        check!(read(page(16)) == Err(NotPresent), "data of before counts as entries");
    }
    arena.space.destroy();
}

/// A page that is mapped, written and used becomes a table while its mapping stays.
fn data_becomes_table() {
    let mut arena = Arena::new(1);
    let window = page(14);
    let frame = arena.frame.plus(14);
    for word in 0..512 {
        check!(write(window + word * 8, 0) == Ok(0), "data cannot be written");
    }
    set(slot(arena.lower(), 1), entry::table(frame));
    tlb::publish();
    for index in [0, 5, 511] {
        let at = page(512 + index);
        check!(read(at) == Err(NotPresent), "an empty table maps something");
        check!(write(window + index * 8, arena.value(index % 14)) == Ok(0), "no window");
        tlb::publish();
        check!(read(at) == Ok(mark(index % 14)), "what was stored by the window does not count");
    }
    // By the window made anew, and by the identity map.
    let (entry, value) = (arena.entry(14), arena.value(14));
    arena.replace(entry, value);
    check!(write(window, 0) == Ok(0), "no window");
    set(slot(frame, 5), 0);
    tlb::space(1);
    check!(read(page(512)) == Err(NotPresent), "an entry is still there");
    check!(read(page(512 + 5)) == Err(NotPresent), "an entry is still there");
    arena.space.destroy();
}

/// A block of 2 MiB becomes 512 pages, one of them elsewhere, and a block again.
fn block_split_and_joined() {
    let arena = Arena::new(1);
    let block = two_blocks();
    let link = slot(arena.lower(), 2);
    let value = bits::block(entry::page(block, Access::ReadWrite));
    let at = |index: u64| page(2 * 512 + index);
    set(link, value);
    tlb::publish();
    check!((0..512).all(|index| read(at(index)) == Ok(mark(index))), "the block is not there");
    let leaf = table();
    for index in 0..512 {
        set(slot(leaf, index), entry::page(block.plus(index), Access::ReadWrite));
    }
    set(slot(leaf, 7), entry::page(block.plus(512 + 7), Access::ReadOnly));
    arena.replace(link, entry::table(leaf));
    check!(read(at(6)) == Ok(mark(6)), "a page of the block is lost");
    check!(read(at(7)) == Ok(mark(512 + 7)), "the page that is elsewhere is not");
    check!(write(at(7), 0) == Err(Permission), "a read-only page can be written");
    arena.replace(link, value);
    check!((0..512).all(|index| read(at(index)) == Ok(mark(index))), "the block is not whole");
    check!(write(at(7), mark(7)) == Ok(0), "the block cannot be written");
    // The block at the second half, read-only.
    arena.replace(link, bits::block(entry::page(block.plus(512), Access::ReadOnly)));
    check!(read(at(511)) == Ok(mark(512 + 511)), "the block is not the second half");
    check!(write(at(511), 0) == Err(Permission), "a read-only block can be written");
    arena.space.destroy();
    frames::give_back(leaf);
}

/// The RAM's first GiB as one block, which holds every table and all code, under another address.
fn gib_block() {
    let mut arena = Arena::new(1);
    let ram = rt::machine().ram.start;
    let link = slot(arena.upper(), 3);
    if !bits::has_gib_blocks() || rt::machine().ram_size() < 1 << 30 {
        return arena.space.destroy();
    }
    set(link, bits::block(entry::page(Frame::at(ram), Access::ReadWrite)));
    tlb::publish();
    let window = USER + (3 << 30);
    let of = |address: u64| window + (address - ram);
    check!(read(of(arena.frame.address())) == Ok(mark(0)), "the block does not show frame 0");
    // A table, changed through the block.
    let entry = arena.entry(0).addr() as u64;
    check!(write(of(entry), 0) == Ok(0), "the block cannot be written where a table stands");
    tlb::page(1, page(0));
    check!(read(page(0)) == Err(NotPresent), "page 0 is still there");
    check!(write(of(entry), arena.value(9)) == Ok(0), "the block cannot be written");
    tlb::publish();
    check!(read(page(0)) == Ok(mark(9)), "page 0 is not frame 9");
    check!(write(of(arena.frame.plus(9).address()), 1) == Ok(0), "the block cannot be written");
    check!(read(page(0)) == Ok(1), "two mappings of a frame differ");
    set(link, 0);
    tlb::space(1);
    check!(read(window) == Err(NotPresent), "the block is still there");
    arena.space.destroy();
}

/// Code, stack and the table itself under one leaf table, which the code changes.
fn one_leaf_table_for_all() {
    let mut arena = Arena::new(1);
    let leaf = entry::target(arena.entry(0).addr() as u64);
    set(arena.entry(100), entry::page(leaf, Access::ReadWrite));
    let executable = bits::executable(arena.value(1));
    arena.replace(slot(leaf, 1), executable);
    let turns = 1000;
    let sum = run_inside(
        arena.frame.plus(1),
        page(1),
        page(3),
        page(100) + 5 * 8,
        page(5),
        [arena.value(5), arena.value(6)],
        turns,
    );
    let expected = turns / 2 * (mark(5) + mark(6));
    check!(sum == expected, "the code within sums to {sum:#x}, not {expected:#x}");
    arena.space.destroy();
}
