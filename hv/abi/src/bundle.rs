//! The bundle: the machine to build and the bytes to put in its memory.
//!
//! `xtask` makes it from a manifest and a guest image and puts it behind the hypervisor's own image, at
//! the hypervisor's symbol `__bundle`. Everything that needs a parser (ELF, manifests, device
//! trees) was done there; what is left is a header, devices and segments to copy. All numbers are
//! little-endian, all structures 8-byte aligned.
//!
//! ```text
//! Header | Device × devices | Segment × segments | the segments' bytes
//! ```

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The first bytes of a bundle.
pub const MAGIC: [u8; 8] = *b"UMBRABDL";

/// The layout's version; another one is refused.
pub const VERSION: u32 = 1;

/// The most devices a machine may have.
pub const MAX_DEVICES: usize = 16;

/// The machine, and where the rest of the bundle stands. 144 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: u32,
    /// How many [`Device`]s follow the header; at most [`MAX_DEVICES`].
    pub devices: u32,
    /// How many [`Segment`]s follow the devices.
    pub segments: u32,
    /// One exit in how many is measured; 1 measures every exit, 0 means 1.
    pub sample: u32,
    /// Bytes of the whole bundle.
    pub length: u64,
    /// Where the guest's RAM begins, guest-physical, a multiple of 2 MiB.
    pub ram_base: u64,
    /// Bytes of the guest's RAM, a multiple of 2 MiB.
    pub ram_size: u64,
    /// Where the boot CPU begins, guest-physical.
    pub entry: u64,
    /// Its first argument: `x0` on Arm, the device tree's guest-physical address.
    pub argument: u64,
    /// The largest block that maps guest RAM, log2 of its bytes: 12, 21 or 30.
    pub block_shift: u32,
    /// The most 4 KiB frames that the hypervisor may use for page tables; 0: its own choice.
    pub table_frames: u32,
    /// How many virtual CPUs the machine has. Only 1 is built.
    pub cpus: u32,
    /// Zero.
    pub reserved: u32,
    /// The machine's name, ASCII, padded with zeros.
    pub name: [u8; 32],
    /// The image's name, ASCII, padded with zeros.
    pub image: [u8; 32],
}

/// One emulated device. 24 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Device {
    /// One of the `DEVICE_*` numbers.
    pub kind: u32,
    /// Its interrupt as the interrupt controller numbers it (an SPI's INTID, 32 and up); 0: none.
    pub interrupt: u32,
    /// Where its registers begin, guest-physical, a multiple of 4 KiB.
    pub base: u64,
    /// Bytes of its registers, a multiple of 4 KiB.
    pub size: u64,
}

/// A PL011 UART: the guest's console.
pub const DEVICE_PL011: u32 = 1;
/// The distributor of a GICv3.
pub const DEVICE_GICV3_DISTRIBUTOR: u32 = 2;
/// The redistributor of the one CPU of a GICv3.
pub const DEVICE_GICV3_REDISTRIBUTOR: u32 = 3;

/// Bytes to copy into guest RAM before the start. 24 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Segment {
    /// Where they go, guest-physical.
    pub gpa: u64,
    /// Where they stand, from the bundle's first byte.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

const _: () = assert!(size_of::<Header>() == 144);
const _: () = assert!(size_of::<Device>() == 24);
const _: () = assert!(size_of::<Segment>() == 24);
