//! Reading the instruction at hand, for hardware that tells no more than that there was one.

use paging::addr::{Gpa, Gva, Index, PAGE_SIZE};
use paging::mem::{ENTRY_SHIFT, Entries, Memory};
use x86_decode::{Error, Instruction, Mode, decode};

/// The most bytes that an instruction has.
const LONGEST: usize = 15;
/// Bytes of the words that hold an instruction wherever it begins in the first.
const WINDOW: usize = 24;

/// The bytes of one page from `at` on, as many as an instruction may have, and how many there are.
fn bytes_at(memory: &impl Memory, at: Gpa) -> Option<([u8; WINDOW], usize, usize)> {
    let frame = memory.guest(at.frame())?;
    let offset = at.page_offset();
    let first = (offset >> ENTRY_SHIFT) as u32;
    let mut window = [0; WINDOW];
    for (place, bytes) in window.chunks_exact_mut(1 << ENTRY_SHIFT).enumerate() {
        let word = frame.get(Index::wrapping(first + place as u32));
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    let start = (offset & ((1 << ENTRY_SHIFT) - 1)) as usize;
    let length = LONGEST.min((PAGE_SIZE - offset) as usize);
    Some((window, start, length))
}

/// The instruction at linear address `at`, where `translate` finds the guest's code.
///
/// # Errors
///
/// [`Error::Unknown`] also where no RAM is.
pub fn fetch(
    memory: &impl Memory,
    at: u64,
    mode: Mode,
    mut translate: impl FnMut(Gva) -> Option<Gpa>,
) -> Result<Instruction, Error> {
    let here = translate(Gva::from_bits(at)).ok_or(Error::Unknown)?;
    let (window, start, length) = bytes_at(memory, here).ok_or(Error::Unknown)?;
    let bytes = window.get(start..start + length).unwrap_or_default();
    match decode(bytes, mode) {
        Err(Error::Truncated) if length < LONGEST => {}
        decoded => return decoded,
    }
    let beyond = at.wrapping_add(length as u64);
    let there = translate(Gva::from_bits(beyond)).ok_or(Error::Unknown)?;
    let (rest, _, _) = bytes_at(memory, there).ok_or(Error::Unknown)?;
    let mut both = [0; LONGEST];
    let (front, back) = both.split_at_mut(length);
    front.copy_from_slice(bytes);
    back.copy_from_slice(rest.get(..LONGEST - length).unwrap_or_default());
    decode(&both, mode)
}
