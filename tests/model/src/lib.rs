//! Stateful properties: the real algorithms against references that never cache.
//!
//! A [`Machine`] is a VM as its guest sees it: memory, roots, registers of the MMU, accesses. There are
//! two, with the real engines over a simulated computer: [`ShadowVm`] and [`NestedVm`]. A list of
//! [operations](ops) is run on both, and whatever the guest can see has to be equal. `ShadowVm` also
//! compares each access with a walk of the guest's tables, and checks the engine's invariants in
//! full after each operation.
//!
//! [`scenario`] does the same for operations that a person wrote as text. [`Arch`] is what differs between
//! the guests of two architectures.

mod arch;
mod nested_vm;
pub mod ops;
pub mod scenario;
mod shadow_vm;

pub use arch::{Arch, VMSA_ATTRS, X64_ATTRS, vmsa_regime};
pub use nested_vm::NestedVm;
pub use shadow_vm::ShadowVm;

use paging::addr::{Addr, Gpa, Gva, Index, Level, PAGE_SIZE};
use paging::attrs::Access;
use paging::fault::GuestFault;
use paging::layout::Layout;
use paging::mem::{ENTRY_SHIFT, Entries, Memory};
use paging::switch::SwitchSet;

/// Where RAM begins for the guest.
pub const RAM: u64 = 0x4000_0000;
/// Where that RAM stands in the host.
pub const BACKING: u64 = 0x8000_0000;
/// A page of device registers.
pub const DEVICE: u64 = 0x0900_0000;

/// What is built.
#[derive(Clone, Copy, Debug)]
pub struct Config<R> {
    /// Bytes of RAM.
    pub ram: u64,
    /// Where RAM begins for the guest.
    pub base: u64,
    /// Where RAM stands in the host.
    pub backing: u64,
    /// Frames for tables.
    pub frames: u32,
    /// How many sets of roots are kept.
    pub contexts: u16,
    /// The largest leaf.
    pub largest: Level,
    /// What the registers of the MMU say at first.
    pub regime: R,
    /// The steps that the shadow engine takes.
    pub switches: SwitchSet,
    /// How many groups of a leaf table it fills around a fault at first, log2; none: what it begins with.
    pub around: Option<u8>,
}

impl<R> Config<R> {
    /// 8 MiB of RAM, and the switches of a build that was told nothing.
    pub const fn small(regime: R) -> Self {
        Self {
            ram: 8 << 20,
            base: RAM,
            backing: BACKING,
            frames: 64,
            contexts: 32,
            largest: Level::BLOCK_1G,
            regime,
            switches: SwitchSet::DEFAULT,
            around: None,
        }
    }

    /// The VM's physical address space.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let [ram, backing] = [self.base, self.backing];
        let frames = self.ram / PAGE_SIZE;
        Layout::new(Gpa::from_bits(ram).frame(), frames, Addr::from_bits(backing).frame())
    }
}

/// How a store to a table is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// The hardware describes it, and it is emulated.
    Described,
    /// The table is opened and the instruction is stepped.
    Stepped,
    /// It is exclusive.
    Exclusive,
}

/// The low `1 << width` bytes of a value, to be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Store {
    /// Bytes, log2.
    pub width: u32,
    /// The value.
    pub value: u64,
    /// How it is carried out where it hits a table.
    pub how: How,
}

/// What the guest sees of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// It reached RAM, where these eight bytes stand now.
    Ram(Gpa, u64),
    /// It reached a device.
    Device(Gpa),
    /// It faulted.
    Fault(GuestFault),
}

