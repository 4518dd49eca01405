//! Reading the instruction at hand, for hardware that tells no more than that there was one.
//!
//! The guest's tables lead to its code. A walk of them for each exit would cost more than the rest of
//! the exit, so the way that the last walk took is remembered, with the entries that it read: while they hold what
//! they held, the walk would find the same. Nobody has to say when a mapping changes, so this is as
//! good under nested tables, which the guest changes unseen, as under shadows. A shadow does count the changes
//! of the ways that the hardware can go; while the count stands, the last entry alone is looked at. In the same
//! way a few instructions are remembered with the bytes that they were decoded from.

use paging::addr::{Frame, Gpa, GuestPhys, Gva, Index, Level, PAGE_SIZE};
use paging::format::x64::X64;
use paging::mem::{ENTRY_SHIFT, Entries, Env, Memory, World};
use paging::shadow::Changes;
use paging::walk::{self, Step};
use probe::{Event, Probe};
use x86_decode::{Error, Instruction, Mode, Operand, Operation, Part, decode};

use crate::control::{Controls, PagingMode};
use crate::hardware::{Field, Hardware};
use crate::vcpu::Context;

/// The most bytes that an instruction has.
const LONGEST: usize = 15;
/// Bytes of the words that hold an instruction wherever it begins in the first.
const WINDOW: usize = 24;
/// The last byte of a word from which on there are as many as an [`Opcode`] or a MOV to CR3 has.
const ENOUGH: u32 = 4;
/// How many tables there are on a way.
const LEVELS: usize = Level::TOP.number() + 1;

/// No step of a walk.
const NO_STEP: Step = Step {
    table: Gpa::from_bits(0).frame(),
    index: Index::wrapping(0),
    level: Level::PAGE,
    raw: 0,
};

/// What a paging mode knows of the tables of a guest on the hardware `H`.
pub(crate) trait GuestTables<H> {
    /// The guest's registers, by which its own tables are read. Asked for only when they are needed.
    fn controls(&self, vcpu: &Context<H>) -> Controls;

    /// How often tables above the leaves have changed on the ways that the hardware can go, if that is counted.
    #[inline(always)]
    fn changes(&self) -> Option<Changes> {
        None
    }
}

/// The way of the last walk to the guest's code.
///
/// It is good from any root whose entry is that of the walk's: what lies below is then the same. Address
/// spaces that share a kernel share the way to its code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// The root from which it was looked at last.
    root: Gpa,
    /// The first address of the page or block that the code is in.
    base: u64,
    /// The bits of an address within it.
    within: u64,
    /// Where it is.
    to: u64,
    /// The entries that led to it.
    steps: [Step; LEVELS],
    /// The last of them.
    last: Step,
    /// How many.
    count: usize,
    /// How often ways had changed when all of them were looked at from that root, if that is counted.
    changes: Option<Changes>,
}

impl Way {
    /// None yet: its base is no page's.
    pub(crate) const NONE: Self = Self {
        root: Gpa::from_bits(0),
        base: 1,
        within: PAGE_SIZE - 1,
        to: 0,
        steps: [NO_STEP; LEVELS],
        last: NO_STEP,
        count: 0,
        changes: None,
    };

    /// Whether it leads to `at` from `root`, now as then.
    #[inline(always)]
    fn is_good(
        &mut self,
        memory: &impl Memory,
        root: Gpa,
        at: u64,
        changes: Option<Changes>,
    ) -> bool {
        let leads = |from: Frame<GuestPhys>, step: &Step| {
            memory.guest(from).is_some_and(|table| table.get(step.index) == step.raw)
        };
        let holds = |step: &Step| leads(step.table, step);
        if at & !self.within != self.base || !holds(&self.last) {
            return false;
        }
        if changes.is_some() && changes == self.changes && root == self.root {
            return true;
        }
        let [first, second, third, _] = &self.steps;
        let good =
            leads(root.frame(), first) && holds(second) && (self.count < LEVELS || holds(third));
        if good {
            self.root = root;
            self.changes = changes;
        }
        good
    }

