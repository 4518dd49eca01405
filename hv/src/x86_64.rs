//! Umbra on a PC: where everything comes together, once, at boot.

use core::marker::PhantomData;

use arch_x86_64::apic::{self, Apic};
use arch_x86_64::boot;
use arch_x86_64::console::{self, Serial};
#[cfg(feature = "shadow")]
use arch_x86_64::cpuid;
use arch_x86_64::hardware::{Hardware, Lack, Paging};
use arch_x86_64::interrupt::{Frame, Vectors};
use arch_x86_64::interrupts::Interrupts;
use arch_x86_64::phys::Words;
use arch_x86_64::pic::Pic;
use arch_x86_64::segment::{Segments, Stack};
use arch_x86_64::svm::Svm;
#[cfg(not(feature = "shadow"))]
use arch_x86_64::tlb::Flusher;
use arch_x86_64::tlb::GuestTlb;
use arch_x86_64::vcpu::Context;
use arch_x86_64::vmx::Vmx;
use hv::boot::multiboot::Ram;
use hv::boot::{BootError, Range};
use hv::device::pc::Pc;
use hv::machine::{GuestConsole, Machine, Shared};
use hv::phase::Phases;
use hv_abi::bundle::Header;
use paging::addr::PAGE_SIZE;
use paging::layout::Layout;
use paging::mem::Env;
use paging::pool::Pool;
#[cfg(not(feature = "shadow"))]
use paging::tree::Tools;
use phys::PhysicalMemory;

use crate::image::{self, Plans, Probes, SerialLine, fail};
#[cfg(feature = "shadow")]
use crate::switches::Built;

/// The paging mode of this build.
#[cfg(feature = "shadow")]
type Mmu = arch_x86_64::shadow::ShadowMmu<Built>;
#[cfg(not(feature = "shadow"))]
type Mmu = arch_x86_64::nested::NestedMmu;

/// What a PC's paging modes work with, whoever made its processor.
#[derive(Debug)]
pub(crate) enum World {}

impl Env for World {
    type Memory = PhysicalMemory<Words>;
    type Tlb = GuestTlb;
    type Probe = Probes;
}

/// The types of this build's machine on the virtualization hardware `H`.
#[derive(Debug)]
pub(crate) struct On<H>(PhantomData<H>);

impl<H: Hardware> arch::Platform for On<H> {
    type Env = World;
    type Vcpu = Context<H>;
    type Mmu = Mmu;
    type Interrupts = Interrupts;
}

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
    static mut SEGMENTS: Segments = Segments::unloaded();
    static mut STACK: Stack = Stack::EMPTY;
    static mut VECTORS: Vectors = Vectors::NEW;
    let segments = &raw mut SEGMENTS;
    let stack = &raw mut STACK;
    let vectors = &raw mut VECTORS;
    // SAFETY: this function runs once, and the name is known here alone.
    let stack = unsafe { &mut *stack };
    // SAFETY: the same.
    unsafe { &mut *segments }.load(stack);
    // SAFETY: the same.
    unsafe { &mut *vectors }.load();
    image::finish(start(information))
}

/// Makes the machine that the bundle describes, runs it, and reports.
fn start(information: u32) -> Result<(), BootError> {
    boot::enable_extended_state();
    // SAFETY: start.s has checked that a multiboot loader was there, and nothing has been written to since
    // but the image's own memory.
    let map = unsafe { boot::memory_map(information) };
    let ram = Ram::read(map.ok_or(BootError::Lacks("the loader gave no memory map"))?);
    // SAFETY: this function runs once, firmware told what is RAM, and start.s has mapped it so far.
    let plans = unsafe { Plans::make(ram.ranges(), None, boot::MAPPED) }?;
    let apic = apic::registers().and_then(|at| Range::new(at.bits(), PAGE_SIZE));
    // SAFETY: the other devices have ports.
    unsafe { plans.map(apic.as_slice(), Words) }?;
    run(&plans)
}

/// Makes the machine on the virtualization hardware that there is, and runs it.
fn run(plans: &Plans) -> Result<(), BootError> {
    if Svm::is_there() { run_on::<Svm>(plans) } else { run_on::<Vmx>(plans) }
}

/// Makes the machine on `H`, and runs it.
fn run_on<H: Hardware>(plans: &Plans) -> Result<(), BootError> {
    // SAFETY: the plan is mapped, and there is no machine yet.
    unsafe { plans.load(|_| ()) };
    // SAFETY: the plan is mapped.
    let (layout, memory, mut pool) = unsafe { plans.memory(Words) };
    let (mmu, vcpu, tlb) = virtualize::<H>(&layout, &memory, &mut pool, plans)?;
    // SAFETY: until the machine is turned off nothing else uses the line.
    let mut serial = unsafe { Serial::new() };
    // SAFETY: nothing else drives the controllers.
    let mut pic = unsafe { Pic::new() };
    pic.enable(console::INTERRUPT_LINE);
    // Only now: the controllers forget the edges that they saw before.
    serial.notify_receive();
    // SAFETY: its registers are mapped, and the vectors are loaded.
    let apic = unsafe { Apic::new() };

    let mut machine: Machine<On<H>, Pc, SerialLine> = Machine {
        vcpu,
        mmu,
        // SAFETY: this function runs once.
        shared: Shared { memory, pool, tlb, probe: unsafe { image::probe() } },
        board: Pc::new(),
        interrupts: Interrupts::new(apic, pic),
        console: GuestConsole { line: SerialLine(serial) },
        phases: Phases::NONE,
    };
    plans.run(&mut machine, H::NAME);
    Ok(())
}

/// What of a machine depends on how its MMU is virtualized.
type Virtualized<H> = (Mmu, Context<H>, GuestTlb);

/// A guest over nested tables.
#[cfg(not(feature = "shadow"))]
fn virtualize<H: Hardware>(
    layout: &Layout,
    memory: &PhysicalMemory<Words>,
    pool: &mut Pool,
    plans: &Plans,
) -> Result<Virtualized<H>, BootError> {
    let Header { entry, argument, .. } = *plans.bundle.header;
    let mut tlb = GuestTlb::new(Flusher::None);
    let tools = &mut Tools { memory, pool, tlb: &mut tlb };
    let mmu = Mmu::new::<H, _, _>(tools, layout, plans.bundle.largest)
        .map_err(|_| BootError::TooFewFrames)?;
    let hardware = H::new(Paging::Nested(mmu.root()), entry as u32).map_err(lacks)?;
    let tlb = GuestTlb::new(hardware.flusher());
    Ok((mmu, Context::new(hardware, argument), tlb))
}

/// A guest over shadow tables.
#[cfg(feature = "shadow")]
fn virtualize<H: Hardware>(
    layout: &Layout,
    memory: &PhysicalMemory<Words>,
    pool: &mut Pool,
    plans: &Plans,
) -> Result<Virtualized<H>, BootError> {
    let Header { entry, argument, .. } = *plans.bundle.header;
    cpuid::check_reserved_bit().map_err(lacks)?;
    let hardware = H::new(Paging::Shadow, entry as u32).map_err(lacks)?;
    let mut tlb = GuestTlb::new(hardware.flusher());
    let mmu = Mmu::new(memory, pool, &mut tlb, layout, plans.bundle.largest, Built)
        .map_err(|_| BootError::TooFewFrames)?;
    let mut vcpu = Context::new(hardware, argument);
    mmu.start(&mut tlb, &mut vcpu);
    Ok((mmu, vcpu, tlb))
}

/// What the machine lacks, as an error of the boot.
const fn lacks(lack: Lack) -> BootError {
    BootError::Lacks(lack.message())
}
