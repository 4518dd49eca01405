//! The bytes of an instruction, one after another.

use crate::instruction::Error;
use crate::operand::Size;

/// No instruction is longer. The processor answers one that is with a general protection fault.
const LONGEST: usize = 15;

/// Where in the instruction we are.
pub(crate) struct Cursor<'a> {
    /// What there is of it.
    bytes: &'a [u8],
    /// How many are read.
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.get(..LONGEST).unwrap_or(bytes), at: 0 }
    }

    /// How many bytes are read. They are at most 15.
    #[expect(clippy::cast_possible_truncation, reason = "at most 15")]
    pub(crate) const fn length(&self) -> u8 {
        self.at as u8
    }

    /// The next byte, which stays there.
    pub(crate) fn peek(&self) -> Result<u8, Error> {
        self.bytes.get(self.at).copied().ok_or_else(|| self.end())
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.peek()?;
        self.at = self.at.wrapping_add(1);
        Ok(byte)
    }

    /// A number of one, two, four or eight bytes, with its sign extended.
    pub(crate) fn signed(&mut self, size: Size) -> Result<u64, Error> {
        Ok(match size {
            Size::Byte => i64::from(i8::from_le_bytes(self.take()?)),
            Size::Word => i64::from(i16::from_le_bytes(self.take()?)),
            Size::Dword => i64::from(i32::from_le_bytes(self.take()?)),
            Size::Qword | Size::Oword => i64::from_le_bytes(self.take()?),
        }
        .cast_unsigned())
    }

    /// The next `N` bytes.
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let rest = self.bytes.get(self.at..);
        let taken = rest.and_then(<[u8]>::first_chunk).ok_or_else(|| self.end())?;
        self.at = self.at.wrapping_add(N);
        Ok(*taken)
    }

    /// Why there are no more.
    const fn end(&self) -> Error {
        if self.bytes.len() < LONGEST { Error::Truncated } else { Error::Unknown }
    }
}
