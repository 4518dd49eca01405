//! The runtime of Umbra's guests: what a unikernel needs to begin, to speak and to end.
//!
//! A guest is a package that depends on this one, with a `main`:
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//!
//! rt::entry!(main);
//!
//! fn main() {
//!     rt::println!("{} bytes of RAM", rt::machine().ram_size());
//! }
//! ```
//!
//! When `main` begins, an identity map of large global blocks holds the image, the RAM and the
//! devices; caches are on, interrupts are masked, and a heap works. Everything else happens when it
//! is asked for: nothing here runs behind a measurement's back.
//!
//! The same image runs on Umbra, in either paging mode, and on the bare machine. The modules
//! beside this file are portable; what a processor needs is in the folder of its name.
#![no_std]

extern crate alloc;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

pub mod batch;
pub mod clock;
pub mod console;
pub mod entry;
pub mod fault;
pub mod frames;
mod heap;
pub mod hypervisor;
pub mod interrupt;
mod machine;
pub mod quick;
pub mod samples;
pub mod space;
pub mod status;
pub mod tlb;

pub use arch::exact;
pub use arch::exception::Exception;
#[cfg(target_arch = "x86_64")]
pub use arch::{descriptor, exception};
pub use clock::ticks;
pub use hypervisor::phase;
pub use machine::{Conduit, Machine, MachineError};

use spin::Once;

/// The machine that the guest runs on.
static MACHINE: Once<Machine> = Once::new();
/// The clock just before `main`.
static BEGAN: Once<u64> = Once::new();

/// The machine that the guest runs on.
pub fn machine() -> &'static Machine {
    MACHINE.get().expect("the runtime has begun")
}

/// The guest's arguments: the device tree's `bootargs`, or the loader's command line.
pub fn args() -> impl Iterator<Item = &'static str> {
    machine().arguments.split_ascii_whitespace()
}

/// Names the guest's `main`, a `fn()`. When it returns, the guest ends with status 0.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        /// What the runtime calls.
        #[unsafe(no_mangle)]
        fn rt_main() {
            let main: fn() = $main;
            main();
        }
    };
}

/// Ends the guest, with a message and [`status::FAILED`], unless a condition holds.
#[macro_export]
macro_rules! check {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            $crate::println!("check failed: {}", format_args!($($message)+));
            $crate::exit($crate::status::FAILED);
        }
    };
}

/// Where the frames begin to a multiple of: a block of the identity map. What shares a block with a table, and so
/// what shadow paging splits, then does not hang on the size of the image, which a compiler decides.
const FRAMES_ALIGN: u64 = 2 << 20;

/// Runs the guest on `machine`, with the MMU on.
fn run(machine: Machine) -> ! {
    let machine = MACHINE.call_once(|| machine);
    let image_end = arch::boot::image_end();
    let heap_end = image_end + heap::size(machine.ram_size());
    let frames_start = heap_end.next_multiple_of(FRAMES_ALIGN);
    let end = machine.free_until(image_end);
    if frames_start > end {
        println!("rt: {} MiB of memory are too few for the heap", machine.ram_size() >> 20);
        exit(status::UNSUITABLE);
    }
    heap::start(image_end, frames_start);
    frames::start(frames_start, end);
    unsafe extern "Rust" {
        safe fn rt_main();
    }
    BEGAN.call_once(ticks);
    rt_main();
    exit(status::SUCCESS)
}

/// Ends the guest with a status, and turns the machine off.
///
/// A guest that succeeded says how long it ran since `main` began, `@ ran ticks=N`: the total of a
/// run, which every mode has. Under Umbra the status goes to the hypervisor; natively there may be
/// nobody to take it, so it is printed as a result line, `@ exit code=N`.
pub fn exit(status: u8) -> ! {
    let now = ticks();
    if let Some(began) = BEGAN.get().filter(|_| status == status::SUCCESS) {
        println!("@ ran ticks={}", now - began);
    }
    let conduit = match MACHINE.get() {
        Some(machine) if machine.umbra => hypervisor::exit(status),
        Some(machine) => machine.conduit,
        None => Conduit::default(),
    };
    println!("@ exit code={status}");
    arch::call::power_off(conduit, status)
}

/// Reports a panic and ends the guest.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    println!("rt: {info}");
    exit(status::PANIC)
}
