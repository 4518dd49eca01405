//! Cases about instructions that a hypervisor may have to execute itself, where more is asked of it than
//! their result: stores to live tables, and others that exit.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rt::space::{Access, FRAME};
use rt::{check, entry, interrupt, tlb};

use super::access::{TRACED, call, cr3, page_fault, read, trace};
use super::bits::{USER, executable};
use super::user;
use crate::Case;
use crate::arena::{Arena, get, mark, page, set};

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("traced-one-by-one", traced_one_by_one),
    ("interrupt-shadow", interrupt_shadow),
    ("halted-until-the-timer", halted_until_the_timer),
    ("store-across-code-pages", store_across_code_pages),
    ("store-in-compatibility-mode", store_in_compatibility_mode),
    ("store-in-user-mode", store_in_user_mode),
    ("flags-pushed", flags_pushed),
];

/// What takes as many interrupts as there is time for.
pub(crate) const TIMED: &[Case] = &[("interrupted-at-random", interrupted_at_random)];

unsafe extern "C" {
    fn trace_store(at: u64, value: u64) -> u64;
    fn trace_cpuid(first: u64, second: u64) -> u64;
    fn trace_cr3(root: u64, second: u64) -> u64;
    fn trace_in(first: u64, second: u64) -> u64;
    static trace_store_end: u8;
    static trace_cpuid_end: u8;
    static trace_cr3_end: u8;
    static trace_in_end: u8;
    fn shadow_store(at: u64, value: u64);
    fn shadow_cpuid(first: u64, second: u64);
    fn shadow_halt(first: u64, second: u64);
    static straddling_code: [u8; 8];
    fn store_compatible(at: u64, value: u64);
}

/// With the trap flag set, each instruction traps behind itself, done.
fn traced_one_by_one() {
    let mut arena = Arena::new(1);
    let (entry, value) = (arena.entry(0), arena.value(3));
    for turn in 0..3 {
        set(entry, 0);
        tlb::page(1, page(0));
        let expected = (TRACED, (&raw const trace_store_end).addr() as u64);
        let tried = trace(trace_store, entry.addr() as u64, value);
        check!(tried == expected, "a store, turn {turn}: {tried:x?}");
        check!(read(page(0)) == Ok(mark(3)), "what was stored does not count");
        let tries = [
            (trace(trace_cpuid, 0, 0), (&raw const trace_cpuid_end).addr()),
            (trace(trace_cr3, cr3(), 0), (&raw const trace_cr3_end).addr()),
            (trace(trace_in, 0, 0), (&raw const trace_in_end).addr()),
        ];
        for (index, (tried, end)) in tries.into_iter().enumerate() {
            check!(tried == (TRACED, end as u64), "instruction {index}: {tried:x?}");
        }
    }
    arena.space.destroy();
}

/// How often the timer interrupted.
static FIRED: AtomicU64 = AtomicU64::new(0);
/// An address that the handler reads, and what it found there.
static WATCHED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Starts the interrupt controller, with a handler that counts and watches.
fn start_timer(watched: u64) {
    FIRED.store(0, Relaxed);
    WATCHED[0].store(watched, Relaxed);
    interrupt::start();
    interrupt::set_handler(|id| {
        if id == interrupt::TIMER {
            let seen = get(WATCHED[0].load(Relaxed) as *mut u64);
            WATCHED[1].store(seen, Relaxed);
            FIRED.fetch_add(1, Relaxed);
        }
    });
    interrupt::enable(interrupt::TIMER);
}

/// An interrupt that waits comes behind the one instruction that STI keeps it from.
fn interrupt_shadow() {
    /// Long enough for the timer, in ticks.
    const LONG: u64 = 10_000;
    let mut arena = Arena::new(1);
    let entry = arena.entry(0).addr() as u64;
    start_timer(entry);
    for turn in 0..8 {
        let value = arena.value(turn % 4);
        interrupt::set_timer(0);
        let start = rt::ticks();
        while rt::ticks() - start < LONG {}
        check!(FIRED.load(Relaxed) == turn, "an interrupt comes although it is masked");
        if turn % 2 == 0 {
            // SAFETY: an entry of the arena's.
            unsafe { shadow_store(entry, value) };
            let seen = WATCHED[1].load(Relaxed);
            check!(seen == value, "the handler sees {seen:#x}: it comes before the store");
            tlb::page(1, page(0));
            check!(read(page(0)) == Ok(mark(turn % 4)), "what was stored does not count");
        } else {
            // SAFETY: the function changes nothing.
            unsafe { shadow_cpuid(0, 0) };
        }
        check!(FIRED.load(Relaxed) == turn + 1, "turn {turn}: no interrupt between STI and CLI");
    }
    arena.space.destroy();
}

/// HLT ends with the interrupt that it waits for.
fn halted_until_the_timer() {
    let arena = Arena::new(1);
    start_timer(arena.frame.address());
    for turn in 0..4 {
        let until = rt::ticks() + 50_000;
        interrupt::set_timer(until);
        // SAFETY: the function waits.
        unsafe { shadow_halt(0, 0) };
        let now = rt::ticks();
        check!(FIRED.load(Relaxed) == turn + 1, "turn {turn}: HLT ends by itself");
        // The timer's rate is measured, and may be off a little.
        check!(now + 1_000 > until, "the timer is {} ticks too early", until - now);
    }
    arena.space.destroy();
}

