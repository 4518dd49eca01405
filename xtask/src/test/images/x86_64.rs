//! Images for PCs.

use super::Sample;

/// A program for any address, in 32-bit protected mode: prints `!` on COM1, waits until it is sent, and
/// writes 1 to the debug exit.
const PROGRAM: [u8; 25] = [
    0x66, 0xba, 0xf8, 0x03, // mov dx, 0x3f8
    0xb0, b'!', // mov al, '!'
    0xee, // out dx, al
    0x66, 0xba, 0xfd, 0x03, // mov dx, 0x3fd
    0xec, // in al, dx
    0xa8, 0x40, // test al, 0x40
    0x74, 0xfb, // jz back to the in
    0xb0, 0x01, // mov al, 1
    0xe6, 0xf4, // out 0xf4, al
    0xfa, // cli
    0xf4, // hlt
    0xeb, 0xfc, // jmp back to the cli
    0x90, // nop
];
/// The status that comes of 1.
const STATUS: i32 = 3;

/// Where an image goes.
const BASE: u64 = 0x10_0000;
/// Bytes before the program in a multiboot image: its header.
const HEADER: usize = 32;
/// Bytes before the note in a PVH image: the headers of an ELF file with two segments.
const HEADERS: u64 = 64 + 2 * 56;
/// Bytes of that note, which the program stands behind.
const NOTE: u64 = 20;

/// Numbers of ELF: 64 bits, little-endian, of this version; an executable; for x86-64, for Arm.
const CLASS_64: u8 = 2;
const CLASS_32: u8 = 1;
const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// A multiboot image and a PVH image.
pub(super) fn samples() -> Vec<Sample> {
    let entry = BASE + HEADERS + NOTE;
    let pvh = pvh(BASE, entry, CLASS_64, X86_64);
    vec![
        Sample { kind: "multiboot", name: "multiboot.img", bytes: multiboot(), status: STATUS },
        Sample { kind: "PVH", name: "pvh.elf", bytes: pvh, status: STATUS },
    ]
}

/// What is wrong, the image, how it is run, and what the error must say.
type Bad = (&'static str, Vec<u8>, &'static [&'static str], &'static str);

/// Images that cannot be booted.
pub(super) fn bad() -> Vec<Bad> {
    const ON_QEMU: &[&str] = &["qemu", "--arch", "x86_64"];
    const ON_ARM: &[&str] = &["qemu"];
    const NATIVE_ON_BOCHS: &[&str] = &["bochs", "--native"];
    let entry = BASE + HEADERS + NOTE;
    let good = || pvh(BASE, entry, CLASS_64, X86_64);
    let for_arm = pvh(BASE, entry, CLASS_64, AARCH64);
    let narrow = pvh(BASE, entry, CLASS_32, X86_64);
    let far = pvh(0xf000_0000, 0xf000_0000 + HEADERS + NOTE, CLASS_64, X86_64);
    let low = pvh(0x9_fc00, 0x9_fc00 + HEADERS + NOTE, CLASS_64, X86_64);
    let astray = pvh(BASE, 0x50_0000, CLASS_64, X86_64);
    vec![
        ("an image without a header", PROGRAM.to_vec(), ON_QEMU, "neither a PVH note"),
        ("an image for Arm on a PC", for_arm, ON_QEMU, "ELF file for aarch64"),
        ("an image for a PC on Arm", good(), ON_ARM, "ELF file for x86_64"),
        ("a 32-bit image", narrow, ON_QEMU, "no 64-bit little-endian ELF file"),
        ("an image beyond the RAM", far, ON_QEMU, "give the guest more with --mem"),
        ("an image where a PC has no RAM", low, ON_QEMU, "link it elsewhere"),
        ("an image with its entry elsewhere", astray, ON_QEMU, "lies outside what is loaded"),
        ("an image that GRUB cannot start", good(), NATIVE_ON_BOCHS, "no multiboot header"),
    ]
}

/// A file that goes to [`BASE`] as it is.
fn multiboot() -> Vec<u8> {
    let (magic, flags) = (0x1bad_b002_u32, 1_u32 << 16);
    let checksum = 0_u32.wrapping_sub(magic).wrapping_sub(flags);
    let base = BASE as u32;
    let words = [magic, flags, checksum, base, base, 0, 0, base + HEADER as u32];
    let header = words.iter().flat_map(|word| word.to_le_bytes());
    header.chain(PROGRAM).collect()
}

/// An ELF file that goes to `base` as it is, whose note names `entry`.
fn pvh(base: u64, entry: u64, class: u8, machine: u16) -> Vec<u8> {
    let size = HEADERS + NOTE + PROGRAM.len() as u64;
    let mut bytes = b"\x7fELF".to_vec();
    bytes.extend([class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([2_u16, machine].iter().flat_map(|half| half.to_le_bytes()));
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([entry, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend([64_u16, 56, 2, 64, 0, 0].iter().flat_map(|half| half.to_le_bytes()));
    let mut segment = |kind: u32, offset: u64, size: u64| {
        bytes.extend([kind, 7].iter().flat_map(|word| word.to_le_bytes()));
        let at = base + offset;
        bytes.extend([offset, at, at, size, size, 4].iter().flat_map(|word| word.to_le_bytes()));
    };
    segment(1, 0, size);
    segment(4, HEADERS, NOTE);
    bytes.extend([4_u32, 4, 18].iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(b"Xen\0");
    bytes.extend((entry as u32).to_le_bytes());
    bytes.extend(PROGRAM);
    bytes
}
