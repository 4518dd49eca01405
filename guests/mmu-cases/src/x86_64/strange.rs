//! Cases about tables that are something else as well: code, descriptors, each other's neighbours.

use core::arch::asm;

use rt::descriptor::DATA;
use rt::space::{Access, FRAME};
use rt::{check, entry, frames, tlb};

use super::access::{call, cr0, cr3, read, set_cr0, set_cr3};
use super::bits::{CR0_WP, executable};
use crate::Case;
use crate::arena::{Arena, get, mark, page, set, slot, table};

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("code-in-a-table", code_in_a_table),
    ("descriptors-in-a-table", descriptors_in_a_table),
    ("stores-across-tables", stores_across_tables),
    ("many-roots", many_roots),
];

/// An entry of a leaf table that maps nothing that is used.
const UNUSED: u64 = 300;

/// A table holds the code that stores to it, and to its own instruction.
fn code_in_a_table() {
    /// `mov [rdi], rsi`, `ret`.
    const STORE_ARGUMENT: u64 = 0xc337_8948;
    /// `mov [rdi], rax`, `ret`: RAX is where the function is.
    const STORE_PLACE: u64 = 0xc307_8948;
    let mut arena = Arena::new(1);
    let leaf = entry::target(arena.entry(0).addr() as u64);
    set(arena.entry(100), executable(entry::page(leaf, Access::ReadWrite)));
    let code = slot(leaf, UNUSED);
    let function = page(100) + code.addr() as u64 % FRAME;
    for turn in 0..3 {
        set(code, STORE_ARGUMENT);
        let value = arena.value(turn);
        let tried = call(function, arena.entry(1).addr() as u64, value);
        check!(tried.is_ok() && get(arena.entry(1)) == value, "turn {turn}: {tried:x?}");
        tlb::page(1, page(1));
        check!(read(page(1)) == Ok(mark(turn)), "turn {turn}: what was stored does not count");
        let tried = call(function, code.addr() as u64, STORE_PLACE);
        check!(tried.is_ok() && get(code) == STORE_PLACE, "turn {turn}: {tried:x?}");
        let tried = call(function, slot(leaf, UNUSED + 1).addr() as u64, 0);
        let held = get(slot(leaf, UNUSED + 1));
        check!(tried.is_ok() && held == function, "turn {turn}: {tried:x?}, {held:#x}");
    }
    arena.space.destroy();
}

/// The processor marks descriptors of segments, and of the task, in a table.
fn descriptors_in_a_table() {
    /// Code or data was used; a task is busy: both are the lowest bit but one of a type.
    const ACCESSED: u64 = 1 << 40;
    const BUSY: u64 = 1 << 41;
    let mut arena = Arena::new(1);
    let leaf = entry::target(arena.entry(0).addr() as u64);
    check!(read(page(0)) == Ok(mark(0)), "a page is not there");
    let mut old = [0_u16; 5];
    // SAFETY: ten bytes.
    unsafe { asm!("sgdt [{}]", in(reg) &raw mut old, options(nostack)) };
    let task: u64;
    // SAFETY: reading changes nothing.
    unsafe { asm!("xor {task:e}, {task:e}", "str {task:x}", task = out(reg) task) };
    let base = old[1..].iter().rev().fold(0, |base, word| base << 16 | u64::from(*word));
    let words = (u64::from(old[0]) + 1) / 8;
    let first = slot(leaf, UNUSED);
    for word in 0..words {
        let value = get((base as *mut u64).wrapping_add(word as usize));
        set(slot(leaf, UNUSED + word), value);
    }
    let mut new = old;
    for (place, word) in new[1..].iter_mut().enumerate() {
        *word = (first.addr() as u64 >> (16 * place)) as u16;
    }
    let data = slot(leaf, UNUSED + u64::from(DATA) / 8);
    let state = slot(leaf, UNUSED + task / 8);
    for turn in 0..3 {
        set(data, get(data) & !ACCESSED);
        set(state, get(state) & !BUSY);
        // SAFETY: the table says what the old one says.
        unsafe { asm!("lgdt [{}]", in(reg) &raw const new, options(nostack)) };
        // SAFETY: a segment of data.
        unsafe { asm!("mov ds, {:e}", in(reg) u32::from(DATA), options(nostack)) };
        check!(get(data) & ACCESSED != 0, "turn {turn}: the segment is not marked");
        set(data, get(data) & !ACCESSED);
        // SAFETY: the same.
        unsafe { asm!("mov ss, {:e}", "nop", in(reg) u32::from(DATA), options(nostack)) };
        check!(get(data) & ACCESSED != 0, "turn {turn}: the stack's segment is not marked");
        // SAFETY: the task state that is in use.
        unsafe { asm!("ltr {:x}", in(reg) task, options(nostack)) };
        check!(get(state) & BUSY != 0, "turn {turn}: the task is not busy");
        // SAFETY: the table of before.
        unsafe { asm!("lgdt [{}]", in(reg) &raw const old, options(nostack)) };
        check!(read(page(turn)) == Ok(mark(turn)), "turn {turn}: a page is lost");
    }
    for word in 0..words {
        set(slot(leaf, UNUSED + word), 0);
    }
    arena.space.destroy();
}

