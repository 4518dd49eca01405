//! An x86-64 guest: 4-level paging.

use paging::addr::{Addr, Gpa, Gva, Index, Level, PAGE_SIZE};
use paging::attrs::Kind;
use paging::fault::GuestFault;
use paging::format::ept::Ept;
use paging::format::x64::{ADDRESS, Bits, LINEAR_BITS, Regime, X64};
use paging::mem::{Entries, Memory as _};
use paging::sim::{Memory, Stage};

use crate::ops::Form;
use crate::scenario::number;
use crate::{Arch, Seen};

/// A bit of a large leaf's address that has to be clear, and of a page's that may be set.
const ODD: Bits = Bits::from_bits_retain(1 << 13);
/// A bit that is software's.
const IGNORED: Bits = Bits::from_bits_retain(1 << 9 | 1 << 52);
/// A bit of the address that is beyond what the processor has.
const BEYOND: Bits = Bits::from_bits_retain(1 << 51);

/// What the bits of packed attributes stand for.
pub const ATTRS: [Bits; 12] = [
    Bits::ACCESSED,
    Bits::WRITABLE,
    Bits::USER,
    Bits::DIRTY,
    Bits::EXECUTE_DISABLE,
    Bits::WRITE_THROUGH,
    Bits::CACHE_DISABLE,
    Bits::GLOBAL,
    IGNORED,
    Bits::LARGE,
    ODD,
    BEYOND,
];

/// Each half of the addresses has this many bits.
const HALF_BITS: u32 = LINEAR_BITS - 1;

impl Arch for X64 {
    type Nested = Ept;
    const NESTED: Stage = Stage::Ept;
    const OPEN_BUS: bool = true;
    const REGIME: Regime = Regime {
        output_bits: 40,
        execute_disable: true,
        gigabytes: true,
        write_protect: true,
        supervisor_execute_protect: false,
    };

    fn input_bits(_regime: &Regime, _half: usize) -> u32 {
        HALF_BITS
    }

    fn lowest(_regime: &Regime, half: usize) -> u64 {
        if half == 0 { 0 } else { u64::MAX << HALF_BITS }
    }

    fn root_of(_regime: &Regime, _half: usize) -> (usize, u64) {
        (0, PAGE_SIZE)
    }

    fn tagged(at: u64, _tag: u8) -> u64 {
        at
    }

    fn is_too_large(_regime: &Regime, _at: u64) -> bool {
        false
    }

    fn descriptor(form: Form, attrs: u16) -> u64 {
        let mut bits = match form {
            Form::Long => Bits::PRESENT,
            Form::Short => Bits::PRESENT | Bits::LARGE,
            Form::Invalid => Bits::empty(),
            Form::Empty => return 0,
        };
        for (place, attr) in ATTRS.iter().enumerate() {
            if attrs >> place & 1 != 0 {
                bits |= *attr;
            }
        }
        bits.bits()
    }

    /// Every third is as if nobody had used it yet.
    fn link(number: u8) -> u64 {
        let bits = Bits::PRESENT | Bits::WRITABLE | Bits::USER | Bits::ACCESSED;
        if number.is_multiple_of(3) { (bits - Bits::ACCESSED).bits() } else { bits.bits() }
    }

    fn form(name: &str) -> Option<u64> {
        let leaf = Bits::PRESENT | Bits::WRITABLE | Bits::ACCESSED | Bits::DIRTY;
        let bits = match name {
            "table" => Bits::PRESENT | Bits::WRITABLE | Bits::USER | Bits::ACCESSED,
            "page" => leaf,
            "block" => leaf | Bits::LARGE,
            "invalid" => leaf - Bits::PRESENT,
            _ => return None,
        };
        Some(bits.bits())
    }

    fn attribute(raw: u64, word: &str) -> Option<u64> {
        let mut bits = Bits::from_bits_retain(raw);
        match word {
            "user" => bits |= Bits::USER,
            "ro" => bits -= Bits::WRITABLE,
            "nx" => bits |= Bits::EXECUTE_DISABLE,
            "old" => bits -= Bits::ACCESSED,
            "clean" => bits -= Bits::DIRTY,
            "global" => bits |= Bits::GLOBAL,
            "other" => bits |= Bits::WRITE_THROUGH,
            "kernel-only" => bits -= Bits::USER,
            "large" => bits |= Bits::LARGE,
            "odd" => bits |= ODD,
            "beyond" => bits |= BEYOND,
            "ignored" => bits |= IGNORED,
            _ => return None,
        }
        Some(bits.bits())
    }

    fn flags(raw: u64) -> String {
        let bits = Bits::from_bits_retain(raw);
        let flags = [("accessed", Bits::ACCESSED), ("dirty", Bits::DIRTY)];
        let set = flags.iter().filter(|(_, flag)| bits.contains(*flag));
        let set: Vec<_> = set.map(|(name, _)| *name).collect();
        if set.is_empty() { "neither".to_owned() } else { set.join(" ") }
    }

    fn configure(regime: &mut Regime, name: &str, value: &str) -> bool {
        let yes = value == "yes";
        match name {
            "output" => regime.output_bits = number(value) as u32,
            "nxe" => regime.execute_disable = yes,
            "gigabytes" => regime.gigabytes = yes,
            "wp" => regime.write_protect = yes,
            "smep" => regime.supervisor_execute_protect = yes,
            _ => return false,
        }
        true
    }

    fn keep_flags(memory: &Memory, roots: [Gpa; 2], at: Gva, kind: Kind) {
        let mut table = roots[0].frame();
        for level in (0..=3).rev().filter_map(Level::new) {
            let Some(entries) = memory.guest(table) else { return };
            let index = Index::of(at.bits(), level);
            let mut entry = Bits::from_bits_retain(entries.get(index));
            let leaf = level == Level::PAGE || level != Level::TOP && entry.contains(Bits::LARGE);
            entry |= Bits::ACCESSED;
            if leaf && kind == Kind::Write {
                entry |= Bits::DIRTY;
            }
            entries.set(index, entry.bits());
            if leaf {
                return;
            }
            table = Addr::from_bits(entry.bits() & ADDRESS).frame();
        }
    }

    /// A page fault does not say its level.
    fn same(expected: Seen, seen: Seen) -> bool {
        let kind = |seen| match seen {
            Seen::Fault(GuestFault::Translation(_)) => {
                Seen::Fault(GuestFault::Translation(Level::PAGE))
            }
            Seen::Fault(GuestFault::Permission(_)) => {
                Seen::Fault(GuestFault::Permission(Level::PAGE))
            }
            Seen::Fault(GuestFault::Reserved(_)) => Seen::Fault(GuestFault::Reserved(Level::PAGE)),
            other => other,
        };
        kind(expected) == kind(seen)
    }
}
