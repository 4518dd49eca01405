//! What of a store the syndrome does not tell and the instruction does.
//!
//! *Exclusive stores* are the one kind that neither the syndrome describes nor a step completes. A step returns to the guest with an ERET, which clears the exclusive monitor, so a stepped
//! exclusive store always fails. It is therefore carried out here. A processor that checks the
//! monitor before it translates (QEMU does) only traps when the monitor was held, and then the store
//! succeeds: status 0. See CAVEATS.md for processors that translate first.
//!
//! *A store across pages* whose second page is the one that refuses it is reported at the beginning of
//! that page, and looks like a store of all its bytes there. [`address`] tells where it begins.
//!
//! Arm DDI 0487, "Loads and Stores" (C4.1).

/// An exclusive store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exclusive {
    /// Bytes of one register, log2.
    pub width: u32,
    /// The first register that is stored.
    pub first: u8,
    /// The second, of a pair.
    pub second: Option<u8>,
    /// The register that receives the status.
    pub status: u8,
}

/// The fields that tell a store-exclusive: bits 29:24 are 001000, o2 (23), L (22) are 0.
const FORM_MASK: u32 = 0x3fc0_0000;
/// Their values, o1 (21), which tells a pair, left open.
const FORM: u32 = 0x0800_0000;
/// o1: a pair.
const PAIR: u32 = 1 << 21;
/// The lower size bit of a pair: 64 bits a register.
const WIDE: u32 = 1 << 30;
/// A pair has the upper size bit set; without it the encoding is a compare and swap of a pair.
const LARGE: u32 = 1 << 31;

/// Decodes an instruction, if it is an exclusive store.
#[must_use]
pub const fn decode(instruction: u32) -> Option<Exclusive> {
    if instruction & FORM_MASK & !PAIR != FORM {
        return None;
    }
    let pair = instruction & PAIR != 0;
    if pair && instruction & LARGE == 0 {
        return None;
    }
    let width = if pair { 2 + (instruction & WIDE != 0) as u32 } else { instruction >> 30 };
    Some(Exclusive {
        width,
        first: register(instruction, 0),
        second: if pair { Some(register(instruction, 10)) } else { None },
        status: register(instruction, 16),
    })
}

/// The form of a store of one register without writeback.
#[derive(Clone, Copy)]
struct Form {
    /// The bits that tell it.
    mask: u32,
    /// What they are.
    value: u32,
}

impl Form {
    /// STR, STRH, STRB with an unsigned offset: bits 29:22.
    const UNSIGNED_OFFSET: Self = Self { mask: 0x3fc0_0000, value: 0x3900_0000 };
    /// The same with a register for an offset, which option (15:13) extends.
    const REGISTER_OFFSET: Self = Self { mask: 0x3fe0_0c00, value: 0x3820_0800 };
    /// STUR, STURH, STURB, and by bit 11 STTR, STTRH, STTRB.
    const UNSCALED: Self = Self { mask: 0x3fe0_0400, value: 0x3800_0000 };
    /// STLR, STLRH, STLRB.
    const RELEASE: Self = Self { mask: 0x3fe0_8000, value: 0x0880_8000 };

    /// Whether `instruction` has it.
    const fn matches(self, instruction: u32) -> bool {
        instruction & self.mask == self.value
    }
}

/// S of a register offset: it is shifted by the width.
const SHIFTED: u32 = 1 << 12;
/// The base that is the stack pointer.
const STACK_POINTER: u8 = 31;

/// Where a store of one register begins, if it has one of the common forms. `value` gives registers,
/// 31 being the zero register.
#[must_use]
pub fn address(instruction: u32, value: impl Fn(u8) -> u64) -> Option<u64> {
    let base = register(instruction, 5);
    if base == STACK_POINTER {
        return None;
    }
    let width = instruction >> 30;
    let offset = if Form::UNSIGNED_OFFSET.matches(instruction) {
        u64::from(instruction >> 10 & 0xfff) << width
    } else if Form::REGISTER_OFFSET.matches(instruction) {
        let index = value(register(instruction, 16));
        let extended = match instruction >> 13 & 0b111 {
            0b010 => u64::from(index as u32),
            0b110 => index as i32 as u64,
            _ => index,
        };
        extended << if instruction & SHIFTED == 0 { 0 } else { width }
    } else if Form::UNSCALED.matches(instruction) {
        // Nine bits with a sign.
        ((instruction << 11) as i32 >> 23) as u64
    } else if Form::RELEASE.matches(instruction) {
        0
    } else {
        return None;
    };
    Some(value(base).wrapping_add(offset))
}

/// The register number in the five bits from `shift` on.
const fn register(instruction: u32, shift: u32) -> u8 {
    (instruction >> shift) as u8 & 0x1f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusive_stores_are_told_from_all_others() {
        let of = |width, first, second, status| Some(Exclusive { width, first, second, status });
        assert_eq!(decode(0xc802_7c20), of(3, 0, None, 2), "stxr w2, x0, [x1]");
        assert_eq!(decode(0xc802_fc20), of(3, 0, None, 2), "stlxr w2, x0, [x1]");
        assert_eq!(decode(0x0802_7c20), of(0, 0, None, 2), "stxrb w2, w0, [x1]");
        assert_eq!(decode(0xc823_0820), of(3, 0, Some(2), 3), "stxp w3, x0, x2, [x1]");
        assert_eq!(decode(0x8823_0820), of(2, 0, Some(2), 3), "stxp w3, w0, w2, [x1]");
        assert_eq!(decode(0xc85f_7c20), None, "ldxr x0, [x1]");
        assert_eq!(decode(0xc8a2_7c20), None, "cas x2, x0, [x1]");
        assert_eq!(decode(0x4822_7c20), None, "casp x2, x3, x0, x1, [x1]");
        assert_eq!(decode(0xc89f_fc20), None, "stlr x0, [x1]");
        assert_eq!(decode(0xf900_0020), None, "str x0, [x1]");
    }

    #[test]
    fn a_common_store_tells_where_it_begins() {
        let value = |number| if number == 31 { 0 } else { 0x1000 * u64::from(number) };
        let of = |instruction| address(instruction, value);
        assert_eq!(of(0xf900_0020), Some(0x1000), "str x0, [x1]");
        assert_eq!(of(0xf900_0420), Some(0x1008), "str x0, [x1, #8]");
        assert_eq!(of(0x3900_0420), Some(0x1001), "strb w0, [x1, #1]");
        assert_eq!(of(0xf822_6820), Some(0x3000), "str x0, [x1, x2]");
        assert_eq!(of(0xf822_7820), Some(0x1_1000), "str x0, [x1, x2, lsl #3]");
        assert_eq!(of(0xf822_5820), Some(0x1_1000), "str x0, [x1, w2, uxtw #3]");
        assert_eq!(of(0xc89f_fc20), Some(0x1000), "stlr x0, [x1]");
        assert_eq!(of(0xf900_03e0), None, "str x0, [sp]");
        assert_eq!(of(0xf81f_c020), Some(0xffc), "stur x0, [x1, #-4]");
        assert_eq!(of(0xf800_8820), Some(0x1008), "sttr x0, [x1, #8]");
        assert_eq!(of(0xf800_8420), None, "str x0, [x1], #8");
        assert_eq!(of(0xf940_0020), None, "ldr x0, [x1]");
        assert_eq!(of(0xc802_fc20), None, "stlxr w2, x0, [x1]");
        assert_eq!(of(0xc8a2_7c20), None, "cas x2, x0, [x1]");
    }
}
