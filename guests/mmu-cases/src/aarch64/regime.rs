//! Cases about the registers: halves and their sizes, ignored bytes, AT, the MMU off and on.

use core::arch::{asm, global_asm};

use rt::fault::Cause::NotPresent;
use rt::space::{self, Access, FRAME, Frame, Space, UPPER};
use rt::{check, entry, tlb};

use crate::Case;
use crate::aarch64::access::synchronize_code;
use crate::aarch64::bits::{
    EPD1, NOT_GLOBAL, PAR_ADDRESS, PAR_FAILED, T0SZ, T0SZ_39, T1SZ, T1SZ_39, TBI0,
};
use crate::access::{read, write};
use crate::arena::{Arena, get, mark, page, set, slot, table};

global_asm!(include_str!("inside.s"), options(raw));

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("upper-half", upper_half),
    ("upper-half-39-bits", upper_half_39),
    ("upper-half-disabled", upper_half_disabled),
    ("lower-half-39-bits", lower_half_39),
    ("mmu-off-and-on", mmu_off_and_on),
    ("top-byte-ignored", top_byte_ignored),
    ("address-translate", address_translate),
    ("neither-half", neither_half),
];

unsafe extern "C" {
    static inside_start: u8;
    static inside_end: u8;
    fn inside_call(
        slot: u64,
        page: u64,
        one: u64,
        other: u64,
        turns: u64,
        operand: u64,
        code: u64,
        stack: u64,
    ) -> u64;
    fn regime_change(at: u64, value: u64, root: u64, control: u64);
}

/// Copies the code of `inside.s` to `frame`, runs it at `code` with the page `stack` as its stack,
/// and lets it change the entry at `slot` of the page `page` to `values` in turn; returns the sum of
/// what the page gave. The arena has ASID 1.
pub(crate) fn run_inside(
    frame: Frame,
    code: u64,
    stack: u64,
    slot: u64,
    page: u64,
    values: [u64; 2],
    turns: u64,
) -> u64 {
    let source = &raw const inside_start;
    let bytes = (&raw const inside_end).addr() - source.addr();
    // SAFETY: the code is shorter than a page; the frame is the caller's.
    unsafe { source.copy_to_nonoverlapping(frame.words().cast(), bytes) };
    (0..bytes as u64).step_by(16).for_each(|at| synchronize_code(frame.address() + at));
    let operand = (1 << 48) | (page >> 12);
    // SAFETY: the code changes this entry alone, and the caller-saved registers.
    unsafe { inside_call(slot, page, values[0], values[1], turns, operand, code, stack + FRAME) }
}

/// TCR_EL1.
fn control() -> u64 {
    let value;
    // SAFETY: reading changes nothing.
    unsafe { asm!("mrs {}, tcr_el1", out(reg) value, options(nomem, nostack)) };
    value
}

/// Sets TCR_EL1, and forgets all translations.
fn set_control(value: u64) {
    // SAFETY: the cases change nothing that code, stack and data depend on.
    unsafe { asm!("msr tcr_el1, {}", "isb", in(reg) value, options(nostack)) };
    tlb::all();
}

/// Pages of the upper half come, change and go.
fn upper_half() {
    let arena = Arena::new(1);
    let mut upper = Space::upper();
    let slot = upper.entry(UPPER + 5 * FRAME);
    let at = UPPER + 5 * FRAME;
    upper.activate_upper();
    for turn in 0..3 {
        check!(read(at) == Err(NotPresent), "a page of the upper half is there already");
        set(slot, arena.value(turn) & !NOT_GLOBAL);
        tlb::publish();
        check!(read(at) == Ok(mark(turn)), "a page of the upper half is not there");
        check!(read(at & !UPPER) == Err(NotPresent), "it is in the lower half too");
        arena.space.activate();
        check!(read(at) == Ok(mark(turn)), "it goes with the lower half's root");
        set(slot, 0);
        tlb::page(0, at);
    }
    space::deactivate_upper();
    upper.destroy();
    arena.space.destroy();
}

/// The upper half with 39 bits: a root of level 2.
fn upper_half_39() {
    let arena = Arena::new(1);
    let (root, lower, leaf) = (table(), table(), table());
    set(slot(root, 2), entry::table(lower));
    set(slot(lower, 3), entry::table(leaf));
    set(slot(leaf, 4), arena.value(4) & !NOT_GLOBAL);
    let at = (!0 << 39) | (2 << 30) | (3 << 21) | (4 << 12);
    let old = control();
    // SAFETY: the guest uses nothing of the upper half.
    unsafe { asm!("msr ttbr1_el1, {}", in(reg) root.address(), options(nostack)) };
    set_control(old & !T1SZ | T1SZ_39);
    check!(read(at) == Ok(mark(4)), "39 bits do not lead to frame 4");
    check!(read(UPPER) == Err(NotPresent), "there is more than 39 bits");
    check!(write(at, mark(4)) == Ok(0), "a page of 39 bits cannot be written");
    set(slot(leaf, 4), 0);
    tlb::all();
    check!(read(at) == Err(NotPresent), "the page is still there");
    set_control(old);
    space::deactivate_upper();
    arena.space.destroy();
    [root, lower, leaf].into_iter().for_each(rt::frames::give_back);
}

/// Walks of the upper half are disabled, and enabled again.
fn upper_half_disabled() {
    let arena = Arena::new(1);
    let mut upper = Space::upper();
    set(upper.entry(UPPER), arena.value(2) & !NOT_GLOBAL);
    upper.activate_upper();
    let old = control();
    check!(read(UPPER) == Ok(mark(2)), "a page of the upper half is not there");
    set_control(old | EPD1);
    check!(read(UPPER) == Err(NotPresent), "a half that is disabled is walked");
    check!(read(page(1)) == Ok(mark(1)), "the other half is disabled too");
    set_control(old);
    check!(read(UPPER) == Ok(mark(2)), "a half that is enabled again is not walked");
    space::deactivate_upper();
    upper.destroy();
    arena.space.destroy();
}