    /// Walks to `at`, which the guest has just fetched from, so that no right need be asked for.
    fn find(memory: &impl Memory, controls: &Controls, at: u64) -> Option<Self> {
        let mut way = Self { root: controls.root(), ..Self::NONE };
        let roots = [way.root, Gpa::from_bits(0)];
        let found =
            walk::follow::<X64>(memory, &controls.regime(), roots, Gva::from_bits(at), |step| {
                if let Some(place) = way.steps.get_mut(way.count) {
                    *place = step;
                    way.last = step;
                    way.count += 1;
                }
            });
        let found = found.ok()?;
        way.within = found.level.size() - 1;
        way.base = at & !way.within;
        way.to = found.gpa.bits() & !way.within;
        Some(way)
    }
}

/// An instruction that is known by its first bytes, as long as it has no prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opcode {
    bytes: u32,
    length: u8,
}

impl Opcode {
    /// CPUID.
    pub(crate) const CPUID: Self = Self::new([0x0f, 0xa2, 0], 2);
    /// HLT.
    pub(crate) const HLT: Self = Self::new([0xf4, 0, 0], 1);
    /// RDMSR.
    pub(crate) const RDMSR: Self = Self::new([0x0f, 0x32, 0], 2);
    /// WRMSR.
    pub(crate) const WRMSR: Self = Self::new([0x0f, 0x30, 0], 2);
    /// VMMCALL.
    pub(crate) const VMMCALL: Self = Self::new([0x0f, 0x01, 0xd9], 3);
    /// XSETBV.
    pub(crate) const XSETBV: Self = Self::new([0x0f, 0x01, 0xd1], 3);

    const fn new(bytes: [u8; 3], length: u8) -> Self {
        let [first, second, third] = bytes;
        Self { bytes: u32::from_le_bytes([first, second, third, 0]), length }
    }

    /// Its length, if it is what `count` bytes begin with.
    #[inline(always)]
    fn length_in(self, bytes: u64, count: u32) -> Option<u8> {
        let mask = u32::MAX >> (u32::BITS - 8 * u32::from(self.length));
        let fits = u32::from(self.length) <= count;
        (fits && bytes as u32 & mask == self.bytes).then_some(self.length)
    }
}

/// Words that hold an instruction wherever it begins in the first.
type Words = [u64; WINDOW >> ENTRY_SHIFT];

/// The words of one page that the instruction at `at` is in.
#[inline(always)]
fn words_at(memory: &impl Memory, at: Gpa) -> Option<Words> {
    let frame = memory.guest(at.frame())?;
    let first = (at.page_offset() >> ENTRY_SHIFT) as u32;
    Some(core::array::from_fn(|place| frame.get(Index::wrapping(first + place as u32))))
}

/// Bytes of code, how many of them belong to the page, and how they are read.
pub(crate) type CodeBytes = ([u8; LONGEST], usize, Mode);

/// The bytes of `words` that belong to the page of `at`, from `at` on, as many as an instruction may
/// have.
#[inline(never)]
fn bytes_of(words: Words, at: Gpa) -> ([u8; LONGEST], usize) {
    let start = (at.page_offset() & ((1 << ENTRY_SHIFT) - 1)) as usize;
    let mut window = [0; WINDOW];
    for (bytes, word) in window.chunks_exact_mut(1 << ENTRY_SHIFT).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    let mut bytes = [0; LONGEST];
    if let Some(from) = window.get(start..start + LONGEST) {
        bytes.copy_from_slice(from);
    }
    (bytes, LONGEST.min((PAGE_SIZE - at.page_offset()) as usize))
}

/// An instruction and what it was decoded from.
#[derive(Clone, Copy, Debug)]
struct Decoded {
    /// Its linear address, and how it is read there.
    at: u64,
    mode: Mode,
    words: Words,
    instruction: Instruction,
    /// What it comes to, if it is a plain store.
    plain: Option<PlainStore>,
}

/// A MOV to memory: what most stores to tables are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainStore {
    /// What it stores.
    source: Source,
    /// Bytes that it stores, log2.
    pub(crate) width: u32,
    /// Bytes of the instruction.
    pub(crate) length: u64,
}

