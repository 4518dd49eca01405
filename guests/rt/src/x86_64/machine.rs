//! The machine, as the boot protocol and CPUID describe it.
//!
//! What the loader left may stand where the heap will be, so that all of it is copied at once.

use core::arch::x86_64::{__cpuid_count, CpuidResult};
use core::ops::Range;

use spin::Once;

use crate::machine::{Machine, MachineError};

/// How a hypervisor is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduit {
    /// Not at all: there is none that says how.
    #[default]
    None,
    /// By VMCALL.
    Vmcall,
    /// By VMMCALL.
    Vmmcall,
}

/// What EAX holds after a multiboot loader.
const MULTIBOOT: u32 = 0x2bad_b002;
/// Its first field's bits: a command line, a memory map, and a loader's name are there.
const HAS_COMMAND_LINE: u32 = 1 << 2;
/// See [`HAS_COMMAND_LINE`].
const HAS_MAP: u32 = 1 << 6;
/// See [`HAS_COMMAND_LINE`].
const HAS_LOADER: u32 = 1 << 9;
/// The loader that puts the image's name before the arguments.
const NAMES_IMAGE: &[u8] = b"qemu";

/// What a `hvm_start_info` begins with.
const PVH: u32 = 0x336e_c578;

/// The type of usable memory, in both protocols.
const USABLE: u32 = 1;
/// No memory from here on is used: the identity map ends.
const MAPPED: u64 = 1 << 32;

/// The most bytes of arguments that are kept.
const ARGUMENTS: usize = 256;
/// The arguments, and how many bytes they have.
static KEPT: Once<([u8; ARGUMENTS], usize)> = Once::new();

/// What the loader says.
struct Loaded {
    /// The RAM that the image is in.
    ram: Option<Range<u64>>,
    /// The command line's address, or 0.
    command_line: u64,
    /// Whether the image's name is its first word.
    names_image: bool,
}

/// Reads what the loader left.
///
/// # Safety
///
/// If `magic` or what stands at `info` names a protocol, its structure is complete.
pub(crate) unsafe fn read(magic: u32, info: u32) -> Result<Machine, MachineError> {
    let info = u64::from(info);
    let loaded = if magic == MULTIBOOT {
        // SAFETY: by the caller.
        unsafe { multiboot(info) }
    } else {
        // SAFETY: the first word of what EBX points to, which is RAM.
        let first: u32 = unsafe { word(info) };
        if first != PVH {
            return Err(MachineError::NoDescription);
        }
        // SAFETY: by the caller.
        unsafe { pvh(info) }
    };
    let conduit = conduit();
    Ok(Machine {
        ram: loaded.ram.ok_or(MachineError::NoMemory)?,
        reserved: 0..0,
        // SAFETY: by the caller it is a string, or 0.
        arguments: unsafe { arguments(loaded.command_line, loaded.names_image) },
        conduit,
        umbra: conduit != Conduit::None,
    })
}

/// Reads a value at a physical address.
///
/// # Safety
///
/// One stands there; `T` may have any bits.
unsafe fn word<T: Copy>(address: u64) -> T {
    // SAFETY: by the caller; all RAM that loaders use is mapped to itself.
    unsafe { (address as *const T).read_unaligned() }
}

/// Reads multiboot information (Multiboot Specification 0.6.96, "Boot information format").
///
/// # Safety
///
/// It stands at `info`.
unsafe fn multiboot(info: u64) -> Loaded {
    // SAFETY: by the caller; so for all fields, whose offsets the specification says.
    let field = |offset: u64| -> u32 { unsafe { word(info + offset) } };
    let flags = field(0);
    let (mut at, mut ram) = (u64::from(field(48)), None);
    let end = at + u64::from(field(44));
    while flags & HAS_MAP != 0 && at < end {
        // SAFETY: an entry of the map, whose first field is the size of the rest.
        let size: u32 = unsafe { word(at) };
        // SAFETY: as above.
        let [start, length]: [u64; 2] = unsafe { word(at + 4) };
        // SAFETY: as above.
        let kind: u32 = unsafe { word(at + 20) };
        ram = ram.or(usable(start, length, kind));
        at += u64::from(size) + 4;
    }
    let name = if flags & HAS_LOADER != 0 { field(64) } else { 0 };
    // SAFETY: the name has more bytes than this, or is 0 and not looked at.
    let names_image = name != 0 && unsafe { word::<[u8; 4]>(name.into()) } == *NAMES_IMAGE;
    let command_line = if flags & HAS_COMMAND_LINE != 0 { field(16) } else { 0 };
    Loaded { ram, command_line: command_line.into(), names_image }
}

/// Reads a `hvm_start_info` (Xen, "x86/HVM direct boot ABI").
///
/// # Safety
///
/// It stands at `info`.
unsafe fn pvh(info: u64) -> Loaded {
    // SAFETY: by the caller; so for both addresses.
    let command_line: u64 = unsafe { word(info + 24) };
    // SAFETY: as above.
    let map: u64 = unsafe { word(info + 40) };
    // SAFETY: as above.
    let entries: u32 = unsafe { word(info + 48) };
    let ram = (0..u64::from(entries)).find_map(|index| {
        let at = map + index * 24;
        // SAFETY: an entry of the map.
        let [start, length]: [u64; 2] = unsafe { word(at) };
        // SAFETY: as above.
        let kind: u32 = unsafe { word(at + 16) };
        usable(start, length, kind)
    });
    Loaded { ram, command_line, names_image: false }
}

/// The RAM of a machine, from 0 on, if this is the part of it that the image is in.
fn usable(start: u64, length: u64, kind: u32) -> Option<Range<u64>> {
    let end = start.saturating_add(length).min(MAPPED);
    let image = super::boot::image_end();
    (kind == USABLE && start < image && image <= end).then_some(0..end)
}

/// The arguments: a copy of the string at `address`, without its first word if that is the
/// image's name.
///
/// # Safety
///
/// A string that ends with a zero stands at `address`, or `address` is 0.
unsafe fn arguments(address: u64, names_image: bool) -> &'static str {
    if address == 0 {
        return "";
    }
    let (bytes, length) = KEPT.call_once(|| {
        let mut bytes = [0; ARGUMENTS];
        let mut length = 0;
        while length < ARGUMENTS {
            // SAFETY: by the caller; the bytes before were not the last.
            bytes[length] = unsafe { word(address + length as u64) };
            if bytes[length] == 0 {
                break;
            }
            length += 1;
        }
        (bytes, length)
    });
    let text = str::from_utf8(&bytes[..*length]).unwrap_or_default();
    if names_image { text.split_once(' ').map_or("", |(_, rest)| rest) } else { text }
}

/// What CPUID says in a leaf.
pub(crate) fn cpuid(leaf: u32) -> CpuidResult {
    __cpuid_count(leaf, 0)
}

/// How Umbra is called, if this is Umbra.
fn conduit() -> Conduit {
    use hv_abi::pc;
    if cpuid(1).ecx & pc::HYPERVISOR_BIT == 0 {
        return Conduit::None;
    }
    let name = cpuid(pc::LEAF_NAME);
    if [name.ebx, name.ecx, name.edx] != pc::NAME {
        return Conduit::None;
    }
    match cpuid(pc::LEAF_CALL).eax {
        pc::CALL_VMMCALL => Conduit::Vmmcall,
        _ => Conduit::Vmcall,
    }
}
