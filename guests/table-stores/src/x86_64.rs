//! What stores on x86-64.

use core::arch::{global_asm, x86_64::__cpuid};

use rt::space;
use rt::{check, println, tlb};

use super::{CLEARS, Kind, kinds};
use crate::{ENTRIES, MOST, Table, address, mark};

global_asm!(include_str!("x86_64/stores.s"));
global_asm!(include_str!("x86_64/arithmetic.s"));
global_asm!(include_str!("x86_64/wide.s"));

/// The kind that is one store of eight bytes.
pub(crate) const PLAIN: &str = "mov";

kinds! {
    "mov" stores_mov 1;
    "mov-l" stores_mov_l 1;
    "mov-w" stores_mov_w 1;
    "mov-b" stores_mov_b 1;
    "mov-ah" stores_mov_ah 1;
    "mov-imm" stores_mov_imm 1, CLEARS;
    "mov-imm-l" stores_mov_imm_l 1, CLEARS;
    "mov-imm-w" stores_mov_imm_w 1, CLEARS;
    "mov-imm-b" stores_mov_imm_b 1, CLEARS;
    "mov-sib" stores_mov_sib 1;
    "mov-disp" stores_mov_disp 1;
    "mov-address32" stores_mov_address32 1;
    "mov-gs" stores_mov_gs 1;
    "mov-unaligned" stores_mov_unaligned 2;
    "movnti" stores_movnti 1;
    "movnti-l" stores_movnti_l 1;
    "movbe" stores_movbe 1 => MOVBE;
    "setcc" stores_setcc 1, CLEARS;
    "push" stores_push 1;
    "push-imm" stores_push_imm 1, CLEARS;
    "push-mem" stores_push_mem 1;
    "pop-mem" stores_pop_mem 1;
    "call" stores_call 1;
    "stosq" stores_stosq 2;
    "stosq-down" stores_stosq_down 2;
    "rep-stosq" stores_rep_stosq 8, CLEARS;
    "rep-stosq-down" stores_rep_stosq_down 8, CLEARS;
    "rep-stosd" stores_rep_stosd 8, CLEARS;
    "rep-stosw" stores_rep_stosw 8, CLEARS;
    "rep-stosb" stores_rep_stosb 8, CLEARS;
    "movsq" stores_movsq 2;
    "rep-movsq" stores_rep_movsq 8;
    "rep-movsq-down" stores_rep_movsq_down 8;
    "rep-movsd" stores_rep_movsd 8;
    "rep-movsb" stores_rep_movsb 8;
    "xchg" stores_xchg 1;
    "xchg-l" stores_xchg_l 1;
    "xchg-unaligned" stores_xchg_unaligned 2;
    "cmpxchg" stores_cmpxchg 1;
    "cmpxchg-fails" stores_cmpxchg_fails 1;
    "cmpxchg8b" stores_cmpxchg8b 1;
    "cmpxchg16b" stores_cmpxchg16b 2;
    "xadd" stores_xadd 1;
    "add" stores_add 1;
    "sub" stores_sub 1;
    "adc" stores_adc 1;
    "sbb" stores_sbb 1;
    "xor" stores_xor 1;
    "and-or" stores_and_or 1;
    "add-plain" stores_add_plain 1;
    "and-imm" stores_and_imm 1, CLEARS;
    "inc-dec" stores_inc_dec 1;
    "not" stores_not 1;
    "neg" stores_neg 1;
    "rol" stores_rol 1;
    "shld" stores_shld 1;
    "bts-btr-imm" stores_bts_btr_imm 1;
    "btc-far" stores_btc_far 1;
    "btc-before" stores_btc_before 1;
    "movaps" stores_movaps 2;
    "movups" stores_movups 2;
    "movups-unaligned" stores_movups_unaligned 3;
    "movdqa" stores_movdqa 2;
    "movdqu" stores_movdqu 2;
    "movntps" stores_movntps 2;
    "movntdq" stores_movntdq 2;
    "movq-xmm" stores_movq_xmm 1;
    "movq-rex" stores_movq_rex 1;
    "movd-xmm" stores_movd_xmm 1;
    "movlps-movhps" stores_movlps_movhps 2;
    "movsd-xmm" stores_movsd_xmm 1;
    "maskmovdqu" stores_maskmovdqu 2;
}

/// MOVBE (CPUID leaf 1, ECX).
const MOVBE: u32 = 1 << 22;

/// What the processor says that it has.
pub(crate) fn features() -> u32 {
    __cpuid(1).ecx & MOVBE
}

unsafe extern "C" {
    fn stores_fxsave(at: *mut u64);
}

/// Stores that are no kind: 512 bytes at once, and one that ends in the page behind the table.
pub(crate) fn others(table: &Table) {
    fxsave(table);
    across_end(table);
}

/// FXSAVE into the table; what it makes of the entries is no translation to be used.
fn fxsave(table: &Table) {
    /// Entries that it changes.
    const COUNT: usize = 512 / 8;
    /// What it stores, apart.
    #[repr(C, align(16))]
    struct Area([u64; COUNT]);
    let mut area = Area([0; COUNT]);
    // SAFETY: the area is large enough, and aligned.
    unsafe { stores_fxsave(area.0.as_mut_ptr()) };
    for first in [0, ENTRIES / 2, ENTRIES - COUNT] {
        for entry in first..first + COUNT {
            // SAFETY: an entry of the table.
            unsafe { space::store(table.slot(entry), 0) };
        }
        // SAFETY: entries of the table whose pages nobody uses.
        unsafe { stores_fxsave(table.slot(first)) };
        for (entry, expected) in (first..).zip(area.0) {
            // SAFETY: an entry of the table.
            let held = unsafe { space::load(table.slot(entry)) };
            check!(held == expected, "fxsave: entry {entry} holds {held:#x}, not {expected:#x}");
            // SAFETY: as above.
            unsafe { space::store(table.slot(entry), table.value(0, entry)) };
        }
        tlb::space(table.space.asid());
        for page in first..first + COUNT {
            table.expect(page, Some(mark(0, page)), "fxsave");
        }
    }
    println!("@ table-stores store=fxsave entries={COUNT}");
}

/// Clears and makes half of the last entry by stores that end in the page behind the table.
fn across_end(table: &Table) {
    const HALF: u32 = 32;
    let Some(plain) = KINDS.iter().find(|kind| kind.name == PLAIN) else { return };
    let last = ENTRIES - 1;
    let behind = table.slot(ENTRIES);
    // SAFETY: the 8 bytes behind the table, which is identity-mapped with them.
    let next = unsafe { space::load(behind) };
    let whole = table.value(0, last);
    for entry in [u64::from(whole as u32), whole] {
        let across = [entry >> HALF | next << HALF; MOST];
        // SAFETY: half an entry of the table, and four bytes that stay as they are.
        unsafe { (plain.change)(behind.wrapping_byte_sub(4), across.as_ptr(), across.as_ptr()) };
        // SAFETY: as above.
        let kept = unsafe { space::load(behind) };
        // SAFETY: an entry of the table.
        let held = unsafe { space::load(table.slot(last)) };
        check!((kept, held) == (next, entry), "across the end: {kept:#x}, {held:#x}");
        tlb::pages(table.space.asid(), address(last).addr() as u64, 1);
        // The upper half of an entry says that nothing is executed, and no more.
        table.expect(last, Some(mark(0, last)), "across the end");
    }
    println!("@ table-stores store={PLAIN}-across-end entries=1");
}
