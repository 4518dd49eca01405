//! x86-64: what the manuals say, and what the `x86_64` crate says of the same bits.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use x86_64::PhysAddr;
use x86_64::structures::paging::page_table::PageTableEntry;
use x86_64::structures::paging::{PageTable, PageTableFlags as Flags};

use super::leaf_level;
use crate::addr::{Frame, Gpa, GuestPhys, Gva, HostPhys, Hpa, Index, Level};
use crate::attrs::{Access, Attrs, Kind, Memory, Rights};
use crate::entry::{Entry, Shadowed};
use crate::fault::GuestFault;
use crate::format::ept::Ept;
use crate::format::x64::{ADDRESS, Bits, Regime, X64, pae_pointer};
use crate::format::{Format, GuestFormat, ShadowFormat};
use crate::layout::Layout;
use crate::mem::{Entries, Memory as _};
use crate::sim::{Parts, Stage};
use crate::walk;

const REGIME: Regime = Regime {
    output_bits: 40,
    execute_disable: true,
    gigabytes: true,
    write_protect: true,
    supervisor_execute_protect: true,
};

/// The number that their entry is.
fn word(entry: &PageTableEntry) -> u64 {
    entry.addr().as_u64() | entry.flags().bits()
}

/// Their entry for `to`.
fn entry(to: u64, flags: Flags) -> u64 {
    let mut entry = PageTableEntry::new();
    entry.set_addr(PhysAddr::new(to), flags);
    word(&entry)
}