/// Changes TTBR0 and TCR with the MMU off, storing a word meanwhile.
fn change(root: u64, control: u64, at: u64, value: u64) {
    // SAFETY: code, stack and `at` are mapped to themselves before and after.
    unsafe { regime_change(at, value, root, control) };
}

/// The lower half with 39 bits: a root of level 2.
fn lower_half_39() {
    let arena = Arena::new(1);
    let (root, word) = (table(), arena.frame.plus(3));
    let kernel = entry::target(get(slot(arena.space.root(), 0)));
    (0..512).for_each(|index| set(slot(root, index), get(slot(kernel, index))));
    set(slot(root, 300), get(slot(arena.upper(), 0)));
    let at = (300 << 30) + 2 * FRAME;
    let old = control();
    change(root.address() | 1 << 48, old & !T0SZ | T0SZ_39, word.address(), 39);
    let (within, beyond) = (read(at), read(page(0)));
    change(arena.space.root().address() | 1 << 48, old, word.address() + 8, 48);
    check!(within == Ok(mark(2)), "39 bits do not lead to frame 2: {within:x?}");
    check!(beyond == Err(NotPresent), "there is more than 39 bits: {beyond:x?}");
    check!(read(page(0)) == Ok(mark(0)), "48 bits do not lead to frame 0");
    check!(read(page(3)) == Ok(39), "what was stored with the MMU off is lost");
    arena.space.destroy();
    rt::frames::give_back(root);
}

/// The MMU goes off and on; what is stored meanwhile stays, a table included.
fn mmu_off_and_on() {
    let mut arena = Arena::new(1);
    let root = arena.space.root().address() | 1 << 48;
    let (entry, value) = (arena.entry(0).addr() as u64, arena.value(8));
    for turn in 0..3 {
        change(root, control(), arena.frame.plus(1).address(), turn);
        check!(read(page(1)) == Ok(turn), "what was stored with the MMU off is lost");
        change(root, control(), entry, 0);
        check!(read(page(0)) == Err(NotPresent), "an entry that was cleared then still counts");
        change(root, control(), entry, value);
        check!(read(page(0)) == Ok(mark(8)), "an entry that was made then does not count");
    }
    arena.space.destroy();
}

/// TBI0 makes the top byte of an address a label.
fn top_byte_ignored() {
    /// A label in the top byte.
    const LABEL: u64 = 0x5a << 56;
    let mut arena = Arena::new(1);
    let old = control();
    check!(read(page(0) | LABEL) == Err(NotPresent), "the top byte is ignored unasked");
    set_control(old | TBI0);
    check!(read(page(0) | LABEL) == Ok(mark(0)), "the top byte is not ignored");
    check!(write(page(1) | LABEL, mark(1)) == Ok(0), "nor for writes");
    check!(read(page(20) | LABEL) == Err(NotPresent), "a page too many");
    set(arena.entry(20), arena.value(6));
    tlb::publish();
    check!(read(page(20) | LABEL) == Ok(mark(6)), "a page that was made is not there");
    set_control(old);
    check!(read(page(0) | LABEL) == Err(NotPresent), "the top byte is still ignored");
    arena.space.destroy();
}

/// What `AT S1E1R` and `AT S1E1W` say about an address.
fn translate(va: u64) -> [u64; 2] {
    let (read, write): (u64, u64);
    // SAFETY: the instructions change PAR_EL1 alone.
    unsafe {
        asm!("at s1e1r, {va}", "isb", "mrs {read}, par_el1",
            "at s1e1w, {va}", "isb", "mrs {write}, par_el1",
            va = in(reg) va, read = out(reg) read, write = out(reg) write, options(nostack));
    }
    [read, write]
}

/// AT gives the frame, or why there is none, whether the page was touched before or not.
fn address_translate() {
    let mut arena = Arena::new(1);
    let expect = |va: u64, frame: Option<Frame>, writable: bool| {
        let results = translate(va);
        for (result, allowed) in results.into_iter().zip([true, writable]) {
            let address = (result & PAR_FAILED == 0).then_some(result & PAR_ADDRESS);
            let expected = frame.filter(|_| allowed).map(Frame::address);
            check!(address == expected, "AT of {va:#x} gives {result:#x}");
        }
    };
    expect(page(0), Some(arena.frame), true);
    expect(page(20), None, false);
    let frame = arena.frame.plus(1);
    set(arena.entry(21), entry::page(frame, Access::ReadOnly));
    tlb::publish();
    expect(page(21), Some(frame), false);
    check!(read(page(21)) == Ok(mark(1)), "a page that AT has seen is not there");
    expect(page(21), Some(frame), false);
    set(arena.entry(21), 0);
    tlb::page(1, page(21));
    expect(page(21), None, false);
    expect(rt::machine().ram.start, Some(Frame::at(rt::machine().ram.start)), true);
    arena.space.destroy();
}

/// An address between the halves belongs to neither.
fn neither_half() {
    let arena = Arena::new(1);
    for at in [1 << 48, (1 << 55) - 8, UPPER - (1 << 47) - 8, 0x8000_0000_0000_0000] {
        check!(read(at) == Err(NotPresent), "{at:#x} is somewhere");
        check!(write(at, 0) == Err(NotPresent), "{at:#x} is somewhere");
    }
    arena.space.destroy();
}
