//! What an image is made of on any processor, and the steps of its boot that are the same on all.

use alloc::alloc::{Layout as Block, alloc_zeroed};
use alloc::vec::Vec;
use core::fmt::{Display, Write};
use core::panic::PanicInfo;

use arch::host::Region;
use arch::{Mmu, Platform};
use hv::boot::{BootError, Bundle, Plan, Range};
use hv::device::Board;
use hv::machine::{Line, Machine};
use hv::report::{Facts, Report};
use hv_abi::record;
use linked_list_allocator::LockedHeap;
use paging::addr::{Frame, Hpa, PAGE_SIZE};
use paging::layout::Layout;
use paging::mem::Env;
use paging::pool::Pool;
use phys::{Bulk, PhysicalMemory};

use crate::cpu::console::Serial;
use crate::cpu::{boot, clock, power};
use crate::here;
use crate::switches::Built;

#[cfg(all(feature = "nested", feature = "shadow"))]
compile_error!("the paging mode is nested or shadow, not both");

/// The probe of this build.
#[cfg(feature = "probes-full")]
pub(crate) type Probes = probe::Full<clock::Cycles>;
#[cfg(all(feature = "probes-counts", not(feature = "probes-full")))]
pub(crate) type Probes = probe::Counts;
#[cfg(not(any(feature = "probes-full", feature = "probes-counts")))]
pub(crate) type Probes = probe::Off;

/// The probe as it begins.
#[cfg(feature = "probes-full")]
const NEW_PROBE: Probes = probe::Full::NEW;
#[cfg(all(feature = "probes-counts", not(feature = "probes-full")))]
const NEW_PROBE: Probes = probe::Counts::NEW;
#[cfg(not(any(feature = "probes-full", feature = "probes-counts")))]
const NEW_PROBE: Probes = probe::Off;

/// The one probe.
///
/// # Safety
///
/// Called once.
pub(crate) unsafe fn probe() -> &'static mut Probes {
    static mut PROBE: Probes = NEW_PROBE;
    let probe = &raw mut PROBE;
    // SAFETY: the name is known here alone, and by the caller this happens once.
    unsafe { &mut *probe }
}

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// The serial line, as the library sees it.
pub(crate) struct SerialLine(pub(crate) Serial);

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

/// Prints an error record and turns the machine off.
pub(crate) fn fail(message: impl Display) -> ! {
    // SAFETY: nothing else prints any more.
    if let Some(mut line) = unsafe { here::last_line() } {
        let (mark, word) = (record::MARK as char, record::WORD);
        // The line does not fail.
        let _ = writeln!(line, "\n{mark}{word} error message=\"{message}\"");
        line.drain();
    }
    power::off()
}

