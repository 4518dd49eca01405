//! What the models have to know of a guest's architecture beside what the engine knows.

use paging::addr::{Gpa, Gva};
use paging::attrs::Kind;
use paging::format::Format;
use paging::sim::{Hardware, Memory, Stage};

use crate::Seen;
use crate::ops::Form;

mod vmsa;
mod x64;

pub use vmsa::{ATTRS as VMSA_ATTRS, regime as vmsa_regime};
pub use x64::ATTRS as X64_ATTRS;

/// An architecture of guests.
pub trait Arch: Hardware + 'static {
    /// The tables of nested paging.
    type Nested: Format;
    /// What a TLB is told about them.
    const NESTED: Stage;
    /// Whether an access to where nothing is reads ones, rather than being aborted.
    const OPEN_BUS: bool;
    /// What the registers say unless they are said to say something else.
    const REGIME: Self::Regime;

    /// Bits of an address that root `half` translates.
    fn input_bits(regime: &Self::Regime, half: usize) -> u32;
    /// The lowest address that root `half` translates, of those that a model uses.
    fn lowest(regime: &Self::Regime, half: usize) -> u64;
    /// The root that translates the addresses of `half`, and bytes of it.
    fn root_of(regime: &Self::Regime, half: usize) -> (usize, u64);
    /// The address with `tag` where the architecture ignores it.
    fn tagged(at: u64, tag: u8) -> u64;
    /// Whether an access beyond the physical addresses faults while paging is off.
    fn is_too_large(regime: &Self::Regime, at: u64) -> bool;

    /// A descriptor that leads nowhere yet, with the attributes that `attrs` packs.
    fn descriptor(form: Form, attrs: u16) -> u64;
    /// What an entry for the table `number` says beside its address.
    fn link(number: u8) -> u64;
    /// A descriptor of the form that a scenario calls `name`, which leads nowhere yet.
    fn form(name: &str) -> Option<u64>;
    /// `raw` with the attribute that a scenario calls `word`.
    fn attribute(raw: u64, word: &str) -> Option<u64>;
    /// The flags in `raw` that the hardware keeps, for people.
    fn flags(raw: u64) -> String;
    /// Makes a register say what a scenario says, if it is one.
    fn configure(regime: &mut Self::Regime, name: &str, value: &str) -> bool;

    /// Sets the flags that the hardware sets in the guest's tables when an access to `at` succeeds.
    fn keep_flags(memory: &Memory, roots: [Gpa; 2], at: Gva, kind: Kind);

    /// Whether two outcomes are the same to a guest.
    fn same(expected: Seen, seen: Seen) -> bool;
}