/// A VM as its guest sees it.
pub trait Machine<A: Arch> {
    /// Stores to RAM by some mapping that nobody knows of.
    fn poke(&mut self, at: Gpa, store: Store);
    /// Makes stores of eight bytes, up to the first that cannot be; as many at once as it can.
    fn hand_over(&mut self, stores: &[(Gpa, u64)]) {
        one_by_one(self, stores);
    }
    /// The eight bytes of RAM that hold `at`.
    fn peek(&self, at: Gpa) -> Option<u64>;
    /// Loads a root.
    fn load_root(&mut self, half: usize, root: Gpa);
    /// Loads the other registers of the MMU.
    fn load_regime(&mut self, regime: A::Regime);
    /// What the registers say.
    fn regime(&self) -> A::Regime;
    /// The roots.
    fn roots(&self) -> [Gpa; 2];
    /// Turns paging on or off.
    fn set_paging(&mut self, on: bool);
    /// Accesses memory; `store` belongs to a write.
    fn access(&mut self, at: Gva, access: Access, store: Store) -> Seen;
    /// The hardware walks for an address that no instruction names.
    fn speculate(&mut self, _at: Gva) {}
    /// Checks itself between two operations.
    fn settle(&mut self) {}
    /// All RAM that was touched, for comparison.
    fn ram(&self) -> Vec<(Gpa, [u64; 512])>;
}

/// How many of `stores` can be made before one that is misaligned or not to RAM.
fn possible<A: Arch>(machine: &(impl Machine<A> + ?Sized), stores: &[(Gpa, u64)]) -> usize {
    let fits = |at: Gpa| at.bits().is_multiple_of(1 << ENTRY_SHIFT) && machine.peek(at).is_some();
    stores.iter().take_while(|(at, _)| fits(*at)).count()
}

/// Makes those of `stores` that can be made.
fn one_by_one<A: Arch>(machine: &mut (impl Machine<A> + ?Sized), stores: &[(Gpa, u64)]) {
    for (at, value) in stores.iter().take(possible(machine, stores)) {
        machine.poke(*at, Store { width: ENTRY_SHIFT, value: *value, how: How::Described });
    }
}

/// What stands at a guest-physical address, for an access that may go there.
fn at_physical<A: Arch>(memory: &impl Memory, at: Gpa) -> Seen {
    match paging::walk::load(memory, at) {
        Some(value) => Seen::Ram(at, value),
        None if is_device::<A>(at) => Seen::Device(at),
        None => Seen::Fault(GuestFault::Abort),
    }
}

/// What stands at `at` for an access while paging is off.
fn without_paging<A: Arch>(memory: &impl Memory, regime: &A::Regime, at: Gva) -> Seen {
    if A::is_too_large(regime, at.bits()) {
        Seen::Fault(GuestFault::AddressSize(Level::TOP))
    } else {
        at_physical::<A>(memory, Gpa::from_bits(at.bits()))
    }
}

/// Whether a device answers at `at`, where no RAM is.
fn is_device<A: Arch>(at: Gpa) -> bool {
    A::OPEN_BUS || at.bits() & !(PAGE_SIZE - 1) == DEVICE
}

/// Stores to RAM, as memory does it.
fn store_to(memory: &impl Memory, at: Gpa, store: Store) {
    for byte in 0..1_u64 << store.width {
        let Some(at) = at.checked_add(byte) else { return };
        let Some(frame) = memory.guest(at.frame()) else { return };
        let index = Index::wrapping((at.page_offset() >> ENTRY_SHIFT) as u32);
        let shift = 8 * (at.bits() % 8);
        let rest = frame.get(index) & !(0xff << shift);
        frame.set(index, rest | (store.value >> (8 * byte) & 0xff) << shift);
    }
}

/// All RAM that was touched and is not zero.
fn contents(memory: &paging::sim::Memory) -> Vec<(Gpa, [u64; 512])> {
    let words = |frame: &paging::sim::GuestFrame| {
        core::array::from_fn(|place| frame.get(Index::wrapping(place as u32)))
    };
    let touched = memory.touched().map(|(at, frame)| (at.start(), words(frame)));
    touched.filter(|(_, words)| words.iter().any(|word| *word != 0)).collect()
}
