//! Boot: from the assembly's stack to the guest's `main`.

use crate::machine::Conduit;

/// Goes on where `start.s` ends: long mode, the identity map, one stack, zeroed statics. `magic` and
/// `info` are what the loader left in EAX and EBX.
#[unsafe(no_mangle)]
extern "C" fn rt_boot(magic: u32, info: u32) -> ! {
    super::console::start();
    super::descriptor::start();
    super::table::start();
    // SAFETY: by the boot protocol that the magic number names, its structure stands there; nothing
    // of this image overlaps it.
    match unsafe { super::machine::read(magic, info) } {
        Ok(machine) => crate::run(machine),
        Err(error) => {
            crate::println!("rt: the loader left {magic:#x} and {info:#x}: {error}");
            super::call::power_off(Conduit::default(), crate::status::UNSUITABLE)
        }
    }
}

/// The first byte after the image, its statics and its stack.
pub(crate) fn image_end() -> u64 {
    unsafe extern "C" {
        static __image_end: u8;
    }
    (&raw const __image_end).addr() as u64
}
