//! Umbra on a PC: where everything comes together, once, at boot.

use core::fmt::Write;
use core::panic::PanicInfo;

use arch_x86_64::console::Serial;
use arch_x86_64::interrupt::{Frame, Vectors};
use arch_x86_64::segment::Segments;
use arch_x86_64::{boot, clock, interrupt, power};
use hv_abi::record;
use linked_list_allocator::LockedHeap;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// Prints an error record and turns the machine off.
fn fail(message: impl core::fmt::Display) -> ! {
    // SAFETY: nothing else prints any more.
    let mut line = unsafe { Serial::new() };
    let (mark, word) = (record::MARK as char, record::WORD);
    // The line does not fail.
    let _ = writeln!(line, "\n{mark}{word} error message=\"{message}\"");
    line.drain();
    power::off()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    fail(format_args!("the hypervisor panicked: {info}"))
}

/// Where vectors.s goes for an exception of the hypervisor's own.
#[unsafe(no_mangle)]
extern "C" fn host_exception(frame: &Frame) -> ! {
    fail(format_args!("an exception in the hypervisor: {frame}"))
}

/// Where start.s goes on, with the address of the multiboot information.
#[unsafe(no_mangle)]
extern "C" fn main(information: u32) -> ! {
    static mut SEGMENTS: Segments = Segments::NEW;
    static mut VECTORS: Vectors = Vectors::NEW;
    let segments = &raw mut SEGMENTS;
    let vectors = &raw mut VECTORS;
    // SAFETY: this function runs once, and the name is known here alone.
    let segments = unsafe { &mut *segments }.load();
    // SAFETY: the same.
    unsafe { &mut *vectors }.load();
    let map = unsafe { boot::memory_map(information) };
    let unit = clock::start();
    fail(format_args!(
        "no virtualization yet: {:x?} {} {} {:?} {}",
        map,
        unit.name(),
        clock::frequency(),
        segments.selectors(),
        interrupt::nmis()
    ))
}
