//! Cases about values that control registers do not take: each is refused, and nothing changes.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rt::{check, interrupt, println};

use super::access::{self, Attempt, PROTECTED, call, cr0, cr3, cr4, cr8, msr, read};
use super::bits::{
    CR0_NW, CR0_PE, CR0_PG, CR4_PAE, CR4_PCIDE, CR4_RESERVED, EFER, EFER_LME, PAT_MSR, has_pcid,
    physical_bits,
};
use crate::Case;
use crate::arena::{Arena, mark, page};

/// The group.
pub(crate) const CASES: &[Case] = &[
    ("bad-cr0", bad_cr0),
    ("bad-cr3", bad_cr3),
    ("bad-cr4", bad_cr4),
    ("bad-efer", bad_efer),
    ("bad-pat", bad_pat),
    ("bad-cr8", bad_cr8),
    ("task-priority", task_priority),
];

unsafe extern "C" {
    fn set_cr0(value: u64);
    fn set_cr3(value: u64);
    fn set_cr4(value: u64);
    fn set_cr8(value: u64);
    fn set_msr(index: u64, value: u64);
}

/// Makes `write` of each value, and checks that it is refused and that nothing changed.
fn refuse(name: &str, get: impl Fn() -> u64, write: impl Fn(u64) -> Attempt, values: &[u64]) {
    let arena = Arena::new(1);
    let old = get();
    let values = if is_strict() { values } else { &[] };
    for value in values {
        let tried = write(*value);
        check!(tried == PROTECTED, "{name} of {value:#x}: {tried:x?}");
        check!(get() == old, "{name} was {old:#x} and is {:#x}", get());
        check!(read(page(0)) == Ok(mark(0)), "a page is lost");
    }
    println!("@ mmu-cases register={name}");
    arena.space.destroy();
}

/// Whether the machine refuses anything: some emulators take all values, and go wrong later. The value
/// tried has a bit that none of them knows, which does no harm.
fn is_strict() -> bool {
    control(set_cr0, cr0() | 1 << 32).is_err()
}

/// Calls one of the functions above.
fn control(function: unsafe extern "C" fn(u64), value: u64) -> Attempt {
    call(function as *const () as u64, value, 0)
}

/// Paging without protection, 64-bit code without paging, caches that are and are not
/// write-through, unknown bits.
fn bad_cr0() {
    let old = cr0();
    let values = [old & !CR0_PE, old & !CR0_PG, old | CR0_NW, old | 1 << 32];
    refuse("cr0", cr0, |value| control(set_cr0, value), &values);
}

/// An address that the processor does not have.
fn bad_cr3() {
    let root = cr3();
    let values = [root | 1 << physical_bits(), root | 1 << 51];
    refuse("cr3", cr3, |value| control(set_cr3, value), &values);
}

/// Long mode without the entries it needs, unknown bits, and tags where the current one is not 0.
fn bad_cr4() {
    let old = cr4();
    let values = [old & !CR4_PAE, old | CR4_RESERVED];
    refuse("cr4", cr4, |value| control(set_cr4, value), &values);
    if has_pcid() {
        let with_tag = |value| {
            access::set_cr3(cr3() | 1 << 3);
            let tried = control(set_cr4, value);
            access::set_cr3(cr3() & !(1 << 3));
            tried
        };
        refuse("cr4.pcide", cr4, with_tag, &[old | CR4_PCIDE]);
    }
}

/// Long mode is not left by EFER while paging is on; bits that mean nothing are not set.
fn bad_efer() {
    let old = msr(EFER);
    refuse_msr("efer", EFER, &[old & !EFER_LME, old | 1 << 1, old | 1 << 63]);
}

/// Memory types that there are not.
fn bad_pat() {
    let rest = msr(PAT_MSR) & !0xff;
    refuse_msr("pat", PAT_MSR, &[rest | 2, rest | 3, rest | 0x80, rest | 0xff]);
}

/// Writes values to a model-specific register.
fn refuse_msr(name: &str, index: u32, values: &[u64]) {
    let write = |value| call(set_msr as *const () as u64, index.into(), value);
    refuse(name, || msr(index), write, values);
}

/// A priority of more than four bits.
fn bad_cr8() {
    refuse("cr8", cr8, |value| control(set_cr8, value), &[0x10, 1 << 32, 1 << 63]);
}

/// How often the timer interrupted.
static FIRED: AtomicU64 = AtomicU64::new(0);

/// CR8 and the interrupt controller's register are one, and hold interrupts back.
fn task_priority() {
    /// The register's offset from that of the version.
    const OFFSET: usize = 0x80 - 0x30;
    /// Long enough for the timer, in ticks.
    const LONG: u64 = 10_000;
    let wait = || {
        let start = rt::ticks();
        while rt::ticks() - start < LONG {}
    };
    let register = interrupt::VERSION.wrapping_byte_add(OFFSET).cast_mut();
    interrupt::start();
    interrupt::set_handler(|_| {
        FIRED.fetch_add(1, Relaxed);
    });
    interrupt::enable(interrupt::TIMER);
    for turn in 1..4 {
        access::set_cr8(0xf);
        // SAFETY: a register of the interrupt controller's.
        let read = unsafe { register.read_volatile() };
        check!(read == 0xf0, "turn {turn}: the register reads {read:#x}");
        interrupt::set_timer(0);
        interrupt::unmask();
        wait();
        check!(FIRED.load(Relaxed) == turn - 1, "turn {turn}: an interrupt is not held back");
        if turn % 2 == 0 {
            access::set_cr8(0);
        } else {
            // SAFETY: as above.
            unsafe { register.write_volatile(0x10) };
            check!(cr8() == 1, "turn {turn}: CR8 reads {:#x}", cr8());
        }
        wait();
        check!(FIRED.load(Relaxed) == turn, "turn {turn}: an interrupt is held back for ever");
        interrupt::mask();
    }
    access::set_cr8(0);
}