/// A store to the end of one table and the beginning of another, whether write protection counts or not.
fn stores_across_tables() {
    /// The entries of the level above that lead to the two tables.
    const PLACE: u64 = 8;
    /// Bytes of a store in the first table.
    const FIRST: u64 = 4;
    let arena = Arena::new(1);
    let tables = frames::take_contiguous(2);
    for index in 0..2 {
        let leaf = tables.plus(index);
        // SAFETY: frames of ours.
        unsafe { leaf.clear() };
        set(slot(arena.lower(), PLACE + index), entry::table(leaf));
    }
    let (last, next) = (slot(tables, 511), slot(tables.plus(1), 0));
    let at = page((PLACE + 1) * 512 - 1);
    set(last, arena.value(0));
    for turn in 0..6 {
        set(next, arena.value(1));
        tlb::space(1);
        check!(read(at) == Ok(mark(0)), "turn {turn}: the last page is not there");
        check!(read(at + FRAME) == Ok(mark(1)), "turn {turn}: the next page is not there");
        let protects = cr0();
        if turn % 2 == 0 {
            set_cr0(protects & !CR0_WP);
        }
        let value = get(last) >> 32 | arena.value(2 + turn) << 32;
        // SAFETY: entries of the arena's, the upper half of one and the lower of the other.
        unsafe {
            asm!("mov [{at}], {value}", at = in(reg) last.addr() as u64 + FIRST,
                value = in(reg) value, options(nostack));
        }
        set_cr0(protects);
        tlb::space(1);
        check!(read(at) == Ok(mark(0)), "turn {turn}: the last page is lost");
        let held = read(at + FRAME);
        check!(held == Ok(mark(2 + turn)), "turn {turn}: the next page is {held:x?}");
    }
    arena.space.destroy();
}

/// More roots than anybody remembers, which all lead to the same.
fn many_roots() {
    const ROOTS: usize = 80;
    let mut arena = Arena::new(1);
    let home = cr3();
    let roots: [_; ROOTS] = core::array::from_fn(|_| {
        let root = table();
        for index in 0..2 {
            set(slot(root, index), get(slot(arena.space.root(), index)));
        }
        root
    });
    for turn in 0..3 {
        for (number, root) in roots.iter().enumerate() {
            let index = number as u64 % 8;
            set_cr3(root.address());
            set(arena.entry(index), arena.value((index + turn) % 8));
            tlb::page(1, page(index));
            let held = read(page(index));
            check!(held == Ok(mark((index + turn) % 8)), "root {number}: {held:x?}");
        }
    }
    set_cr3(home);
    roots.into_iter().for_each(frames::give_back);
    arena.space.destroy();
}
