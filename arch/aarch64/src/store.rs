//! Exclusive stores: the one kind that neither the syndrome describes nor a step completes.
//!
//! A step returns to the guest with an ERET, which clears the exclusive monitor, so a stepped
//! exclusive store always fails. It is therefore carried out here. A processor that checks the
//! monitor before it translates (QEMU does) only traps when the monitor was held, and then the store
//! succeeds: status 0. See CAVEATS.md for processors that translate first.
//!
//! Arm DDI 0487, "Load/store exclusive pair" and "Load/store exclusive register" (C4.1).

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
}
