//! Which instructions concern translation, by their bytes: Intel SDM vol. 2, "Opcode Map" (A.3), AMD64 APM vol. 3.

use iced_x86::{Decoder, DecoderOptions, Register};

use crate::target::Seen;

/// What an instruction does.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    /// It may change CR0, CR4 or EFER.
    Control,
    /// It loads CR3 from this register.
    LoadCr3(usize),
    /// INVLPG, with an operand that is known.
    Page(Option<Operand>),
    /// INVLPGA: the address is in RAX, the ASID in ECX.
    PageOfAsid,
    /// INVPCID.
    Pcid,
    /// VMRUN: the VMCB is in RAX.
    Vmrun,
    /// It marks a phase.
    Marker,
}

/// An operand in memory.
#[derive(Clone, Copy)]
pub(crate) struct Operand {
    base: Option<u8>,
    index: Option<u8>,
    scale: u32,
    displacement: u64,
    /// FS or GS.
    segment: Option<u8>,
}

/// The number of a 64-bit general-purpose register.
fn general(register: Register) -> Option<u8> {
    let number = (register as usize).checked_sub(Register::RAX as usize)?;
    u8::try_from(number).ok().filter(|number| *number < 16)
}

impl Operand {
    /// That of an instruction in 64-bit code. One with other registers than 64-bit ones is not known here.
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut decoder = Decoder::new(64, bytes, DecoderOptions::NONE);
        let instruction = decoder.decode();
        let registers = [instruction.memory_base(), instruction.memory_index()];
        let known =
            |&register: &Register| register == Register::None || general(register).is_some();
        if instruction.is_invalid() || !registers.iter().all(known) {
            return None;
        }
        Some(Self {
            base: general(instruction.memory_base()),
            index: general(instruction.memory_index()),
            scale: instruction.memory_index_scale(),
            displacement: instruction.memory_displacement64(),
            segment: match instruction.memory_segment() {
                Register::FS => Some(0),
                Register::GS => Some(1),
                _ => None,
            },
        })
    }

    /// Its address, with registers as `general` knows them.
    pub(crate) fn address(&self, general: impl Fn(usize) -> u64, bases: [u64; 2]) -> u64 {
        let register = |number: Option<u8>| number.map_or(0, |number| general(number.into()));
        let segment = self.segment.and_then(|place| bases.get(usize::from(place)).copied());
        register(self.base)
            .wrapping_add(register(self.index).wrapping_mul(self.scale.into()))
            .wrapping_add(self.displacement)
            .wrapping_add(segment.unwrap_or(0))
    }
}

/// Places in the target's list of what is counted.
const PREFETCHED: usize = 0;
const FLUSHED: usize = 1;

/// WRMSR.
const WRITE_MSR: u8 = 0x30;

/// What the instruction with these bytes is.
pub(super) fn look(bytes: &[u8]) -> Option<Seen<Action>> {
    if bytes == hv_abi::marker::X86_64 {
        return Some(Seen::Action(Action::Marker));
    }
    let legacy =
        |byte: &&u8| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3);
    let prefixes = bytes.iter().take_while(legacy).count();
    let rest = bytes.get(prefixes..)?;
    let (extension, rest) = match rest {
        [rex @ 0x40..=0x4f, rest @ ..] => (*rex, rest),
        _ => (0, rest),
    };
    let [0x0f, opcode, rest @ ..] = rest else { return None };
    let modrm = rest.first().copied().unwrap_or(0);
    let (in_register, reg) = (modrm >> 6 == 0b11, modrm >> 3 & 0b111);
    let base = usize::from(modrm & 0b111 | (extension & 1) << 3);
    let action = match (*opcode, reg) {
        (0x01, _) if modrm == 0xd8 => Action::Vmrun,
        (0x01, _) if modrm == 0xdf => Action::PageOfAsid,
        (0x01, 6) => Action::Control,
        (0x01, 7) if !in_register => Action::Page(Operand::of(bytes)),
        (0x22, 3) if extension & 0b100 == 0 => Action::LoadCr3(base),
        (0x22, 0 | 4) if extension & 0b100 == 0 => Action::Control,
        (WRITE_MSR, _) => Action::Control,
        (0x38, _) if modrm == 0x82 => Action::Pcid,
        (0x0d, _) | (0x18, 0..=3) if !in_register => return Some(Seen::Counted(PREFETCHED)),
        (0xae, 6 | 7) if !in_register => return Some(Seen::Counted(FLUSHED)),
        _ => return None,
    };
    Some(Seen::Action(action))
}