/// What a MOV stores.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// The low bits of a register.
    Register(u8),
    /// This.
    Immediate(u64),
}

impl PlainStore {
    /// What `instruction` comes to. Bits 15:8 of a register are none that a table's owner would store.
    fn of(instruction: &Instruction) -> Option<Self> {
        if !matches!(instruction.operation, Operation::Mov | Operation::Movnti)
            || instruction.destination() != Operand::Memory
        {
            return None;
        }
        let source = match instruction.source() {
            Operand::Register(from) if from.part != Part::High => Source::Register(from.number),
            Operand::Immediate => Source::Immediate(instruction.immediate),
            _ => return None,
        };
        let width = instruction.size.bytes().trailing_zeros();
        Some(Self { source, width, length: instruction.length.into() })
    }

    /// The value that it stores, of which `1 << width` bytes count.
    #[inline(always)]
    pub(crate) fn value<H: Hardware>(&self, vcpu: &Context<H>) -> u64 {
        match self.source {
            Source::Register(number) => vcpu.register(number),
            Source::Immediate(value) => value,
        }
    }
}

impl Decoded {
    /// Whether it is what stands at `at`.
    #[inline(always)]
    fn is(&self, at: u64, mode: Mode, words: Words) -> bool {
        // Without a loop: the words are compared in registers.
        let differ = self.words.iter().zip(words).fold(self.at ^ at, |all, (a, b)| all | a ^ b);
        differ == 0 && self.mode == mode
    }
}

/// How many instructions are remembered.
const REMEMBERED: usize = 8;

/// Instructions that were decoded lately, by the low bits of their addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lately([Option<Decoded>; REMEMBERED]);

impl Lately {
    /// None yet.
    pub(crate) const NONE: Self = Self([None; REMEMBERED]);

    /// Where the instruction at `at` would be.
    #[inline(always)]
    fn place(&mut self, at: u64) -> Option<&mut Option<Decoded>> {
        self.0.get_mut((at >> 2) as usize & (REMEMBERED - 1))
    }
}

impl<H: Hardware> Context<H> {
    /// The linear address of the instruction at hand, and how it is to be read.
    #[inline(always)]
    pub(crate) fn code(&self) -> Option<(u64, Mode)> {
        let mode = self.hardware.mode()?;
        let rip = self.hardware.get(Field::Rip);
        Some(match mode {
            Mode::Bits64 => (rip, mode),
            Mode::Bits32 => {
                (u64::from(self.hardware.get(Field::CsBase).wrapping_add(rip) as u32), mode)
            }
        })
    }

