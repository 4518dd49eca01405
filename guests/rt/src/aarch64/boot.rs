//! Boot: from the assembly's stack to the guest's `main`.

use crate::machine::Conduit;

/// Where QEMU puts the device tree of an ELF image, which is told nothing in `x0`.
const DEVICE_TREE: usize = 0x4000_0000;

/// Goes on where `start.s` ends: MMU off, one stack, zeroed statics.
///
/// Until the MMU is on, memory is device memory: nothing here may need an atomic operation.
#[unsafe(no_mangle)]
extern "C" fn rt_boot(device_tree: usize) -> ! {
    let device_tree = if device_tree == 0 { DEVICE_TREE } else { device_tree };
    // SAFETY: by the boot protocol a device tree stands at `x0`, or at the start of RAM, and
    // nothing of this image overlaps it (guest.ld).
    let machine = match unsafe { super::machine::read(device_tree as *const u8) } {
        Ok(machine) => machine,
        Err(error) => {
            crate::println!("rt: the device tree at {device_tree:#x}: {error}");
            super::call::power_off(Conduit::default(), crate::status::UNSUITABLE)
        }
    };
    // SAFETY: called once, before anything else uses the tables.
    unsafe { super::table::turn_on(&machine.ram) };
    crate::run(machine)
}

/// The first byte after the image, its statics and its stack.
pub(crate) fn image_end() -> u64 {
    unsafe extern "C" {
        static __image_end: u8;
    }
    (&raw const __image_end).addr() as u64
}
