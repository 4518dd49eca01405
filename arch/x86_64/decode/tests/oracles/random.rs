//! Random instructions.

/// The longest instruction.
pub(crate) const LONGEST: usize = 15;

/// SplitMix64: the same numbers in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A number that more often than others is one where arithmetic turns.
    pub(crate) fn turning(&mut self) -> u64 {
        let near = [0_u64, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fff_ffff, 0x8000_0000, 1 << 63];
        match self.below(4) {
            0 => near[self.below(10) as usize].wrapping_add(self.below(3)).wrapping_sub(1),
            1 => 0_u64.wrapping_sub(self.below(256)),
            _ => self.next(),
        }
    }
}

/// An opcode: its page and its number there.
#[derive(Clone, Copy)]
pub(crate) struct Opcode {
    /// The bytes before it.
    pub(crate) page: &'static [u8],
    /// Its last byte.
    pub(crate) byte: u8,
}

/// All opcodes of the pages that the decoder knows.
pub(crate) fn opcodes() -> impl Iterator<Item = Opcode> {
    let pages: [&'static [u8]; 3] = [&[], &[0x0f], &[0x0f, 0x38]];
    pages.into_iter().flat_map(|page| (0..=255).map(move |byte| Opcode { page, byte }))
}

/// Bytes that begin with some prefixes, that opcode and that ModRM byte, and go on at random.
pub(crate) fn instruction(random: &mut Random, opcode: Opcode, modrm: u8) -> [u8; LONGEST] {
    const LEGACY: [u8; 11] = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
    let mut begin = Vec::with_capacity(LONGEST);
    for _ in 0..[0, 0, 0, 1, 1, 1, 2, 3][random.below(8) as usize] {
        let rex = random.below(6) == 0;
        let byte = random.below(16) as u8;
        begin.push(if rex { 0x40 | byte } else { LEGACY[usize::from(byte) % LEGACY.len()] });
    }
    if random.below(2) == 0 {
        begin.push(0x40 | random.below(16) as u8);
    }
    begin.extend(opcode.page);
    begin.extend([opcode.byte, modrm]);
    core::array::from_fn(|at| begin.get(at).copied().unwrap_or(random.next() as u8))
}
