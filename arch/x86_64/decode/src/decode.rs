//! From bytes to an instruction.

use crate::instruction::{Error, Instruction, Mode};

/// Decodes the instruction at the beginning of `bytes`, of which at most 15 count.
///
/// # Errors
///
/// [`Error::Truncated`] asks for more bytes, [`Error::Unknown`] is for good.
pub fn decode(bytes: &[u8], mode: Mode) -> Result<Instruction, Error> {
    let _ = (bytes, mode);
    Err(Error::Unknown)
}
