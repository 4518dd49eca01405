//! A stack where no kernel has one.

use core::arch::asm;

use rt::fault;
use rt::space::{self, Access, FRAME, Space, USER};
use rt::{check, frames, println};

/// The page whose leaf table is the stack.
const PAGE: u64 = USER + (2 << 20);
/// What its frame holds.
const WORD: u64 = 0x5eed;

/// Has its stack in a page table that is in use, and faults: the processor stores the frame there.
pub(crate) fn in_table() {
    let mut space = Space::new(1);
    let frame = frames::take();
    // SAFETY: a frame of ours.
    unsafe { frame.words().write_volatile(WORD) };
    // SAFETY: as above.
    unsafe { space.map(PAGE, frame, Access::ReadWrite) };
    let table = space.entry(PAGE);
    space.entry(USER);
    space.activate();
    fault::set_handler(|exception| {
        exception.skip_instruction();
        exception.fault().is_some()
    });
    check!(read() == WORD, "the page reads {:#x}", read());
    let top = table.addr() as u64 + FRAME;
    // SAFETY: the handler skips the read, one that `skip_instruction` knows.
    unsafe {
        asm!("xchg rsp, r12", "mov rsi, [rdi]", "xchg rsp, r12", inout("r12") top => _,
            in("rdi") USER, out("rsi") _);
    }
    fault::clear_handler();
    for index in 1..512 {
        // SAFETY: entries of the table; nothing is mapped by them.
        unsafe { space::store(table.wrapping_add(index), 0) };
    }
    check!(read() == WORD, "the page reads {:#x}", read());
    println!("@ misbehave table={}", space.tables());
    space.destroy();
}

/// Reads the page.
fn read() -> u64 {
    // SAFETY: it is mapped.
    unsafe { (PAGE as *const u64).read_volatile() }
}
