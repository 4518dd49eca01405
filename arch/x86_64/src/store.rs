//! Stores to a guest's tables that are carried out in its stead.
//!
//! What the decoder knows is executed here, which is several times shorter than letting the guest make
//! a step. Whatever crosses the end of the page or moves more than 16 bytes is left to the step.

use arch::Vcpu;
use arch::exit::Stop;
use paging::addr::Index;
use paging::addr::{Gpa, Gva, Level, PAGE_SIZE};
use paging::format::x64::X64;
use paging::mem::{ENTRY_SHIFT, Entries, Env, Memory, World};
use paging::shadow::Shadow;
use paging::switch::Switches;
use x86_64::registers::rflags::RFlags;
use x86_decode::{Instruction, Mode, Operation, Segment, number};

use crate::fetch::CodeBytes;
use crate::hardware::{Field, Hardware};
use crate::vcpu::Context;

/// Reads `size` bytes, at most 16, at `at`. They do not cross the end of the page, which is RAM.
fn read(memory: &impl Memory, at: Gpa, size: u64) -> Option<u128> {
    let frame = memory.guest(at.frame())?;
    let offset = at.page_offset();
    let (first, shift) = ((offset >> ENTRY_SHIFT) as u32, 8 * (offset & 7) as u32);
    let word = |place: u32| u128::from(frame.get(Index::wrapping(first + place)));
    let mut value = word(0) >> shift;
    if shift as u64 + 8 * size > u64::from(u64::BITS) {
        value |= word(1) << (u64::BITS - shift);
    }
    if shift as u64 + 8 * size > 2 * u64::from(u64::BITS) {
        value |= word(2) << (2 * u64::BITS - shift);
    }
    Some(value)
}

/// Whether a store of `1 << width` bytes that faulted at `at`, which is `gpa`, is sure to lie in that page.
/// One that crosses the end of a page faults at its own address, or at the next page's first byte.
#[inline(always)]
pub(crate) const fn fits(width: u32, at: Gva, gpa: Gpa) -> bool {
    at.page_offset() != 0 && gpa.page_offset() + (1 << width) <= PAGE_SIZE
}

/// Carries `instruction`, the one at hand, out, if it stores to the table at `gpa` through `at` and
/// nowhere else. Returns whether it did.
///
/// # Errors
///
/// [`Stop::OutOfFrames`].
#[inline]
pub(crate) fn carry_out<H: Hardware, E: Env, C: Switches>(
    shadow: &mut Shadow<X64, X64, C>,
    world: &mut World<'_, E>,
    vcpu: &mut Context<H>,
    instruction: &Instruction,
    at: Gva,
    gpa: Gpa,
) -> Result<bool, Stop> {
    if !instruction.writes() {
        return Ok(false);
    }
    vcpu.set_length(instruction.length.into());
    match instruction.operation {
        Operation::Stos => return strings(shadow, world, vcpu, instruction, at, gpa),
        Operation::Movs | Operation::Ins => return Ok(false),
        _ => {}
    }
    let size = instruction.size.bytes();
    let begins = at.page_offset() != 0 || address(vcpu, instruction) == at.bits();
    if !begins || gpa.page_offset() + size > PAGE_SIZE {
        return Ok(false);
    }
    let old = if instruction.reads() {
        let Some(old) = read(world.memory, gpa, size) else { return Ok(false) };
        old
    } else {
        0
    };
    let flags = vcpu.flags().bits();
    let executed = instruction.execute(old, vcpu.registers(), flags);
    let Some(outcome) = executed else { return Ok(false) };
    let Some(value) = outcome.memory else { return Ok(false) };
    match instruction.operation {
        Operation::CmpxchgPair | Operation::Cmpxchg => {
            let (width, second) = match size {
                16 => (ENTRY_SHIFT, Some((value >> u64::BITS) as u64)),
                _ => (size.trailing_zeros(), None),
            };
            shadow.emulate_cmpxchg(world, gpa, width, [Some(value as u64), second])?;
        }
        _ => shadow.emulate_write_again(world, gpa, size.trailing_zeros(), value as u64)?,
    }
    if instruction.reads() {
        vcpu.apply(&outcome);
    }
    vcpu.skip();
    Ok(true)
}

/// The linear address of the instruction's memory operand.
#[inline(never)]
fn address<H: Hardware>(vcpu: &Context<H>, instruction: &Instruction) -> u64 {
    let rip = vcpu.hardware.get(Field::Rip);
    instruction.address(vcpu.registers(), rip, |segment| vcpu.base(segment))
}

