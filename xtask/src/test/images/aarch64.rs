//! Images for Arm.

use super::Sample;

/// A program for any address: prints `!` on the PL011 and calls SYSTEM_OFF (PSCI, by HVC).
const PROGRAM: [u32; 6] = [
    0x52a1_2001, // mov w1, #0x09000000
    0x5280_0422, // mov w2, #'!'
    0xb900_0022, // str w2, [x1]
    0x52b0_8000, // mov w0, #0x84000000
    0x7280_0100, // movk w0, #8
    0xd400_0002, // hvc #0
];
/// `b #64`: over the header of an arm64 Image.
const OVER_HEADER: u32 = 0x1400_0010;
/// Words of that header.
const HEADER: usize = 16;
/// Where in it the low words of `text_offset` and `image_size` stand, and the magic number.
const TEXT_OFFSET: usize = 2;
const IMAGE_SIZE: usize = 4;
const MAGIC: usize = 14;

/// A flat binary, and an arm64 Image.
pub(super) fn samples() -> Vec<Sample> {
    let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let (flat, arm64) = (bytes(&PROGRAM), bytes(&arm64_image()));
    vec![
        Sample { kind: "flat binary", name: "flat.bin", bytes: flat, status: 0 },
        Sample { kind: "arm64 Image", name: "arm64.img", bytes: arm64, status: 0 },
    ]
}

fn arm64_image() -> Vec<u32> {
    let mut words = vec![0; HEADER];
    words[0] = OVER_HEADER;
    words[TEXT_OFFSET] = 0x1000;
    words[IMAGE_SIZE] = 0x10_0000;
    words[MAGIC] = u32::from_le_bytes(*b"ARM\x64");
    words.extend(PROGRAM);
    words
}
