//! Umbra on Arm: where everything comes together, once, at boot.

use core::fmt::Write;
use core::panic::PanicInfo;
use core::ptr::NonNull;

use arch_aarch64::boot::{self, Region};
use arch_aarch64::clock;
use arch_aarch64::console::Serial;
use arch_aarch64::feature;
use arch_aarch64::gic::Gic;
use arch_aarch64::phys::{Pairs, PhysicalMemory};
use arch_aarch64::power;
use arch_aarch64::tlb::Broadcast;
use arch_aarch64::vcpu::{self, Context};
use dtoolkit::fdt::Fdt;
use hv::boot::{BootError, Bundle, Host, Plan, Range};
use hv::device::virt::Virt;
use hv::machine::{GuestConsole, Line, Machine, Shared};
use hv::phase::Phases;
use hv::report::{Facts, Report};
use hv_abi::record;
use linked_list_allocator::LockedHeap;
use paging::addr::{Frame, Hpa, PAGE_SIZE};
use paging::attrs::Memory as MemoryKind;
use paging::layout::Layout;
use paging::mem::Env;
use paging::pool::Pool;
use paging::tree::MapError;

#[cfg(all(feature = "nested", feature = "shadow"))]
compile_error!("the paging mode is nested or shadow, not both");

/// The probe of this build.
#[cfg(feature = "probes-full")]
type Probes = probe::Full<clock::Cycles>;
#[cfg(all(feature = "probes-counts", not(feature = "probes-full")))]
type Probes = probe::Counts;
#[cfg(not(any(feature = "probes-full", feature = "probes-counts")))]
type Probes = probe::Off;

/// The paging mode of this build.
#[cfg(feature = "shadow")]
type Mmu = arch_aarch64::shadow::ShadowMmu;
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

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// The serial line, as the library sees it.
struct SerialLine(Serial);

impl Write for SerialLine {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.write_str(text)
    }
}

impl Line for SerialLine {
    fn put(&mut self, byte: u8) {
        self.0.put(byte);
    }
    fn take(&mut self) -> Option<u8> {
        self.0.take()
    }
}

/// The symbols of the linker script. Only their addresses mean something.
mod symbol {
    unsafe extern "C" {
        static __image_start: u8;
        static __text_end: u8;
        static __rodata_end: u8;
        static __bss_end: u8;
        static __stack_bottom: u8;
        static __bundle: u8;
    }

    macro_rules! address {
        ($($name:ident = $symbol:ident;)*) => {$(
            /// The symbol's address.
            pub(super) fn $name() -> u64 {
                core::ptr::addr_of!($symbol) as u64
            }
        )*};
    }

    address! {
        image_start = __image_start;
        text_end = __text_end;
        rodata_end = __rodata_end;
        bss_end = __bss_end;
        stack_bottom = __stack_bottom;
        bundle = __bundle;
    }
}

/// Where QEMU's `virt` and its kin have their first PL011: for errors before the device tree is read.
const EARLY_SERIAL: usize = 0x0900_0000;

/// Prints an error record and turns the machine off.
fn fail(message: impl core::fmt::Display) -> ! {
    // SAFETY: nothing else prints any more, and the address is a PL011 on the machines that this
    // image boots on before it has read their device tree.
    if let Some(registers) = NonNull::new(EARLY_SERIAL as *mut u8) {
        // SAFETY: as above.
        let mut line = unsafe { Serial::new(registers) };
        let (mark, word) = (record::MARK as char, record::WORD);
        // The line does not fail.
        let _ = writeln!(line, "\n{mark}{word} error message=\"{message}\"");
        line.drain();
    }
    power::off()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    fail(format_args!("the hypervisor panicked: {info}"))
}

/// An exception of the hypervisor's own.
fn host_exception(vector: u64) -> ! {
    fail(format_args!("an exception in the hypervisor: vector={vector} {}", vcpu::HostState))
}

/// Where start.s goes on, with the address of the device tree.
#[unsafe(no_mangle)]
extern "C" fn main(tree: *const u8) -> ! {
    vcpu::install_vectors::<Probes>(host_exception);
    match start(tree) {
        Ok(()) => power::off(),
        Err(error) => fail(error.message()),
    }
}