/// What the guest may do by this leaf under these limits, if it has been written through.
fn rights_when_dirty(raw: u64, limits: u64) -> Rights {
    let rights = X64::rights(&REGIME, raw, limits);
    let write = Rights::KERNEL_WRITE | Rights::USER_WRITE;
    if raw & Bits::DIRTY.bits() == 0 { rights - write } else { rights }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What another crate calls a flag has the same place here.
    #[test]
    fn entries_are_as_others_build_them(to in 0_u64..1 << 40, write in any::<bool>(), execute in any::<bool>(), level in leaf_level()) {
        let to = Hpa::from_bits(to).align_down(level);
        let mut flags = Flags::PRESENT | Flags::USER_ACCESSIBLE | Flags::ACCESSED | Flags::DIRTY;
        flags.set(Flags::HUGE_PAGE, level != Level::PAGE);
        flags.set(Flags::WRITABLE, write);
        flags.set(Flags::NO_EXECUTE, !execute);
        let attrs = Attrs { write, execute, memory: Memory::Normal };
        prop_assert_eq!(X64::leaf(level, to.frame(), attrs), entry(to.bits(), flags));
        let registers = Attrs { memory: Memory::Device, ..attrs };
        let flags = flags | Flags::NO_CACHE | Flags::WRITE_THROUGH;
        prop_assert_eq!(X64::leaf(level, to.frame(), registers), entry(to.bits(), flags));
        let flags = Flags::PRESENT | Flags::USER_ACCESSIBLE | Flags::ACCESSED | Flags::WRITABLE;
        prop_assert_eq!(X64::table(to.frame()), entry(to.bits(), flags));
        prop_assert_eq!(pae_pointer(X64::table(to.frame())), entry(to.bits(), Flags::PRESENT));
    }

    /// A shadow leaf keeps every right of the guest's but for writes while the dirty flag is clear, and says
    /// where it leads and whether it is protected.
    #[test]
    fn a_shadow_leaf_keeps_what_the_guest_allows(
        level in leaf_level(),
        raw in any::<u64>(),
        limits in any::<u64>(),
        to in 0_u64..1 << 40,
        protected in any::<bool>(),
    ) {
        let form = Bits::PRESENT | if level == Level::PAGE { Bits::empty() } else { Bits::LARGE };
        let raw = raw | form.bits();
        let to = Hpa::from_bits(to).align_down(level).frame();
        let plain = X64::shadow_leaf(level, raw, to, false);
        prop_assert_eq!(X64::shadowed(level, plain), Shadowed::Leaf { to, protected: false });
        prop_assert_eq!(X64::rights(&REGIME, plain, limits), rights_when_dirty(raw, limits));
        let used = (Bits::ACCESSED | Bits::DIRTY).bits();
        prop_assert_eq!(plain & used, used);
        prop_assert_eq!(plain & Bits::GLOBAL.bits(), 0);
        let types = Bits::WRITE_THROUGH | Bits::CACHE_DISABLE;
        prop_assert_eq!((plain ^ raw) & types.bits(), 0);
        let pat = if level == Level::PAGE { Bits::PAT_PAGE } else { Bits::PAT_LARGE };
        prop_assert_eq!((plain ^ raw) & pat.bits(), 0);

        let closed = X64::shadow_leaf(level, raw, to, true);
        prop_assert_eq!(X64::shadowed(level, closed), Shadowed::Leaf { to, protected: true });
        prop_assert!(!X64::rights(&REGIME, closed, limits).intersects(Rights::KERNEL_WRITE | Rights::USER_WRITE));
        let shadow = if protected { closed } else { plain };
        prop_assert_eq!(X64::protect_leaf(shadow, true), closed);
        prop_assert_eq!(X64::protect_leaf(shadow, false), plain);
        prop_assert!(X64::is_cached(shadow));

        let device = X64::device_leaf(level, raw, Gpa::from_bits(to.start().bits()).frame());
        prop_assert_eq!(X64::shadowed(level, device), Shadowed::Device);
        prop_assert!(!X64::is_cached(device));
        prop_assert_eq!(X64::shadowed(level, X64::unknown(level, raw)), Shadowed::Unknown);
        prop_assert!(!X64::is_cached(X64::unknown(level, raw)));
    }

    /// The two ways to make leaves of pages are one, and where the pages of a group differ it shows.
    #[test]
    fn a_moved_leaf_is_a_shadow_leaf(
        raw in any::<[u64; 2]>(),
        distance in -(1_i64 << 26)..1 << 26,
        protect in any::<bool>(),
    ) {
        let plain = (Bits::PRESENT | Bits::ACCESSED).bits() | 1 << 39;
        let raw = raw.map(|raw| raw & !(0xfff << 40) | plain);
        let distance = (distance << 12) as u64;
        let same = X64::besides(raw[0] & raw[1], raw[0] | raw[1]);
        for raw in raw {
            prop_assert!(X64::is_plain_page(raw));
            let to = Hpa::from_bits((raw & ADDRESS).wrapping_add(distance)).frame();
            let leaf = X64::shadow_leaf(Level::PAGE, raw, to, false);
            let alone = X64::besides(raw, raw);
            prop_assert!(alone.is_some() && same.is_none_or(|same| Some(same) == alone));
            prop_assert_eq!(X64::moved_leaf(raw, distance), leaf);
            let leaf = X64::protect_leaf(leaf, protect);
            prop_assert_eq!(X64::may_map(leaf, leaf), Some(true));
            prop_assert_eq!(X64::mapped_frame(leaf), to);
        }
    }

    #[test]
    fn a_shadow_table_keeps_what_the_guest_takes_away(raw in any::<u64>(), to in 0_u64..1 << 25) {
        let raw = (raw | Bits::PRESENT.bits()) & !Bits::LARGE.bits();
        let to = Frame::<HostPhys>::from_number(to);
        let known = X64::shadow_table(Level::BLOCK_1G, raw, to);
        prop_assert_eq!(X64::shadowed(Level::BLOCK_1G, known), Shadowed::Table(to));
        prop_assert_eq!(X64::limit(&REGIME, 0, 0, known), X64::limit(&REGIME, 0, 0, raw));
        prop_assert!(X64::accessed(known));
        prop_assert_eq!(X64::forget_table(known), X64::unknown(Level::BLOCK_1G, raw));
    }

    /// The parts of a block lead where the block leads, with its rights, flags and memory type.
    #[test]
    fn parts_are_the_block(
        level in prop::sample::select(vec![Level::BLOCK_2M, Level::BLOCK_1G]),
        raw in any::<u64>(),
        part in 0_u32..512,
    ) {
        let raw = raw | (Bits::PRESENT | Bits::LARGE).bits();
        let Entry::Leaf(to) = X64::decode::<GuestPhys>(level, raw) else {
            return Err(TestCaseError::fail("a block"));
        };
        let below = level.below().unwrap_or(Level::PAGE);
        let got = X64::part(level, raw, Index::wrapping(part));
        let at = to.start().bits() + (u64::from(part) << below.shift());
        prop_assert_eq!(X64::decode::<GuestPhys>(below, got), Entry::Leaf(Gpa::from_bits(at).frame()));
        prop_assert_eq!(X64::rights(&REGIME, got, 0), X64::rights(&REGIME, raw, 0));
        let kept = Bits::ACCESSED | Bits::DIRTY | Bits::WRITE_THROUGH | Bits::CACHE_DISABLE;
        prop_assert_eq!((got ^ raw) & kept.bits(), 0);
        let pat = if below == Level::PAGE { Bits::PAT_PAGE } else { Bits::PAT_LARGE };
        prop_assert_eq!(got & pat.bits() != 0, raw & Bits::PAT_LARGE.bits() != 0);
    }

    /// Only what the hardware would still allow, or where it would still lead, has to be forgotten.
    #[test]
    fn what_allows_more_leaves_nothing_stale(raw in any::<u64>(), to in 0_u64..1 << 25, bit in 0_u32..64) {
        let raw = raw | Bits::PRESENT.bits();
        let to = Frame::from_number(to);
        let open = X64::shadow_leaf(Level::PAGE, raw | (Bits::WRITABLE | Bits::DIRTY).bits(), to, false);
        let closed = X64::protect_leaf(open, true);
        let clean = X64::shadow_leaf(Level::PAGE, raw & !Bits::DIRTY.bits(), to, false);
        prop_assert!(X64::is_stale(open, closed) && X64::is_stale(open, clean));
        prop_assert!(!X64::is_stale(closed, open) && !X64::is_stale(clean, open));
        prop_assert!(!X64::is_stale(clean, closed) && !X64::is_stale(closed, clean));
        prop_assert!(X64::is_stale(open, X64::ABSENT));
        let for_software = (9..12).contains(&bit);
        let other = open ^ 1 << bit;
        prop_assert_eq!(X64::is_stale(open, other), !for_software || bit == 11);
    }

    /// The two ways to check an access are one.
    #[test]
    fn an_access_is_allowed_by_rights(
        raw in any::<u64>(),
        limits in any::<u64>(),
        kind in prop::sample::select(vec![Kind::Read, Kind::Write, Kind::Execute]),
        (user, guarded, wp, smep) in any::<(bool, bool, bool, bool)>(),
    ) {
        let regime = Regime { write_protect: wp, supervisor_execute_protect: smep, ..REGIME };
        let limits = X64::limit(&regime, 0, 0, limits);
        let access = Access { kind, user, guarded };
        let allowed = access.allowed_by(X64::rights(&regime, raw, limits));
        prop_assert_eq!(X64::allows(&regime, raw, limits, access), allowed);
    }

    /// The table that an entry leads to is what it means.
    #[test]
    fn a_next_table_is_a_shadowed_table(raw in any::<u64>(), level in (0_u8..4).prop_filter_map("a level", Level::new)) {
        for raw in [raw, raw | 1, (raw | 1) & !(1 << 51)] {
            let expected = match X64::shadowed(level, raw) {
                Shadowed::Table(to) => Some(to),
                _ => None,
            };
            prop_assert_eq!(X64::next_table(level, raw), expected);
        }
    }

    /// The flags that an access sets, and no others.
    #[test]
    fn flags_are_set_where_an_access_goes(level in (0_u8..4).prop_filter_map("a level", Level::new), raw in any::<u64>()) {
        let raw = raw | Bits::PRESENT.bits();
        let accessed = raw | Bits::ACCESSED.bits();
        prop_assert_eq!(X64::marked(level, raw, Kind::Read), accessed);
        prop_assert_eq!(X64::marked(level, raw, Kind::Execute), accessed);
        let leaf = level == Level::PAGE || raw & Bits::LARGE.bits() != 0;
        let dirty = if leaf { accessed | Bits::DIRTY.bits() } else { accessed };
        prop_assert_eq!(X64::marked(level, raw, Kind::Write), dirty);
    }
}

