//! Umbra on a PC: where everything comes together, once, at boot.

use arch_x86_64::apic::{self, Apic};
use arch_x86_64::boot;
use arch_x86_64::console::{self, Serial};
use arch_x86_64::interrupt::{Frame, Vectors};
use arch_x86_64::interrupts::Interrupts;
use arch_x86_64::phys::Words;
use arch_x86_64::pic::Pic;
use arch_x86_64::segment::Segments;
use hv::boot::multiboot::Ram;
use hv::boot::{BootError, Range};
use paging::addr::PAGE_SIZE;

use crate::image::{self, Plans, fail};

/// The instruction set's name in the report.
pub(crate) const ARCH: &str = "x86_64";

/// The serial line for a last word.
///
/// # Safety
///
/// Nothing else prints any more.
pub(crate) unsafe fn last_line() -> Option<Serial> {
    // SAFETY: by the caller.
    Some(unsafe { Serial::new() })
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
    image::finish(start(information, segments))
}

/// Makes the machine that the bundle describes, runs it, and reports.
fn start(information: u32, segments: &'static Segments) -> Result<(), BootError> {
    // SAFETY: start.s has checked that a multiboot loader was there, and nothing has been written to since
    // but the image's own memory.
    let map = unsafe { boot::memory_map(information) };
    let ram = Ram::read(map.ok_or(BootError::Lacks("the loader gave no memory map"))?);
    // SAFETY: this function runs once, firmware told what is RAM, and start.s has mapped it so far.
    let plans = unsafe { Plans::make(ram.ranges(), None, boot::MAPPED) }?;
    let apic = apic::registers().and_then(|at| Range::new(at.bits(), PAGE_SIZE));
    // SAFETY: the other devices have ports.
    unsafe { plans.map(apic.as_slice(), Words) }?;
    run(&plans, segments)
}

/// Makes the machine and runs it.
fn run(plans: &Plans, segments: &'static Segments) -> Result<(), BootError> {
    // SAFETY: the plan is mapped, and there is no machine yet.
    unsafe { plans.load(|_| ()) };
    // SAFETY: the plan is mapped.
    let (layout, memory, pool) = unsafe { plans.memory(Words) };
    // SAFETY: until the machine is turned off nothing else uses the line.
    let mut serial = unsafe { Serial::new() };
    serial.notify_receive();
    // SAFETY: nothing else drives the controllers.
    let mut pic = unsafe { Pic::new() };
    pic.enable(console::INTERRUPT_LINE);
    // SAFETY: its registers are mapped, and the vectors are loaded.
    let apic = unsafe { Apic::new() };
    let interrupts = Interrupts::new(apic, pic);
    let _ = (layout, memory, pool, interrupts, segments.selectors());
    Err(BootError::Lacks("no virtualization yet"))
}