/// What follows from the end of everything.
pub(crate) fn finish(done: Result<(), BootError>) -> ! {
    match done {
        Ok(()) => power::off(),
        Err(error) => fail(error.message()),
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    fail(format_args!("the hypervisor panicked: {info}"))
}

/// What is to be made, and where.
pub(crate) struct Plans {
    /// The machine.
    pub(crate) bundle: Bundle<'static>,
    /// Where everything stands.
    pub(crate) plan: Plan,
    /// The hypervisor's image, the bundle included.
    image: Range,
}

/// Frames for the tables of the hypervisor's own map.
const MAP_FRAMES: usize = 24;

impl Plans {
    /// Reads the bundle, plans, and opens the heap. `ram` is all there is; what firmware left at `other`
    /// stays where it is; only the guest's RAM may stand above `reach`.
    ///
    /// # Errors
    ///
    /// The bundle is none, or the machine too small for it.
    ///
    /// # Safety
    ///
    /// Called once. `ram` is RAM that nobody else uses, and accessible below `reach`.
    pub(crate) unsafe fn make(
        ram: &[Range],
        other: Option<Range>,
        reach: u64,
    ) -> Result<Self, BootError> {
        let start = symbol::bundle();
        let behind = ram
            .iter()
            .find(|range| range.start <= start && start < range.end)
            .map_or(0, |range| range.end - start);
        // SAFETY: from the bundle's symbol on there is RAM, which the boot protocol filled and which is
        // not written before the bundle has been copied from.
        let bytes = unsafe { core::slice::from_raw_parts(start as *const u8, behind as usize) };
        let bundle = Bundle::read(bytes)?;

        let end = (start + bundle.header.length).next_multiple_of(PAGE_SIZE);
        let image = Range { start: symbol::image_start(), end };
        let plan = hv::boot::plan(ram, &[image, other.unwrap_or(image)], reach, &bundle)?;
        // SAFETY: the plan gives this range to the heap alone.
        unsafe { HEAP.lock().init(plan.heap.start as *mut u8, plan.heap.size() as usize) };
        Ok(Self { bundle, plan, image })
    }

    /// Makes the hypervisor's own map: its image by the rights of its sections, what the plan names,
    /// and the registers of `devices`.
    ///
    /// # Errors
    ///
    /// There are too few frames for its tables.
    ///
    /// # Safety
    ///
    /// `devices` are all that the hypervisor uses, and `bulk` suits memory as it is before.
    pub(crate) unsafe fn map(&self, devices: &[Range], bulk: impl Bulk) -> Result<(), BootError> {
        let size = MAP_FRAMES * PAGE_SIZE as usize;
        let block = Block::from_size_align(size, PAGE_SIZE as usize);
        let block = block.map_err(|_| BootError::TooLittleMemory)?;
        // SAFETY: the block is not empty.
        let frames = Hpa::from_bits(unsafe { alloc_zeroed(block) } as u64);
        if frames.bits() == 0 {
            return Err(BootError::TooLittleMemory);
        }
        let nothing = Layout::new(Frame::from_number(0), 0, frames.frame());
        // SAFETY: the frames are used here alone; there is no guest RAM.
        let memory = unsafe { PhysicalMemory::new(frames, MAP_FRAMES, nothing, bulk) };
        let mut pool = Pool::new(MAP_FRAMES as u32);

        let part = |start: u64, end: u64| (Hpa::from_bits(start), end - start);
        let (code, code_size) = part(symbol::image_start(), symbol::text_end());
        let (fixed, fixed_size) = part(symbol::text_end(), symbol::rodata_end());
        let (bundle, bundle_size) = part(symbol::bundle(), self.image.end);
        let written = [
            part(symbol::rodata_end(), symbol::bss_end()),
            part(symbol::stack_bottom(), symbol::bundle()),
            part(self.plan.guest.start, self.plan.guest.end),
            part(self.plan.pool.start, self.plan.pool.end),
            part(self.plan.heap.start, self.plan.heap.end),
        ];
        let mut regions = Vec::from([
            Region::fixed(code, code_size, true),
            Region::fixed(fixed, fixed_size, false),
            Region::fixed(bundle, bundle_size, false),
        ]);
        regions.extend(written.map(|(start, size)| Region::data(start, size)));
        let device = |range: &Range| Region::device(Hpa::from_bits(range.start), range.size());
        regions.extend(devices.iter().map(device));
        // SAFETY: the regions are everything that the hypervisor uses: its image and stack, the
        // bundle, what the plan gave to it, and by the caller its devices.
        unsafe { boot::map(&memory, &mut pool, &regions) }.map_err(|_| BootError::TooLittleMemory)
    }

    /// Copies the bundle's contents into the guest's RAM, and has `publish` see what was copied.
    ///
    /// # Safety
    ///
    /// The plan is mapped, and the guest does not run yet.
    pub(crate) unsafe fn load(&self, publish: impl Fn(&[u8])) {
        let Range { start, .. } = self.plan.guest;
        let size = self.plan.guest.size() as usize;
        // SAFETY: the plan gives this range to the guest alone, and by the caller it is mapped.
        let ram = unsafe { core::slice::from_raw_parts_mut(start as *mut u8, size) };
        for (at, bytes) in self.bundle.contents().flatten() {
            if let Some(place) = ram.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
                publish(place);
            }
        }
    }

    /// The guest's physical addresses, the memory behind them, and the frames for tables.
    ///
    /// # Safety
    ///
    /// Called once. The plan is mapped, and `bulk` suits memory as it is now.
    pub(crate) unsafe fn memory<B: Bulk>(&self, bulk: B) -> (Layout, PhysicalMemory<B>, Pool) {
        let layout = hv::boot::layout(self.bundle.header, &self.plan);
        let pool = &self.plan.pool;
        let frames = (pool.size() / PAGE_SIZE) as usize;
        let start = Hpa::from_bits(pool.start);
        // SAFETY: the plan gives the pool to tables and the guest's range to the guest; by the caller
        // both are mapped, and this is the only owner.
        let memory = unsafe { PhysicalMemory::new(start, frames, layout, bulk) };
        (layout, memory, Pool::new(frames as u32))
    }

    /// Runs `machine`, which is virtualized by `hardware`, to its end, and reports.
    pub(crate) fn run<P, B>(&self, machine: &mut Machine<P, B, SerialLine>, hardware: &str)
    where
        P: Platform<Env: Env<Probe = Probes>>,
        B: Board<P>,
    {
        let unit = clock::start();
        let header = self.bundle.header;
        let probe_cost = machine.shared.probe.prepare(header.sample);
        let end = machine.run();

        let records = machine.mmu.record_bytes() as u64;
        let facts = Facts {
            arch: here::ARCH,
            hardware,
            switches: Built::set(),
            machine: &header.name,
            image: &header.image,
            ram: header.ram_size,
            block_shift: header.block_shift,
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
    }
}