#[test]
fn known_words() {
    let attrs = |write, execute, memory| Attrs { write, execute, memory };
    let at = |bits| Hpa::from_bits(bits).frame();
    let text = attrs(false, true, Memory::Normal);
    let data = attrs(true, false, Memory::Normal);
    let registers = attrs(true, false, Memory::Device);
    assert_eq!(X64::leaf(Level::PAGE, at(0x20_0000), text), 0x20_0065);
    assert_eq!(X64::leaf(Level::BLOCK_2M, at(0x20_0000), data), 0x8000_0000_0020_00e7);
    assert_eq!(X64::leaf(Level::PAGE, at(0xfee0_0000), registers), 0x8000_0000_fee0_007f);
    assert_eq!(X64::table(at(0x12_3000)), 0x12_3027);
    assert_eq!(
        Ept::leaf(Level::BLOCK_2M, at(0x20_0000), attrs(true, true, Memory::Normal)),
        0x20_00b7
    );
    assert_eq!(Ept::leaf(Level::PAGE, at(0x1000), text), 0x1035);
    assert_eq!(Ept::leaf(Level::PAGE, at(0xfee0_0000), registers), 0xfee0_0003);
    assert_eq!(Ept::table(at(0x12_3000)), 0x12_3007);
}

/// "Reserved-Bit Checking with 4-Level Paging", figure 4-11.
#[test]
fn reserved_bits_are_those_of_the_manual() {
    let refused = |regime: &Regime, level, raw: u64| {
        let raw = raw | Bits::PRESENT.bits();
        let (Entry::Leaf(to) | Entry::Table(to)) = X64::decode(level, raw) else {
            panic!("{raw:#x}")
        };
        match X64::refusal(regime, level, raw, to) {
            Some(GuestFault::Reserved(of)) if of == level => true,
            None => false,
            other => panic!("{other:?}"),
        }
    };
    let large = Bits::LARGE.bits();
    let [no_execute, no_gigabytes] =
        [Regime { execute_disable: false, ..REGIME }, Regime { gigabytes: false, ..REGIME }];
    for level in (0..4).filter_map(Level::new) {
        assert!(!refused(&REGIME, level, 0));
        for bit in 0..64 {
            let address = (40..52).contains(&bit);
            let top_large = level == Level::TOP && bit == 7;
            assert_eq!(refused(&REGIME, level, 1 << bit), address || top_large, "{level:?} {bit}");
        }
        assert!(refused(&no_execute, level, 1 << 63));
        assert_eq!(refused(&no_gigabytes, level, large), level >= Level::BLOCK_1G);
    }
    for (level, first) in [(Level::BLOCK_2M, 21), (Level::BLOCK_1G, 30)] {
        for bit in 12..40 {
            let low = (13..first).contains(&bit);
            assert_eq!(refused(&REGIME, level, large | 1 << bit), low, "{level:?} {bit}");
        }
    }
}