/// Makes the machine that the bundle describes, runs it, and reports.
fn start(tree: *const u8) -> Result<(), BootError> {
    feature::check().map_err(|missing| BootError::Lacks(missing.message()))?;
    // SAFETY: the boot protocol puts a device tree there, and nobody writes to it.
    let tree = unsafe { Fdt::from_raw(tree) }.map_err(|_| BootError::DeviceTree)?;
    let host = Host::read(tree)?;
    let behind = host.ram.end.saturating_sub(symbol::bundle());
    // SAFETY: from the bundle's symbol on there is RAM, which the boot protocol filled and which is
    // not written before the bundle has been copied from.
    let bytes =
        unsafe { core::slice::from_raw_parts(symbol::bundle() as *const u8, behind as usize) };
    let bundle = Bundle::read(bytes)?;

    let image = Range {
        start: symbol::image_start(),
        end: (symbol::bundle() + bundle.header.length).next_multiple_of(PAGE_SIZE),
    };
    let tree_start = tree.data().as_ptr() as u64;
    let tree_end = tree_start + tree.data().len() as u64;
    let tree_pages =
        Range { start: tree_start & !(PAGE_SIZE - 1), end: tree_end.next_multiple_of(PAGE_SIZE) };
    let plan = hv::boot::plan(host.ram, &[image, tree_pages], &bundle)?;
    // SAFETY: the plan gives this range to the heap alone.
    unsafe { HEAP.lock().init(plan.heap.start as *mut u8, plan.heap.size() as usize) };
    map_memory(&host, &plan, &image)?;

    run(&host, &plan, &bundle)
}

/// Frames for the tables of the hypervisor's own map.
const MAP_FRAMES: usize = 24;

/// Makes the hypervisor's own map: its image by the rights of its sections, and what the plan names.
fn map_memory(host: &Host, plan: &Plan, image: &Range) -> Result<(), BootError> {
    #[repr(C, align(4096))]
    struct Frames([u8; MAP_FRAMES * PAGE_SIZE as usize]);
    static mut FRAMES: Frames = Frames([0; MAP_FRAMES * PAGE_SIZE as usize]);
    let frames = Hpa::from_bits((&raw mut FRAMES) as u64);

    let nothing = Layout::new(Frame::from_number(0), 0, frames.frame());
    // SAFETY: the frames are used here alone; there is no guest RAM.
    let memory = unsafe { PhysicalMemory::new(frames, MAP_FRAMES, nothing, Pairs::UNCACHED) };
    let mut pool = Pool::new(MAP_FRAMES as u32);

    let part = |start: u64, end: u64, write, execute| Region {
        start: Hpa::from_bits(start),
        size: end - start,
        write,
        execute,
        memory: MemoryKind::Normal,
    };
    let data = |range: &Range| Region::data(Hpa::from_bits(range.start), range.size());
    let device = |range: &Range| Region::device(Hpa::from_bits(range.start), range.size());
    let regions = [
        part(symbol::image_start(), symbol::text_end(), false, true),
        part(symbol::text_end(), symbol::rodata_end(), false, false),
        part(symbol::rodata_end(), symbol::bss_end(), true, false),
        part(symbol::stack_bottom(), symbol::bundle(), true, false),
        part(symbol::bundle(), image.end, false, false),
        data(&plan.guest),
        data(&plan.pool),
        data(&plan.heap),
        device(&host.serial),
        device(&host.distributor),
        device(&host.redistributor),
    ];
    // SAFETY: the regions are everything that the hypervisor uses: its image and stack, the
    // bundle, what the plan gave to it, and its devices.
    unsafe { boot::map(&memory, &mut pool, &regions) }.map_err(|_| BootError::TooLittleMemory)
}