    /// Where the guest's code byte at the linear address `at` is.
    #[inline(always)]
    fn find_code<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
        (at, mode): (u64, Mode),
    ) -> Option<Gpa> {
        let span = world.probe.start();
        // Who executes 64-bit code translates by four levels.
        let root = tables.controls(self).root();
        let good =
            mode == Mode::Bits64 && self.way.is_good(world.memory, root, at, tables.changes());
        let found = if good {
            Some(Gpa::from_bits(self.way.to | at & self.way.within))
        } else {
            self.find_way(world.memory, tables, at)
        };
        world.probe.stop(Event::ShGvaToGfn, span);
        found
    }

    /// The same by a walk, which is remembered.
    #[inline(never)]
    fn find_way(
        &mut self,
        memory: &impl Memory,
        tables: &impl GuestTables<H>,
        at: u64,
    ) -> Option<Gpa> {
        let controls = tables.controls(self);
        match controls.paging() {
            PagingMode::Off => Some(Gpa::from_bits(at)),
            PagingMode::Other => None,
            PagingMode::FourLevel => {
                self.way = Way::find(memory, &controls, at).unwrap_or(Way::NONE);
                let known = at & !self.way.within == self.way.base;
                known.then(|| Gpa::from_bits(self.way.to | at & self.way.within))
            }
        }
    }

    /// The bytes at RIP, as many as a word has or as there are up to the end of the page, and how many they
    /// are. Bytes behind them are 0.
    #[inline(always)]
    pub(crate) fn first_bytes<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
    ) -> Option<(u64, u32)> {
        let code = self.code()?;
        let here = self.find_code(world, tables, code)?;
        let frame = world.memory.guest(here.frame())?;
        let word = (here.page_offset() >> ENTRY_SHIFT) as u32;
        let offset = (here.page_offset() & ((1 << ENTRY_SHIFT) - 1)) as u32;
        let bytes = frame.get(Index::wrapping(word)) >> (8 * offset);
        let last = (PAGE_SIZE >> ENTRY_SHIFT) as u32 - 1;
        if offset <= ENOUGH || word == last {
            return Some((bytes, (1 << ENTRY_SHIFT) - offset));
        }
        let more = frame.get(Index::wrapping(word + 1));
        Some((bytes | more << (u64::BITS - 8 * offset), 1 << ENTRY_SHIFT))
    }

    /// The length of the instruction at hand, if it is `opcode` without a prefix.
    #[inline(always)]
    pub(crate) fn length_of<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
        opcode: Opcode,
    ) -> Option<u64> {
        let (bytes, count) = self.first_bytes(world, tables)?;
        opcode.length_in(bytes, count).map(u64::from)
    }

    /// The bytes at RIP up to the end of the page, as many as an instruction may have, and how they are
    /// read.
    #[inline(never)]
    pub(crate) fn bytes_at_hand<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
    ) -> Option<CodeBytes> {
        let (at, mode) = self.code()?;
        let here = self.find_code(world, tables, (at, mode))?;
        let (bytes, length) = bytes_of(words_at(world.memory, here)?, here);
        Some((bytes, length, mode))
    }

    /// The instruction at hand, if it is remembered as a plain store.
    #[inline(always)]
    pub(crate) fn plain_store_at_hand<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
    ) -> Option<PlainStore> {
        let (at, mode) = self.code()?;
        let here = self.find_code(world, tables, (at, mode))?;
        let words = words_at(world.memory, here)?;
        match self.lately.place(at) {
            Some(Some(known)) if known.is(at, mode, words) => known.plain,
            _ => None,
        }
    }

    /// The instruction at hand, by the guest's own `tables`. It finds all its operands in the registers.
    #[inline(never)]
    pub(crate) fn instruction_at_hand<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
    ) -> Option<Instruction> {
        self.gather();
        let (at, mode) = self.code()?;
        let here = self.find_code(world, tables, (at, mode))?;
        let words = words_at(world.memory, here)?;
        if let Some(Some(known)) = self.lately.place(at)
            && known.is(at, mode, words)
        {
            return Some(known.instruction);
        }
        self.decoded(&mut world.lend(), tables, (at, mode), (words, here))
    }

    /// The same for one that is not remembered.
    #[inline(never)]
    fn decoded<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
        (at, mode): (u64, Mode),
        (words, here): (Words, Gpa),
    ) -> Option<Instruction> {
        let (bytes, length) = bytes_of(words, here);
        let bytes = bytes.get(..length)?;
        match decode(bytes, mode) {
            Err(Error::Truncated) if length < LONGEST => {
                self.instruction_across(world, tables, (at, mode), bytes)
            }
            Err(_) => None,
            Ok(instruction) => {
                if let Some(place) = self.lately.place(at) {
                    let plain = PlainStore::of(&instruction);
                    *place = Some(Decoded { at, mode, words, instruction, plain });
                }
                Some(instruction)
            }
        }
    }

    /// The same for one that may go on in the next page, of which `front` are the bytes up to its end.
    #[cold]
    fn instruction_across<E: Env>(
        &mut self,
        world: &mut World<'_, E>,
        tables: &impl GuestTables<H>,
        (at, mode): (u64, Mode),
        front: &[u8],
    ) -> Option<Instruction> {
        let there = self.find_code(world, tables, (at.wrapping_add(front.len() as u64), mode))?;
        let (back, _) = bytes_of(words_at(world.memory, there)?, there);
        let mut both = [0; LONGEST];
        let (first, second) = both.split_at_mut_checked(front.len())?;
        first.copy_from_slice(front);
        second.copy_from_slice(back.get(..second.len())?);
        decode(&both, mode).ok()
    }
}