/// "Determination of Access Rights" (4.6.1).
#[test]
fn rights_are_those_of_the_architecture() {
    let of = |regime: &Regime, leaf: Bits, above: Bits| {
        let limits = X64::limit(regime, 0, 0, (above | Bits::PRESENT).bits());
        X64::rights(regime, (leaf | Bits::PRESENT).bits(), limits)
    };
    let (write, user, never) = (Bits::WRITABLE, Bits::USER, Bits::EXECUTE_DISABLE);
    let kernel = Rights::KERNEL_READ | Rights::KERNEL_WRITE | Rights::KERNEL_EXECUTE;
    let all_user = Rights::USER_READ | Rights::USER_WRITE | Rights::USER_EXECUTE;
    let wide = write | user;
    assert_eq!(of(&REGIME, write, wide), kernel);
    assert_eq!(of(&REGIME, wide, write), kernel);
    assert_eq!(of(&REGIME, wide, wide), (kernel - Rights::KERNEL_EXECUTE) | all_user);
    assert_eq!(of(&REGIME, user, wide), Rights::KERNEL_READ | (all_user - Rights::USER_WRITE));
    assert_eq!(of(&REGIME, wide, user), Rights::KERNEL_READ | (all_user - Rights::USER_WRITE));
    assert_eq!(of(&REGIME, write | never, wide), kernel - Rights::KERNEL_EXECUTE);
    assert_eq!(of(&REGIME, write, wide | never), kernel - Rights::KERNEL_EXECUTE);
    let old = Regime { supervisor_execute_protect: false, write_protect: false, ..REGIME };
    assert_eq!(of(&old, wide, wide), kernel | all_user);
    assert_eq!(of(&old, Bits::empty(), wide), kernel);
    assert_eq!(of(&old, user, wide), kernel | (all_user - Rights::USER_WRITE));
    assert_eq!(
        of(&X64::enforced(&old), user, wide),
        (kernel - Rights::KERNEL_WRITE) | (all_user - Rights::USER_WRITE)
    );
    let guarded = Access { kind: Kind::Read, user: false, guarded: true };
    assert!(!guarded.allowed_by(of(&REGIME, wide, wide)));
    assert!(guarded.allowed_by(of(&REGIME, write, wide)));
}

