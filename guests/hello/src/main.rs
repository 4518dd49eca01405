//! `hello`: a greeting, the machine, and a check of each part of the runtime.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rt::fault::{self, Cause};
use rt::space::{self, Access, FRAME, Space, UPPER, USER};
use rt::{check, frames, interrupt, println};

rt::entry!(main);

/// What the checks write and read back.
const WORD: u64 = 0x0123_4567_89ab_cdef;

fn main() {
    let machine = rt::machine();
    println!("hello from {}", if machine.umbra { "Umbra" } else { "the bare machine" });
    println!("@ hello ram={:#x} bytes={}", machine.ram.start, machine.ram_size());
    for (index, argument) in rt::args().enumerate() {
        println!("@ hello argument={index} value={argument}");
    }
    clock();
    heap();
    lower_half();
    upper_half();
    interrupts();
}

/// The clock goes on. A slow one ticks once in many instructions.
fn clock() {
    const PATIENCE: u32 = 100_000;
    let start = rt::ticks();
    check!((0..PATIENCE).any(|_| rt::ticks() > start), "the clock stands still");
    println!("@ hello check=clock frequency={}", rt::clock::frequency());
}

/// The heap gives what was put in.
fn heap() {
    let squares: Vec<u64> = (0..1000).map(|n| n * n).collect();
    let sum: u64 = squares.iter().sum();
    check!(sum == 332_833_500, "the heap lost something: {sum}");
    println!("@ hello check=heap sum={sum}");
}

/// Pages of its own, in two spaces that do not see each other, and a fault that is handled.
fn lower_half() {
    let (frame, other) = (frames::take(), frames::take());
    let page = USER as *mut u64;
    let mut spaces = [Space::new(1), Space::new(2)];
    for (space, frame) in spaces.iter_mut().zip([frame, other]) {
        // SAFETY: the frame is ours.
        unsafe { space.map(USER, frame, Access::ReadWrite) };
    }
    for (space, word) in spaces.iter().zip([WORD, !WORD]) {
        space.activate();
        // SAFETY: the page was mapped above.
        unsafe { page.write_volatile(word) };
    }
    for (frame, word) in [(frame, WORD), (other, !WORD)] {
        // SAFETY: a frame of ours, by the identity map.
        let read = unsafe { frame.words().read_volatile() };
        check!(read == word, "a space's page reads {read:#x} by the identity map");
    }
    fault::set_handler(|exception| {
        let expected = USER + FRAME;
        let fault = exception.fault();
        exception.skip_instruction();
        fault.is_some_and(|f| f.address == expected && f.cause == Cause::NotPresent && !f.write)
    });
    // SAFETY: the handler skips the read.
    let _ = unsafe { rt::exact::load((USER + FRAME) as *const u64) };
    fault::clear_handler();
    spaces.into_iter().for_each(Space::destroy);
    println!("@ hello check=spaces count=2");
}

/// A page of the upper half.
fn upper_half() {
    let frame = frames::take();
    let mut space = Space::upper();
    // SAFETY: the frame is ours.
    unsafe { space.map(UPPER, frame, Access::ReadWrite) };
    space.activate_upper();
    // SAFETY: the page was mapped above.
    unsafe { (UPPER as *mut u64).write_volatile(WORD) };
    // SAFETY: a frame of ours, by the identity map.
    let read = unsafe { frame.words().read_volatile() };
    check!(read == WORD, "the upper half's page reads {read:#x} by the identity map");
    space::deactivate_upper();
    println!("@ hello check=upper read={read:#x}");
}

/// How often the timer, and this CPU itself, interrupted.
static TIMER: AtomicU32 = AtomicU32::new(0);
/// See [`TIMER`].
static SELF: AtomicU32 = AtomicU32::new(0);

/// The interrupt that the CPU sends itself.
const SELF_INTERRUPT: u32 = 3;

/// The timer interrupts, and so does this CPU itself.
fn interrupts() {
    interrupt::start();
    interrupt::set_handler(|id| match id {
        interrupt::TIMER => {
            interrupt::stop_timer();
            TIMER.fetch_add(1, Relaxed);
        }
        SELF_INTERRUPT => {
            SELF.fetch_add(1, Relaxed);
        }
        _ => {}
    });
    interrupt::enable(interrupt::TIMER);
    interrupt::enable(SELF_INTERRUPT);
    interrupt::unmask();
    for _ in 0..3 {
        let before = TIMER.load(Relaxed);
        interrupt::set_timer(rt::ticks() + 10_000);
        while TIMER.load(Relaxed) == before {
            core::hint::spin_loop();
        }
    }
    interrupt::send_to_self(SELF_INTERRUPT);
    while SELF.load(Relaxed) == 0 {
        core::hint::spin_loop();
    }
    interrupt::mask();
    println!("@ hello check=interrupts timer={} self={}", TIMER.load(Relaxed), SELF.load(Relaxed));
}
