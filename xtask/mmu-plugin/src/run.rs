//! A run, from the emulator's calls to the model.
//!
//! *Fetches.* Every block is entered with a number for its page and mode in hand. Translated code compares it with
//! the one of the block before, so that only a move to another page or mode costs a call. Whatever changes
//! translation spoils the number that is compared with, and the next block calls.
//!
//! *Data.* Each access calls, when it was made. One that failed does not, and so no failed walk is counted.
//!
//! *Control.* Instructions that change translation, or forget some, call before they are executed; all of them end
//! their block. Whether they trapped instead shows when the next block begins.

use std::ffi::{c_uint, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use mmu_model::architecture::Context;
use mmu_model::config::Config;
use mmu_model::counts::{Output, Unseen};
use mmu_model::mmu::Access;
use mmu_model::session::{Session, Who};
use paging::addr::{Hpa, PAGE_SHIFT, PAGE_SIZE};

use crate::qemu::{self, AccessInfo, Block, Counter};
use crate::ram::Ram;
use crate::registers::Registers;
use crate::target::{Effect, Machine, Mode, Pending, Seen, Target};

/// The number of no block.
const SPOILED: u64 = u64::MAX;
/// An access that begins before this many bytes from its page's end is in one page: none is longer.
const LONGEST_ACCESS: u64 = 64;

/// A run.
pub(crate) struct Run<T: Target> {
    session: Session<T::Architecture>,
    target: T,
    machine: Machine,
    hypervisor: bool,
    /// The number of the block at hand, which translated code compares.
    block: Counter,
    /// Where that is.
    block_place: *mut u64,
    /// What is not modelled, and is counted.
    counted: Counter,
    mode: Mode,
    /// What is in force in either mode, as long as that is known.
    contexts: [Option<Context<T::Architecture>>; 2],
    pending: Option<Pending>,
    /// Whether the instruction at hand is one that enters a guest: it accesses the guest's memory, and the
    /// processor's own by physical addresses.
    straddles: bool,
    /// The page of the last fetch, and where the model found it.
    page: u64,
    reached: Option<Hpa>,
}

/// A block of translated code.
struct BlockSite {
    mode: Mode,
    number: u64,
    /// Its virtual address when it was translated.
    start: u64,
    /// Where it begins in the emulator's memory.
    host: Option<usize>,
    is_left_to: bool,
}

/// What a block's instruction does.
enum Deed<T: Target> {
    /// It goes on in the next page.
    Crosses,
    /// Something that changes translation.
    Action(T::Action),
}

/// An instruction of translated code.
struct InstructionSite<T: Target> {
    /// Bytes from its page's start.
    offset: u64,
    length: u64,
    deed: Deed<T>,
}

/// Gives something to translated code for good: the emulator does not say when it drops a block.
fn keep<S>(site: S) -> *mut c_void {
    Box::into_raw(Box::new(site)).cast()
}

impl<T: Target> Run<T> {
    /// The run of a vCPU that is about to begin, on its thread.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let registers = Registers::of_this_vcpu();
        let target = T::new(&registers)?;
        let ram = Ram::find(&config.ram)?;
        let block = Counter::new(1);
        let mut run = Self {
            session: Session::new(config),
            target,
            machine: Machine { registers, ram },
            hypervisor: config.hypervisor,
            block,
            block_place: block.place(0),
            counted: Counter::new(T::COUNTED.len()),
            mode: Mode::Host,
            contexts: [None; 2],
            pending: None,
            straddles: false,
            page: SPOILED,
            reached: None,
        };
        run.spoil();
        Ok(run)
    }

    /// Adds calls to a block that is translated.
    pub(crate) fn translate(&mut self, block: &mut Block) {
        let Some(first) = block.instructions().next() else { return };
        let (start, host) = (first.virtual_address(), first.host_address());
        let mode = match self.target.mode(&self.machine, host) {
            Ok(mode) => mode,
            Err(why) => return self.session.refuse(&why),
        };
        for instruction in block.instructions() {
            let (bytes, length) = instruction.bytes();
            let offset = instruction.virtual_address() & (PAGE_SIZE - 1);
            let site = |deed| InstructionSite::<T> { offset, length: length as u64, deed };
            // SAFETY: both take no notice of their data.
            unsafe { instruction.at_accesses(loaded::<T>, stored::<T>) };
            match self.target.look(&bytes[..length], instruction.host_address()) {
                None => {}
                Some(Seen::Counted(place)) => instruction.count(self.counted, place),
                Some(Seen::Action(action)) => {
                    let site = keep(site(Deed::Action(action)));
                    // SAFETY: the site is an `InstructionSite<T>`, kept for good.
                    unsafe { instruction.at_execution(executed::<T>, site) };
                }
            }
            // Behind what the instruction does, which stands in the page before.
            if offset + instruction.length() as u64 > PAGE_SIZE {
                let site = keep(site(Deed::Crosses));
                // SAFETY: the site is an `InstructionSite<T>`, kept for good.
                unsafe { instruction.at_execution(executed::<T>, site) };
            }
        }
        // By the frame, since blocks are shared by the addresses that lead to it.
        let page = host.map_or(start, |host| host as u64) >> PAGE_SHIFT;
        let number = page << 1 | u64::from(mode == Mode::Guest);
        let is_left_to = self.target.is_left_to(host);
        let site = keep(BlockSite { mode, number, start, host, is_left_to });
        if is_left_to || self.session.is_checked() {
            // SAFETY: the site is a `BlockSite`, kept for good.
            unsafe { block.at_execution(entered::<T>, site) };
        } else {
            let counter = self.block;
            // SAFETY: as above.
            unsafe { block.at_execution_unless(counter, number, entered::<T>, site) };
        }
    }

    /// The next block calls, whichever it is.
    fn spoil(&mut self) {
        self.set_block(SPOILED);
    }

    fn block_number(&self) -> u64 {
        // SAFETY: as in `set_block`.
        unsafe { self.block_place.read() }
    }

    fn set_block(&mut self, number: u64) {
        // SAFETY: the place is the vCPU's, and its thread is the one that is here.
        unsafe { self.block_place.write(number) };
    }

    fn enter_block(&mut self, block: &BlockSite) {
        let pc = self.machine.registers.read(self.target.pc());
        if let Some(pending) = self.pending.take()
            && self.target.was_executed(&pending, &self.machine, block.mode, pc)
        {
            match pending.forget {
                Ok(forget) => self.session.forget(&forget),
                Err(why) => self.session.refuse(&why),
            }
            // The page at hand may be among what is forgotten.
            self.page = SPOILED;
        }
        if block.is_left_to {
            self.target.left();
        }
        if std::mem::take(&mut self.straddles) {
            self.session.watch(false);
        }
        let repeated = self.block_number() == block.number;
        self.set_block(block.number);
        let moved = self.enter_mode(block.mode);
        let at = self.target.virtual_address(block.mode, pc, block.start);
        let page = at >> PAGE_SHIFT;
        let emulated = block.host.and_then(|host| self.machine.ram.physical(host));
        let other_page = std::mem::replace(&mut self.page, page) != page;
        // A block that repeats the number would not have called but to be compared.
        if moved || other_page && !repeated {
            let ram = &self.machine.ram;
            self.reached = self.session.access(ram, Access::Fetch, at, emulated);
        } else {
            let here = self.reached.map(|reached| {
                Hpa::from_bits(reached.frame().start().bits() | at & (PAGE_SIZE - 1))
            });
            self.session.compare(Access::Fetch, at, [here; 2], emulated);
        }
    }

    /// Sees that what is in force in `mode` is, and says whether that is another than before.
    fn enter_mode(&mut self, mode: Mode) -> bool {
        let known = self.contexts[mode as usize];
        if mode == self.mode && known.is_some() {
            return false;
        }
        let who = match mode {
            Mode::Host if self.hypervisor => Who::Hypervisor,
            _ => Who::Guest,
        };
        let context = known.or_else(|| match self.target.in_force(&self.machine, mode) {
            Ok((context, forget)) => {
                if let Some(forget) = forget {
                    self.session.forget(&forget);
                }
                Some(context)
            }
            Err(why) => {
                self.session.refuse(&why);
                None
            }
        });
        if self.machine.registers.failed() {
            self.session.refuse("the emulator does not tell what is in its registers");
        }
        if let Some(context) = context {
            self.session.enter(who, context);
            self.mode = mode;
            self.contexts[mode as usize] = Some(context);
        }
        true
    }

    fn execute(&mut self, site: &InstructionSite<T>) {
        let at = self.page << PAGE_SHIFT | site.offset;
        let action = match site.deed {
            Deed::Action(action) => action,
            Deed::Crosses => {
                self.page += 1;
                let next = self.page << PAGE_SHIFT;
                self.reached = self.session.access(&self.machine.ram, Access::Fetch, next, None);
                return self.spoil();
            }
        };
        let effect = self.target.execute(action, &self.machine);
        let Effect { phase, forget, forget_now, changes, enters } = effect;
        if let Some(halves) = phase {
            self.session.phase(&name(halves));
        }
        if let Some(forget) = forget_now {
            self.session.forget(&forget);
        }
        for &mode in changes {
            self.contexts[mode as usize] = None;
        }
        if let Some(mode) = enters {
            self.enter_mode(mode);
            self.straddles = true;
            self.session.watch(true);
        }
        if let Some(forget) = forget {
            self.pending = Some(Pending { at, behind: at + site.length, forget });
        }
        if !changes.is_empty() || self.pending.is_some() {
            self.spoil();
        }
    }

    /// An access was made. Most repeat the page of the one before.
    #[inline(always)]
    fn accessed(&mut self, access: Access, info: AccessInfo, at: u64) {
        let store = access == Access::Store;
        let in_one_page = at & (PAGE_SIZE - 1) <= PAGE_SIZE - LONGEST_ACCESS;
        if !(in_one_page && (self.session.repeats(store, at) || self.session.hits(store, at))) {
            self.data(access, info, at, in_one_page);
        }
    }

    #[cold]
    fn data(&mut self, access: Access, info: AccessInfo, at: u64, in_one_page: bool) {
        if self.straddles && qemu::physical(info, at) == Some(at) {
            return;
        }
        let checked = self.session.is_checked();
        let physical =
            |at| if checked { qemu::physical(info, at).map(Hpa::from_bits) } else { None };
        let ram = &self.machine.ram;
        self.session.access(ram, access, at, physical(at));
        if in_one_page {
            return;
        }
        let last = at.wrapping_add(qemu::size(info) - 1);
        if at >> PAGE_SHIFT != last >> PAGE_SHIFT {
            let next = last & !(PAGE_SIZE - 1);
            self.session.access(ram, access, next, physical(next));
        }
    }

    /// What was counted.
    pub(crate) fn output(&mut self) -> Output {
        let counted = T::COUNTED.iter().enumerate().map(|(place, what)| {
            // SAFETY: the vCPU, whose place it is, does not run any more.
            let count = unsafe { self.counted.place(place).read() };
            Unseen { what: (*what).to_owned(), count: Some(count) }
        });
        let uncounted =
            T::UNCOUNTED.iter().map(|what| Unseen { what: (*what).to_owned(), count: None });
        self.session.output(counted.chain(uncounted).collect())
    }
}