/// Carries out a STOS as far as it stays in the page.
fn strings<H: Hardware, E: Env, C: Switches>(
    shadow: &mut Shadow<X64, X64, C>,
    world: &mut World<'_, E>,
    vcpu: &mut Context<H>,
    instruction: &Instruction,
    at: Gva,
    gpa: Gpa,
) -> Result<bool, Stop> {
    let size = instruction.size.bytes();
    let flags = vcpu.flags().bits();
    let page = at.align_down(Level::PAGE).bits();
    let value = vcpu.register(number::RAX);
    if instruction.repeat && vcpu.flags().contains(RFlags::TRAP_FLAG) {
        // The guest is to hear of each element.
        return Ok(false);
    }
    let mut stored = false;
    loop {
        let next = instruction.element(vcpu.registers(), |segment| vcpu.base(segment), flags);
        let Some(element) = next else { break };
        let offset = element.destination.wrapping_sub(page);
        if offset > PAGE_SIZE - size {
            return Ok(stored);
        }
        let to = Gpa::from_bits(gpa.align_down(Level::PAGE).bits() + offset);
        shadow.emulate_write_again(world, to, size.trailing_zeros(), value)?;
        stored = true;
        for (number, value) in element.registers.into_iter().flatten() {
            vcpu.set_register(number, value);
        }
        if !instruction.repeat {
            break;
        }
    }
    vcpu.skip();
    Ok(true)
}

/// What a PUSHF does: it stores `size` bytes of the flags at `top`, and has `length` bytes.
struct PushFlags {
    top: u64,
    size: u64,
    length: u64,
}

impl PushFlags {
    /// The PUSHF at the beginning of `bytes`, if one is there, of a guest whose stack pointer is `stack`.
    fn decode(bytes: &[u8], mode: Mode, stack: u64) -> Option<Self> {
        const PUSHF: u8 = 0x9c;
        const OPERAND_SIZE: u8 = 0x66;
        let prefixes = bytes.iter().take_while(|byte| is_prefix(**byte, mode)).count();
        let (before, rest) = bytes.split_at_checked(prefixes)?;
        if rest.first() != Some(&PUSHF) {
            return None;
        }
        let size = match (before.contains(&OPERAND_SIZE), mode) {
            (true, _) => 2,
            (false, Mode::Bits32) => 4,
            (false, Mode::Bits64) => 8,
        };
        let top = match mode {
            Mode::Bits32 => u64::from((stack as u32).wrapping_sub(size as u32)),
            Mode::Bits64 => stack.wrapping_sub(size),
        };
        Some(Self { top, size, length: prefixes as u64 + 1 })
    }
}

/// Carries out PUSHF, if it is the instruction at hand and stores to the table at `gpa` and nowhere
/// else. In a step it would push the trap flag that makes the step. Returns whether it did.
///
/// # Errors
///
/// [`Stop::OutOfFrames`].
#[cold]
#[inline(never)]
pub(crate) fn push_flags<H: Hardware, E: Env, C: Switches>(
    shadow: &mut Shadow<X64, X64, C>,
    world: &mut World<'_, E>,
    vcpu: &mut Context<H>,
    (bytes, count, mode): &CodeBytes,
    gpa: Gpa,
) -> Result<bool, Stop> {
    let bytes = bytes.get(..*count).unwrap_or_default();
    let Some(push) = PushFlags::decode(bytes, *mode, vcpu.register(number::RSP)) else {
        return Ok(false);
    };
    let base = if *mode == Mode::Bits64 { 0 } else { vcpu.base(Segment::Ss) };
    let lies = base.wrapping_add(push.top) & (PAGE_SIZE - 1);
    if lies != gpa.page_offset() || lies + push.size > PAGE_SIZE {
        return Ok(false);
    }
    let flags = vcpu.flags() - RFlags::RESUME_FLAG - RFlags::VIRTUAL_8086_MODE;
    shadow.emulate_write_again(world, gpa, push.size.trailing_zeros(), flags.bits())?;
    vcpu.set_register(number::RSP, push.top);
    vcpu.set_length(push.length);
    vcpu.skip();
    Ok(true)
}

/// Whether `byte`, before an opcode, is a prefix. LOCK makes PUSHF invalid.
const fn is_prefix(byte: u8, mode: Mode) -> bool {
    match byte {
        0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf2 | 0xf3 => true,
        0x40..=0x4f => matches!(mode, Mode::Bits64),
        _ => false,
    }
}