/// A store whose instruction stands in two pages, whose frames are not in a row.
fn store_across_code_pages() {
    /// Bytes of the instruction in the first page.
    const FIRST: u64 = 3;
    let mut arena = Arena::new(1);
    let code = [executable(arena.value(9)), executable(arena.value(5))];
    let at = [FRAME - FIRST, 0].into_iter().zip([9, 5]);
    let parts = [0..FIRST as usize, FIRST as usize..8];
    for ((offset, frame), part) in at.zip(parts) {
        let source = (&raw const straddling_code).cast::<u8>().wrapping_add(part.start);
        let target = (arena.frame.plus(frame).address() + offset) as *mut u8;
        // SAFETY: a frame of the arena's; the code has eight bytes.
        unsafe { source.copy_to_nonoverlapping(target, part.len()) };
    }
    (1..3).zip(code).for_each(|(index, value)| set(arena.entry(index), value));
    tlb::space(1);
    let entry = arena.entry(0);
    for turn in 0..3 {
        check!(read(page(0)) == Ok(mark(0)), "turn {turn}: a page is not there");
        let tried = call(page(2) - FIRST, entry.addr() as u64, 0);
        check!(tried.is_ok(), "the code between two pages: {tried:x?}");
        check!(get(entry) == 0, "it has not stored");
        tlb::page(1, page(0));
        check!(read(page(0)) == page_fault(0, page(0)), "what was cleared still counts");
        set(entry, arena.value(0));
    }
    arena.space.destroy();
}

/// Stores of code of 32 bits, whose PUSH stores four bytes.
fn store_in_compatibility_mode() {
    let mut arena = Arena::new(1);
    let (entry, neighbour) = (arena.entry(1), arena.entry(0));
    for turn in 0..4 {
        let (before, value) = (get(neighbour), arena.value(4 + turn));
        // SAFETY: an entry of the arena's, below 4 GiB like all of RAM.
        unsafe { store_compatible(entry.addr() as u64, value) };
        tlb::page(1, page(1));
        check!(get(entry) == value, "the entry holds {:#x}, not {value:#x}", get(entry));
        check!(get(neighbour) == before, "the entry before it was changed, too");
        check!(read(page(1)) == Ok(mark(4 + turn)), "what was stored does not count");
        check!(read(page(0)) == Ok(mark(0)), "the page before it is lost");
    }
    arena.space.destroy();
}

/// PUSHF stores the flags as they are, whoever watches.
fn flags_pushed() {
    let mut arena = Arena::new(1);
    let entry = arena.entry(0);
    for turn in 0..3 {
        set(entry, arena.value(0));
        check!(read(page(0)) == Ok(mark(0)), "turn {turn}: the page is not there");
        let flags: u64;
        // SAFETY: the stack is the entry for one instruction, while interrupts are masked.
        unsafe {
            asm!("xor {old:e}, {old:e}", "pushfq", "pop {flags}", "lea {old}, [{entry} + 8]",
                "xchg rsp, {old}", "pushfq", "xchg rsp, {old}", "sub {old}, {entry}",
                old = out(reg) _, flags = out(reg) flags, entry = in(reg) entry.addr());
        }
        check!(get(entry) == flags, "turn {turn}: {:#x}, not {flags:#x}", get(entry));
        tlb::page(1, page(0));
        check!(read(page(0)) == page_fault(0, page(0)), "turn {turn}: the page is still there");
    }
    arena.space.destroy();
}

/// User mode stores to a table that it may write.
fn store_in_user_mode() {
    let mut arena = user::arena();
    let leaf = entry::target(arena.entry(0).addr() as u64);
    set(arena.entry(100), entry::page(leaf, Access::ReadWrite) | USER);
    set(arena.entry(1), arena.value(1) | USER);
    tlb::space(1);
    for turn in 0..3 {
        let value = arena.value(2 + turn) | USER;
        check!(user::write(page(100) + 8, 0) == Ok(0), "user mode cannot write the table");
        tlb::page(1, page(1));
        check!(read(page(1)) == page_fault(0, page(1)), "page 1 is still there");
        check!(user::write(page(100) + 8, value) == Ok(0), "user mode cannot write the table");
        check!(user::read(page(1)) == Ok(mark(2 + turn)), "what it stored does not count");
    }
    arena.space.destroy();
}

/// Pages come and go while a timer interrupts anywhere.
fn interrupted_at_random() {
    /// The longest pause between two interrupts, in ticks.
    const PAUSE: u64 = 8192;
    let mut arena = Arena::new(1);
    start_timer(arena.frame.address());
    interrupt::unmask();
    let (mut seed, mut fired) = (1_u64, u64::MAX);
    for turn in 0..2000 {
        if FIRED.load(Relaxed) != fired {
            fired = FIRED.load(Relaxed);
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            interrupt::set_timer(rt::ticks() + (seed >> 40) % PAUSE);
        }
        let index = turn % 8;
        let entry = arena.entry(index);
        set(entry, 0);
        tlb::page(1, page(index));
        check!(read(page(index)) == page_fault(0, page(index)), "turn {turn}: a page is there");
        set(entry, arena.value(index));
        check!(read(page(index)) == Ok(mark(index)), "turn {turn}: a page is not there");
    }
    interrupt::mask();
    check!(FIRED.load(Relaxed) > 10, "only {} interrupts came", FIRED.load(Relaxed));
    arena.space.destroy();
}