/// The name of a phase.
fn name(halves: [u64; 2]) -> String {
    let bytes = halves.iter().flat_map(|half| half.to_le_bytes());
    bytes
        .take_while(|byte| *byte != 0)
        .map(|byte| if byte.is_ascii_graphic() { char::from(byte) } else { '?' })
        .collect()
}

/// The run, a `Run<T>` of the one target that this emulator has.
static RUN: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Begins the run.
pub(crate) fn begin<T: Target>(run: Run<T>) {
    RUN.store(Box::into_raw(Box::new(run)).cast(), Ordering::Release);
}

/// The run, if it has begun.
///
/// # Safety
///
/// `T` is that of [`begin`], and nobody else has it: QEMU makes one call after another, all on the vCPU's thread
/// but the last, and each call asks once.
#[inline(always)]
pub(crate) unsafe fn current<'a, T: Target>() -> Option<&'a mut Run<T>> {
    // SAFETY: it was put there by `begin` and stays; by the caller nobody else refers to it.
    unsafe { RUN.load(Ordering::Acquire).cast::<Run<T>>().as_mut() }
}

/// A block begins.
///
/// # Safety
///
/// `data` is a `BlockSite`; and as of [`current`].
unsafe extern "C" fn entered<T: Target>(_vcpu: c_uint, data: *mut c_void) {
    // SAFETY: by the caller.
    let site = unsafe { &*data.cast::<BlockSite>() };
    // SAFETY: by the caller.
    if let Some(run) = unsafe { current::<T>() } {
        run.enter_block(site);
    }
}

/// An instruction is about to be executed.
///
/// # Safety
///
/// `data` is an `InstructionSite<T>`; and as of [`current`].
unsafe extern "C" fn executed<T: Target>(_vcpu: c_uint, data: *mut c_void) {
    // SAFETY: by the caller.
    let site = unsafe { &*data.cast::<InstructionSite<T>>() };
    // SAFETY: by the caller.
    if let Some(run) = unsafe { current::<T>() } {
        run.execute(site);
    }
}

/// A load was made.
///
/// # Safety
///
/// As of [`current`].
unsafe extern "C" fn loaded<T: Target>(_vcpu: c_uint, info: AccessInfo, at: u64, _: *mut c_void) {
    // SAFETY: by the caller.
    if let Some(run) = unsafe { current::<T>() } {
        run.accessed(Access::Load, info, at);
    }
}

/// A store was made.
///
/// # Safety
///
/// As of [`current`].
unsafe extern "C" fn stored<T: Target>(_vcpu: c_uint, info: AccessInfo, at: u64, _: *mut c_void) {
    // SAFETY: by the caller.
    if let Some(run) = unsafe { current::<T>() } {
        run.accessed(Access::Store, info, at);
    }
}