/// Copies the bundle's contents into the guest's RAM.
fn load(plan: &Plan, bundle: &Bundle<'_>) {
    // SAFETY: the plan gives this range to the guest alone, which does not run yet, and it is mapped.
    let ram = unsafe {
        core::slice::from_raw_parts_mut(plan.guest.start as *mut u8, plan.guest.size() as usize)
    };
    for (at, bytes) in bundle.contents().flatten() {
        if let Some(place) = ram.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
            boot::publish_code(place);
        }
    }
}

fn run(host: &Host, plan: &Plan, bundle: &Bundle<'_>) -> Result<(), BootError> {
    let unit = clock::start();
    load(plan, bundle);
    let layout = hv::boot::layout(bundle.header, plan);
    let frames = (plan.pool.size() / PAGE_SIZE) as usize;
    // SAFETY: the plan gives the pool to tables and the guest's range to the guest; both are mapped.
    let memory = unsafe {
        PhysicalMemory::new(Hpa::from_bits(plan.pool.start), frames, layout, Pairs::cached())
    };
    let mut pool = Pool::new(frames as u32);
    let mut tlb = Broadcast;
    let mmu = make_mmu(&memory, &mut pool, &mut tlb, &layout, bundle, plan)
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

    let board = Virt::new(bundle.devices).map_err(|_| BootError::BadDevices)?;
    static mut PROBE: Probes = new_probe();
    let probe = &raw mut PROBE;
    // SAFETY: this function runs once, and the name is known here alone.
    let probe = unsafe { &mut *probe };
    let mut machine: Machine<Arm, Virt, SerialLine> = Machine {
        vcpu: Context::new(bundle.header.entry, bundle.header.argument),
        mmu,
        shared: Shared { memory, pool, tlb, probe },
        board,
        interrupts,
        console: GuestConsole { line: SerialLine(serial) },
        phases: Phases::NONE,
    };
    let probe_cost = machine.shared.probe.prepare(bundle.header.sample);
    // SAFETY: the machine stays where it is until the guest is over and this function returns.
    unsafe { machine.vcpu.make_current() };
    let end = machine.run();

    let records = arch::Mmu::<Arm>::record_bytes(&machine.mmu) as u64;
    let facts = Facts {
        arch: "aarch64",
        hardware: "el2",
        machine: &bundle.header.name,
        image: &bundle.header.image,
        ram: bundle.header.ram_size,
        block_shift: bundle.header.block_shift,
        clock: clock::NAME,
        unit: unit.name(),
        frequency: clock::frequency(),
        probe_cost,
        image_bytes: symbol::bundle() - symbol::image_start(),
        heap_bytes: (HEAP.lock().used() as u64).saturating_sub(records),
    };
    // The line does not fail.
    let _ = machine.report(&facts, end);
    machine.console.line.0.drain();
    Ok(())
}

/// The instrument as it begins.
#[cfg(feature = "probes-full")]
const fn new_probe() -> Probes {
    probe::Full::NEW
}
#[cfg(all(feature = "probes-counts", not(feature = "probes-full")))]
const fn new_probe() -> Probes {
    probe::Counts::NEW
}
#[cfg(not(any(feature = "probes-full", feature = "probes-counts")))]
const fn new_probe() -> Probes {
    probe::Off
}

#[cfg(not(feature = "shadow"))]
fn make_mmu(
    memory: &PhysicalMemory,
    pool: &mut Pool,
    tlb: &mut Broadcast,
    layout: &Layout,
    bundle: &Bundle<'_>,
    _plan: &Plan,
) -> Result<Mmu, MapError> {
    Mmu::new(&mut paging::tree::Tools { memory, pool, tlb }, layout, bundle.largest)
}

#[cfg(feature = "shadow")]
fn make_mmu(
    memory: &PhysicalMemory,
    pool: &mut Pool,
    tlb: &mut Broadcast,
    layout: &Layout,
    bundle: &Bundle<'_>,
    plan: &Plan,
) -> Result<Mmu, MapError> {
    use arch_aarch64::shadow::Span;
    let span = |range: &Range| Span { start: Hpa::from_bits(range.start), size: range.size() };
    Mmu::new(memory, pool, tlb, layout, bundle.largest, &[span(&plan.guest), span(&plan.pool)])
}
