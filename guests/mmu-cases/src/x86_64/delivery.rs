//! Cases about how traps are delivered: what happens when a fault needs memory that faults.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rt::descriptor::{PAGE_FAULT, reset_gate};
use rt::space::FRAME;
use rt::{check, tlb};

use super::access::{
    BREAKPOINT, break_on, double_fault, page_fault, read, read_on, without_gate, write,
};
use super::bits::{ACCESSED, DIRTY};
use super::{access, user};
use crate::Case;
use crate::arena::{Arena, get, mark, page, set};

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("fault-on-a-fresh-stack", fault_on_a_fresh_stack),
    ("fault-on-no-stack", fault_on_no_stack),
    ("fault-without-a-gate", fault_without_a_gate),
    ("not-canonical", not_canonical),
    ("string-across-a-fault", string_across_a_fault),
];

/// A fault, and a breakpoint, whose frames are the first thing on their stack's page.
fn fault_on_a_fresh_stack() {
    let mut arena = user::arena();
    for turn in 0..3 {
        for (index, expected) in [(1, page_fault(0, page(20))), (2, BREAKPOINT)] {
            let (entry, value) = (arena.entry(index), arena.value(index));
            set(entry, value & !(ACCESSED | DIRTY));
            tlb::page(1, page(index));
            let stack = page(index) + FRAME;
            let tried = if index == 1 { read_on(stack, page(20)) } else { break_on(stack) };
            check!(tried == expected, "turn {turn}: {tried:x?}");
            let noted = get(entry) & (ACCESSED | DIRTY);
            check!(noted == ACCESSED | DIRTY, "turn {turn}: the stack's page has {noted:#x}");
        }
    }
    arena.space.destroy();
}

/// A fault whose frame cannot be stored is a double fault, and CR2 says what could not.
fn fault_on_no_stack() {
    let arena = Arena::new(1);
    let stack = page(40);
    for _ in 0..2 {
        let tried = read_on(stack, page(20));
        check!(tried == double_fault(stack - 8), "{tried:x?}");
    }
    check!(read(page(0)) == Ok(mark(0)), "a page is lost");
    arena.space.destroy();
}

/// A fault without a gate is a double fault, and CR2 says where it was. An emulator of SVM or VT-x may
/// forget what it was delivering if a hypervisor gave it that; then only the gate is missed.
fn fault_without_a_gate() {
    let forgotten = without_gate(PAGE_FAULT);
    let arena = Arena::new(1);
    for _ in 0..2 {
        rt::descriptor::clear_gate(PAGE_FAULT);
        let tried = read(page(20));
        reset_gate(PAGE_FAULT);
        check!(tried == double_fault(page(20)) || tried == forgotten, "{tried:x?}");
        check!(read(page(20)) == page_fault(0, page(20)), "a fault with a gate is none");
    }
    arena.space.destroy();
}

/// An address between the halves belongs to neither, which is not a page fault.
fn not_canonical() {
    let arena = Arena::new(1);
    for va in [1 << 47, (1 << 63) - 8, 1 << 63, (!0 << 47) - 8, 0x5a00_0000_0000_0000] {
        check!(read(va) == access::PROTECTED, "{va:#x} is somewhere");
        check!(write(va, 0) == access::PROTECTED, "{va:#x} is somewhere");
    }
    arena.space.destroy();
}

/// The entry that the handler of [`string_across_a_fault`] makes, and its value.
static MISSING: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
/// How many faults it handled.
static HANDLED: AtomicU64 = AtomicU64::new(0);

/// A string instruction that faults in its midst goes on where it was.
fn string_across_a_fault() {
    const BYTES: usize = 2 * FRAME as usize;
    let mut arena = Arena::new(1);
    let missing = arena.entry(4);
    rt::fault::set_handler(|exception| {
        let Some(fault) = exception.fault() else { return false };
        HANDLED.fetch_add(1, Relaxed);
        let [entry, value] = [0, 1].map(|word| MISSING[word].load(Relaxed));
        set(entry as *mut u64, value);
        fault.address == page(4) && exception.rcx == FRAME
    });
    MISSING[0].store(missing.addr() as u64, Relaxed);
    MISSING[1].store(arena.value(4), Relaxed);
    for turn in 1..4_u8 {
        set(missing, 0);
        tlb::page(1, page(4));
        let (left, end): (u64, u64);
        // SAFETY: two pages of the arena's, of which the handler maps the second.
        unsafe {
            core::arch::asm!("rep stosb", inout("rcx") BYTES => left, inout("rdi") page(3) => end,
                in("al") turn, options(nostack));
        }
        check!(left == 0 && end == page(5), "{left} bytes are left, at {end:#x}");
        check!(HANDLED.swap(0, Relaxed) == 1, "not one fault in turn {turn}");
        let expected = u64::from_ne_bytes([turn; 8]);
        for word in 0..BYTES as u64 / 8 {
            let held = read(page(3) + word * 8);
            check!(held == Ok(expected), "word {word} is {held:x?}");
        }
    }
    crate::access::start();
    check!(read(page(5)) == Ok(mark(5)), "a byte too many was stored");
    arena.space.destroy();
}