/// Only what is said in entries makes tables mean something else.
#[test]
fn registers_that_check_accesses_leave_tables_alone() {
    let same = |regime| X64::same_tables(&REGIME, &regime);
    assert!(same(Regime { write_protect: false, ..REGIME }));
    assert!(same(Regime { supervisor_execute_protect: false, ..REGIME }));
    assert!(!same(Regime { execute_disable: false, ..REGIME }));
    assert!(!same(Regime { gigabytes: false, ..REGIME }));
    assert!(!same(Regime { output_bits: 39, ..REGIME }));
}

#[test]
fn walks_begin_at_canonical_addresses() {
    for at in [0, 0x7fff_ffff_ffff, 0xffff_8000_0000_0000, u64::MAX] {
        assert!(X64::start(&REGIME, Gva::from_bits(at)).is_some(), "{at:#x}");
        assert_eq!(X64::canonical(at & ((1 << 48) - 1)).bits(), at);
    }
    for at in [0x8000_0000_0000, 0xffff_7fff_ffff_ffff, 1 << 63] {
        assert!(X64::start(&REGIME, Gva::from_bits(at)).is_none(), "{at:#x}");
    }
}

/// A guest's own tables, made of the other crate's, lead where it says.
#[test]
fn a_walk_agrees_with_tables_that_others_built() {
    const BASE: u64 = 0x10_0000;
    let table = Flags::PRESENT | Flags::WRITABLE | Flags::USER_ACCESSIBLE;
    let mut tables: Vec<PageTable> = (0..4).map(|_| PageTable::new()).collect();
    let frame = |number: usize| PhysAddr::new(BASE + ((number as u64) << 12));
    let at: u64 = 0xffff_8081_4030_5678;
    let index = |level: u32| (at >> (12 + 9 * level)) as usize & 511;
    for above in 0..3 {
        tables[above][index(3 - above as u32)].set_addr(frame(above + 1), table);
    }
    let page = Flags::PRESENT | Flags::WRITABLE | Flags::NO_EXECUTE;
    tables[3][index(0)].set_addr(PhysAddr::new(0x1234_5000), page);
    let block = Flags::PRESENT | Flags::HUGE_PAGE | Flags::USER_ACCESSIBLE;
    tables[2][index(1) + 1].set_addr(PhysAddr::new(0x4060_0000), block);
    tables[1][index(2) + 1].set_addr(PhysAddr::new(0x8000_0000), block | Flags::WRITABLE);

    let layout = Layout::new(Gpa::from_bits(BASE).frame(), 4, Frame::from_number(0x80000));
    let parts = Parts::new(layout, 1, Stage::X64);
    for (number, table) in tables.iter().enumerate() {
        let guest = parts.memory.guest(Frame::from_number((BASE >> 12) + number as u64));
        let guest = guest.unwrap_or_else(|| panic!("a frame of RAM"));
        for (place, entry) in table.iter().enumerate() {
            guest.set(Index::wrapping(place as u32), word(entry));
        }
    }
    let translate = |at: u64| {
        let roots = [Gpa::from_bits(BASE), Gpa::from_bits(0)];
        walk::translate::<X64>(&parts.memory, &REGIME, roots, Gva::from_bits(at))
    };
    let found = |at: u64| translate(at).map(|found| (found.gpa.bits(), found.level, found.rights));
    let kernel = Rights::KERNEL_READ | Rights::KERNEL_WRITE;
    assert_eq!(found(at), Ok((0x1234_5678, Level::PAGE, kernel)));
    let both = Rights::KERNEL_READ | Rights::USER_READ | Rights::USER_EXECUTE;
    let next_block = (at & !0x1f_ffff) + 0x20_1234;
    assert_eq!(found(next_block), Ok((0x4060_1234, Level::BLOCK_2M, both)));
    let next_gigabyte = (at & !0x3fff_ffff) + 0x4765_4321;
    let wide = both | Rights::KERNEL_WRITE | Rights::USER_WRITE;
    assert_eq!(found(next_gigabyte), Ok((0x8765_4321, Level::BLOCK_1G, wide)));
    assert_eq!(found(at + 0x1000), Err(GuestFault::Translation(Level::PAGE)));
    assert_eq!(found(0), Err(GuestFault::Translation(Level::TOP)));
}
