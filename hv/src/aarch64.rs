//! Umbra on Arm: where everything comes together, once, at boot.

use core::ptr::NonNull;

use arch_aarch64::console::Serial;
use arch_aarch64::gic::Gic;
use arch_aarch64::phys::{Pairs, PhysicalMemory};
use arch_aarch64::tlb::Broadcast;
use arch_aarch64::vcpu::{self, Context};
use arch_aarch64::{boot, feature};
use dtoolkit::fdt::Fdt;
use hv::boot::devicetree::Host;
use hv::boot::{BootError, Range};
use hv::device::virt::Virt;
use hv::machine::{GuestConsole, Machine, Shared};
use hv::phase::Phases;
use paging::addr::PAGE_SIZE;
use paging::layout::Layout;
use paging::mem::Env;
use paging::pool::Pool;
use paging::tree::MapError;

use crate::image::{self, Plans, Probes, SerialLine, fail};
#[cfg(feature = "shadow")]
use crate::switches::Built;

/// The instruction set's name in the report.
pub(crate) const ARCH: &str = "aarch64";
/// And the virtualization hardware's.
const HARDWARE: &str = "el2";

/// The paging mode of this build.
#[cfg(feature = "shadow")]
type Mmu = arch_aarch64::shadow::ShadowMmu<Built>;
#[cfg(not(feature = "shadow"))]
type Mmu = arch_aarch64::nested::NestedMmu;

/// The types of this build's machine.
#[derive(Debug)]
enum Arm {}

impl Env for Arm {
    type Memory = PhysicalMemory;
    type Tlb = Broadcast;
    type Probe = Probes;
}

impl arch::Platform for Arm {
    type Env = Self;
    type Vcpu = Context;
    type Mmu = Mmu;
    type Interrupts = Gic;
}

/// Where QEMU's `virt` and its kin have their first PL011: for errors before the device tree is read.
const EARLY_SERIAL: usize = 0x0900_0000;

/// The serial line for a last word.
///
/// # Safety
///
/// Nothing else prints any more.
pub(crate) unsafe fn last_line() -> Option<Serial> {
    // SAFETY: by the caller, and the address is a PL011 on the machines that this image boots on
    // before it has read their device tree.
    NonNull::new(EARLY_SERIAL as *mut u8).map(|registers| unsafe { Serial::new(registers) })
}

/// An exception of the hypervisor's own.
fn host_exception(vector: u64) -> ! {
    fail(format_args!("an exception in the hypervisor: vector={vector} {}", vcpu::HostState))
}

/// Where start.s goes on, with the address of the device tree.
#[unsafe(no_mangle)]
extern "C" fn main(tree: *const u8) -> ! {
    vcpu::install_vectors::<Probes>(host_exception);
    image::finish(start(tree))
}

/// Makes the machine that the bundle describes, runs it, and reports.
fn start(tree: *const u8) -> Result<(), BootError> {
    feature::check().map_err(|missing| BootError::Lacks(missing.message()))?;
    // SAFETY: the boot protocol puts a device tree there, and nobody writes to it.
    let tree = unsafe { Fdt::from_raw(tree) }.map_err(|_| BootError::DeviceTree)?;
    let host = Host::read(tree)?;
    let tree_start = tree.data().as_ptr() as u64;
    let tree_end = tree_start + tree.data().len() as u64;
    let tree_pages =
        Range { start: tree_start & !(PAGE_SIZE - 1), end: tree_end.next_multiple_of(PAGE_SIZE) };
    // SAFETY: this function runs once, the device tree tells what is RAM, and there is no map yet.
    let plans = unsafe { Plans::make(&[host.ram], Some(tree_pages), u64::MAX) }?;
    let devices = [host.serial, host.distributor, host.redistributor];
    // SAFETY: there are no other devices, and the MMU is off.
    unsafe { plans.map(&devices, Pairs::UNCACHED) }?;
    run(&host, &plans)
}

/// Makes the machine and runs it.
fn run(host: &Host, plans: &Plans) -> Result<(), BootError> {
    // SAFETY: the plan is mapped, and there is no machine yet.
    unsafe { plans.load(boot::publish_code) };
    // SAFETY: the plan is mapped, and the MMU is on.
    let (layout, memory, mut pool) = unsafe { plans.memory(Pairs::cached()) };
    let mut tlb = Broadcast;
    let mmu = make_mmu(&memory, &mut pool, &mut tlb, &layout, plans)
        .map_err(|_| BootError::TooFewFrames)?;

    let address = |range: &Range| {
        NonNull::new(range.start as *mut u8)
            .ok_or(BootError::Lacks("a device's registers are at address 0"))
    };
    // SAFETY: the device tree names the registers of this machine's GIC; they are mapped as device
    // memory and used by this instance alone.
    let mut interrupts =
        unsafe { Gic::new(address(&host.distributor)?, address(&host.redistributor)?) };
    // SAFETY: the device tree names the registers of a PL011; they are mapped, and until the machine is
    // turned off nothing else uses them.
    let mut serial = unsafe { Serial::new(address(&host.serial)?) };
    serial.notify_receive();
    interrupts
        .enable_shared(host.serial_interrupt, boot::affinity())
        .map_err(|_| BootError::Lacks("the PL011's interrupt is no shared one"))?;

    let bundle = &plans.bundle;
    let board = Virt::new(bundle.devices).map_err(|_| BootError::BadDevices)?;
    let mut machine: Machine<Arm, Virt, SerialLine> = Machine {
        vcpu: Context::new(bundle.header.entry, bundle.header.argument),
        mmu,
        // SAFETY: this function runs once.
        shared: Shared { memory, pool, tlb, probe: unsafe { image::probe() } },
        board,
        interrupts,
        console: GuestConsole { line: SerialLine(serial) },
        phases: Phases::NONE,
    };
    // SAFETY: the machine stays where it is until the guest is over and this function returns.
    unsafe { machine.vcpu.make_current() };
    plans.run(&mut machine, HARDWARE);
    Ok(())
}

#[cfg(not(feature = "shadow"))]
fn make_mmu(
    memory: &PhysicalMemory,
    pool: &mut Pool,
    tlb: &mut Broadcast,
    layout: &Layout,
    plans: &Plans,
) -> Result<Mmu, MapError> {
    Mmu::new(&mut paging::tree::Tools { memory, pool, tlb }, layout, plans.bundle.largest)
}

#[cfg(feature = "shadow")]
fn make_mmu(
    memory: &PhysicalMemory,
    pool: &mut Pool,
    tlb: &mut Broadcast,
    layout: &Layout,
    plans: &Plans,
) -> Result<Mmu, MapError> {
    use arch_aarch64::shadow::Span;
    use paging::addr::Hpa;

    let span = |range: &Range| Span { start: Hpa::from_bits(range.start), size: range.size() };
    Mmu::new(
        memory,
        pool,
        tlb,
        layout,
        plans.bundle.largest,
        &[span(&plans.plan.guest), span(&plans.plan.pool)],
        Built,
    )
}
