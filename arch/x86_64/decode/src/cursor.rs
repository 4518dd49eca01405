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
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes are read, if they are not too many for an instruction.
    #[expect(clippy::cast_possible_truncation, reason = "at most 15")]
    pub(crate) const fn length(&self) -> Result<u8, Error> {
        if self.at <= LONGEST { Ok(self.at as u8) } else { Err(Error::Unknown) }
    }

    /// The next byte, which stays there.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Result<u8, Error> {
        self.bytes.get(self.at).copied().ok_or_else(|| self.end())
    }

    /// The next byte.
    #[inline(always)]
    pub(crate) fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.peek()?;
        self.at = self.at.wrapping_add(1);
        Ok(byte)
    }

    /// A number of one, two, four or eight bytes, with its sign extended.
    #[inline(always)]
    pub(crate) fn signed(&mut self, size: Size) -> Result<u64, Error> {
        Ok(match size {
            Size::Byte => i64::from(self.byte()?.cast_signed()),
            Size::Word => i64::from(self.take(i16::from_le_bytes)?),
            Size::Dword => i64::from(self.take(i32::from_le_bytes)?),
            Size::Qword | Size::Oword => self.take(i64::from_le_bytes)?,
        }
        .cast_unsigned())
    }

    /// What `number` makes of the next `N` bytes.
    #[inline(always)]
    fn take<const N: usize, T>(&mut self, number: impl Fn([u8; N]) -> T) -> Result<T, Error> {
        let rest = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk);
        let taken = rest.map(|&bytes| number(bytes)).ok_or_else(|| self.end())?;
        self.at = self.at.wrapping_add(N);
        Ok(taken)
    }

    /// Why there are no more.
    const fn end(&self) -> Error {
        if self.bytes.len() < LONGEST { Error::Truncated } else { Error::Unknown }
    }
}
