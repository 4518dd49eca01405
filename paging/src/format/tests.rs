//! What holds of every format, and what others say of the same bits.

use alloc::vec::Vec;

use aarch64_paging::descriptor::{
    El1Attributes, PagingAttributes, PhysicalAddress, Stage2Attributes,
};
use aarch64_paging::paging::{
    Constraints, El1And0, MemoryRegion, RootTable, Stage2 as TheirStage2, VaRange,
};
use aarch64_paging::target::TargetAllocator;
use proptest::prelude::*;

use crate::addr::{Addr, Frame, Gpa, GuestPhys, Gva, HostPhys, Hpa, Index, Level};
use crate::attrs::{Access, Attrs, Kind, Memory, Rights};
use crate::entry::{Entry, Shadowed};
use crate::fault::GuestFault;
use crate::format::ept::Ept;
use crate::format::vmsa_stage1::{Bits, HalfRegime, Regime, Stage1};
use crate::format::vmsa_stage2::Stage2;
use crate::format::x64::X64;
use crate::format::{Format, GuestFormat, ShadowFormat, vmsa_stage1, vmsa_stage2};
use crate::layout::Layout;
use crate::mem::{Entries, Memory as _};
use crate::sim::{Parts, Stage};
use crate::tree::{Tools, Tree};
use crate::walk;

mod x64;

const LEAVES: [Level; 3] = [Level::PAGE, Level::BLOCK_2M, Level::BLOCK_1G];
const REGIME: Regime = {
    let half = HalfRegime { input_bits: 39, disabled: false, flat: false, top_byte_ignored: false };
    Regime { halves: [half, half], output_bits: 48, write_execute_never: false }
};

fn level() -> impl Strategy<Value = Level> {
    (0_u8..4).prop_filter_map("a level", Level::new)
}

fn leaf_level() -> impl Strategy<Value = Level> {
    prop::sample::select(LEAVES.to_vec())
}

fn attrs() -> impl Strategy<Value = Attrs> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(write, execute, device)| Attrs {
        write,
        execute,
        memory: if device { Memory::Device } else { Memory::Normal },
    })
}

/// Only a live entry leads anywhere; a leaf is aligned to its size; nothing leads beyond 52 bits.
fn decode_is_total<F: Format>(level: Level, raw: u64) -> Result<(), TestCaseError> {
    let entry = F::decode::<HostPhys>(level, raw);
    match entry {
        Entry::Hole => {}
        Entry::Table(to) => {
            prop_assert!(level != Level::PAGE && F::is_live(raw));
            prop_assert_eq!(to.start().bits() >> 52, 0);
        }
        Entry::Leaf(to) => {
            prop_assert!(level != Level::TOP && F::is_live(raw));
            prop_assert!(to.start().is_aligned(level));
            prop_assert_eq!(to.start().bits() >> 52, 0);
        }
    }
    F::attrs(level, raw);
    prop_assert!(F::may_replace_live(raw, raw));
    Ok(())
}

fn leaves_round_trip<F: Format>(level: Level, to: u64, attrs: Attrs) -> Result<(), TestCaseError> {
    let to = Hpa::from_bits(to & ((1 << 48) - 1)).align_down(level).frame();
    let raw = F::leaf(level, to, attrs);
    prop_assert_eq!(F::decode(level, raw), Entry::Leaf(to));
    prop_assert_eq!(F::attrs(level, raw), attrs);
    prop_assert!(F::is_live(raw));
    if let Some(above) = Level::new(level.number() as u8 + 1) {
        let table = F::table(to);
        prop_assert_eq!(F::decode(above, table), Entry::Table(to));
        let replaced = F::may_replace_live(F::leaf(above, to, attrs), table);
        prop_assert_eq!(replaced, !F::BREAK_BEFORE_MAKE);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_number_is_an_entry(level in level(), raw in any::<u64>(), form in 0_u64..4) {
        for raw in [raw, raw & !3 | form] {
            decode_is_total::<Stage1>(level, raw)?;
            decode_is_total::<Stage2>(level, raw)?;
            decode_is_total::<X64>(level, raw)?;
            decode_is_total::<Ept>(level, raw)?;
        }
    }

    #[test]
    fn what_is_written_is_read(level in leaf_level(), to in any::<u64>(), attrs in attrs()) {
        leaves_round_trip::<Stage1>(level, to, attrs)?;
        leaves_round_trip::<Stage2>(level, to, attrs)?;
        leaves_round_trip::<X64>(level, to, attrs)?;
        leaves_round_trip::<Ept>(level, to, attrs)?;
    }

    /// A shadow leaf keeps every right of the guest's, and says where it leads and whether it is protected.
    #[test]
    fn a_shadow_leaf_keeps_what_the_guest_allows(
        level in leaf_level(),
        raw in any::<u64>(),
        limits in any::<u64>(),
        to in 0_u64..1 << 37,
        protected in any::<bool>(),
    ) {
        let form = if level == Level::PAGE { 3 } else { 1 };
        let raw = raw & !3 | form;
        let to = Hpa::from_bits(to).align_down(level).frame();
        let shadow = Stage1::shadow_leaf(level, raw, to, protected);
        prop_assert_eq!(Stage1::shadowed(level, shadow), Shadowed::Leaf { to, protected });
        prop_assert_eq!(
            Stage1::rights(&REGIME, shadow, limits),
            Stage1::rights(&REGIME, raw, limits)
        );
        prop_assert_eq!(Stage1::accessed(shadow), Stage1::accessed(raw));
        let other = Stage1::shadow_leaf(level, raw, to, !protected);
        prop_assert_eq!(Stage1::protect_leaf(shadow, !protected), other);
        prop_assert_eq!(Stage1::protect_leaf(shadow, protected), shadow);

        let device = Stage1::device_leaf(level, raw, Gpa::from_bits(to.start().bits()).frame());
        prop_assert_eq!(Stage1::shadowed(level, device), Shadowed::Device);
        prop_assert_eq!(
            Stage1::rights(&REGIME, device, limits),
            Stage1::rights(&REGIME, raw, limits)
        );
    }

    /// Entries that stand for tables take away what the guest's do, known or not.
    #[test]
    fn a_shadow_table_keeps_what_the_guest_takes_away(raw in any::<u64>(), to in 0_u64..1 << 25) {
        let raw = raw | 3;
        let to = Frame::<HostPhys>::from_number(to);
        let known = Stage1::shadow_table(Level::BLOCK_1G, raw, to);
        prop_assert_eq!(Stage1::shadowed(Level::BLOCK_1G, known), Shadowed::Table(to));
        let unknown = Stage1::unknown(Level::BLOCK_1G, raw);
        prop_assert_eq!(Stage1::shadowed(Level::BLOCK_1G, unknown), Shadowed::Unknown);
        prop_assert_eq!(Stage1::forget_table(known), unknown);
        for half in 0..2 {
            let limit = |raw| Stage1::limit(&REGIME, 0, half, raw);
            prop_assert_eq!(limit(known), limit(raw));
            prop_assert_eq!(limit(unknown), limit(raw));
        }
    }

    /// The parts of a block lead where the block leads, with its rights.
    #[test]
    fn parts_are_the_block(
        level in prop::sample::select(alloc::vec![Level::BLOCK_2M, Level::BLOCK_1G]),
        raw in any::<u64>(),
        part in 0_u32..512,
    ) {
        let raw = raw & !3 | 1;
        let Entry::Leaf(to) = Stage1::decode::<GuestPhys>(level, raw) else {
            return Err(TestCaseError::fail("a block"));
        };
        let below = level.below().unwrap_or(Level::PAGE);
        let got = Stage1::part(level, raw, Index::wrapping(part));
        let at = to.start().bits() + (u64::from(part) << below.shift());
        prop_assert_eq!(
            Stage1::decode::<GuestPhys>(below, got),
            Entry::Leaf(Gpa::from_bits(at).frame())
        );
        prop_assert_eq!(Stage1::rights(&REGIME, got, 0), Stage1::rights(&REGIME, raw, 0));
        prop_assert_eq!(Stage1::accessed(got), Stage1::accessed(raw));
    }

    /// Live entries may be exchanged as the other crate says, of what both know. Ours is bolder with
    /// the access of EL0, which is a permission, and shyer with what makes a leaf global.
    #[test]
    fn exchanges_are_as_others_see_them(old in any::<u64>(), new in any::<u64>(), few in any::<u64>()) {
        let one = Bits::LEAF | Bits::CONTIGUOUS;
        let one = (one - Bits::AP_USER - Bits::GUARDED - Bits::NOT_GLOBAL).bits();
        let two = Stage2Attributes::all().bits() as u64 & !(0xf << 55);
        for new in [new, old ^ (new & few), old ^ (1 << (few % 64))] {
            let theirs = El1Attributes::is_bbm_safe(
                El1Attributes::from_bits_retain((old & one | 1) as usize),
                El1Attributes::from_bits_retain((new & one | 1) as usize),
            );
            prop_assert_eq!(Stage1::may_replace_live(old & one | 1, new & one | 1), theirs);
            let theirs = Stage2Attributes::is_bbm_safe(
                Stage2Attributes::from_bits_retain((old & two | 1) as usize),
                Stage2Attributes::from_bits_retain((new & two | 1) as usize),
            );
            prop_assert_eq!(Stage2::may_replace_live(old & two | 1, new & two | 1), theirs);
        }
    }
}

#[test]
fn known_words() {
    let attrs = |write, execute, memory| Attrs { write, execute, memory };
    let at = |bits| Hpa::from_bits(bits).frame();
    let text = attrs(false, true, Memory::Normal);
    let data = attrs(true, false, Memory::Normal);
    let registers = attrs(true, false, Memory::Device);
    assert_eq!(Stage1::leaf(Level::PAGE, at(0x4008_0000), text), 0x4008_07c3);
    assert_eq!(Stage1::leaf(Level::BLOCK_2M, at(0x4020_0000), data), 0x0040_0000_4020_0741);
    assert_eq!(Stage1::leaf(Level::PAGE, at(0x0900_0000), registers), 0x0040_0000_0900_0447);
    assert_eq!(Stage1::table(at(0x4123_4000)), 0x4123_4003);
    assert_eq!(
        Stage2::leaf(Level::BLOCK_1G, at(0x8000_0000), attrs(true, true, Memory::Normal)),
        0x8000_07fd
    );
    assert_eq!(Stage2::leaf(Level::PAGE, at(0x8000_1000), text), 0x8000_177f);
    assert_eq!(Stage2::leaf(Level::PAGE, at(0x0900_0000), registers), 0x0040_0000_0900_04c7);
}

/// A guest's own tables, built by the other crate, lead where it says: its descriptors in simulated
/// RAM, walked by ours.
#[test]
fn a_walk_agrees_with_tables_that_others_built() {
    const BASE: u64 = 0x4000_0000;
    let mut map = RootTable::with_va_range(TargetAllocator::new(BASE), 1, El1And0, VaRange::Lower);
    let normal = El1Attributes::VALID | El1Attributes::ACCESSED | El1Attributes::INNER_SHAREABLE;
    // First address, bytes, where it leads, its attributes, and what they allow.
    let kernel = Rights::KERNEL_READ | Rights::KERNEL_WRITE;
    let pieces = [
        (0x8000, 0x3000, 0x1_2345_6000, normal | El1Attributes::UXN | El1Attributes::PXN, kernel),
        (
            0x4000_0000,
            0x60_0000,
            0x8020_0000,
            normal | El1Attributes::READ_ONLY | El1Attributes::UXN,
            Rights::KERNEL_READ | Rights::KERNEL_EXECUTE,
        ),
        (
            0x8000_0000,
            0x4000_0000,
            0x4000_0000,
            normal | El1Attributes::USER | El1Attributes::NON_GLOBAL,
            kernel | Rights::USER_READ | Rights::USER_WRITE | Rights::USER_EXECUTE,
        ),
        (
            0xc000_0000,
            0x1000,
            0x7000,
            normal
                | El1Attributes::USER
                | El1Attributes::READ_ONLY
                | El1Attributes::UXN
                | El1Attributes::PXN,
            Rights::KERNEL_READ | Rights::USER_READ,
        ),
        (0xd000_0000, 0x1000, 0x7000, El1Attributes::VALID, Rights::empty()),
    ];
    for (at, size, to, attributes, _) in pieces {
        let region = MemoryRegion::new(at, at + size);
        map.map_range(&region, PhysicalAddress(to), attributes, Constraints::empty())
            .unwrap_or_else(|error| panic!("{error:?}"));
    }
    let root = Gpa::from_bits(map.to_physical().0 as u64);
    let tables = map.translation().as_bytes();
    let layout = Layout::new(Gpa::from_bits(BASE).frame(), 64, Frame::from_number(0x80000));
    let parts = Parts::new(layout, 1, Stage::One);
    for (place, word) in tables.chunks_exact(8).enumerate() {
        let at = Gpa::from_bits(BASE + 8 * place as u64);
        let word = u64::from_le_bytes([
            word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7],
        ]);
        let frame = parts.memory.guest(at.frame());
        if let Some(frame) = frame {
            frame.set(Index::wrapping((at.page_offset() >> 3) as u32), word);
        }
    }
    let translate = |at: u64| {
        let roots = [root, Gpa::from_bits(0)];
        walk::translate::<Stage1>(&parts.memory, &REGIME, roots, Gva::from_bits(at))
    };
    for (at, size, to, attributes, rights) in pieces {
        for offset in [0, 8, size / 2, size - 1] {
            let found = translate((at + offset) as u64);
            if attributes.contains(El1Attributes::ACCESSED) {
                let found = found.unwrap_or_else(|fault| panic!("{fault:?} at {at:#x}"));
                assert_eq!(found.gpa.bits(), (to + offset) as u64);
                assert_eq!(found.rights, rights, "at {at:#x}");
            } else {
                assert_eq!(found.err(), Some(GuestFault::AccessFlag(Level::PAGE)));
            }
        }
        for beside in [at.wrapping_sub(1), at + size] {
            let taken = pieces.iter().any(|(at, size, ..)| (*at..at + size).contains(&beside));
            assert!(taken || matches!(translate(beside as u64), Err(GuestFault::Translation(_))));
        }
    }
}

/// Our tree and theirs, told the same, have the same descriptors.
#[test]
fn a_tree_is_what_others_build() {
    let attributes = Stage2Attributes::VALID
        | Stage2Attributes::MEMATTR_NORMAL_INNER_WB
        | Stage2Attributes::MEMATTR_NORMAL_OUTER_WB
        | Stage2Attributes::S2AP_ACCESS_RW
        | Stage2Attributes::SH_INNER
        | Stage2Attributes::ACCESS_FLAG;
    let pieces = [(0x4000_0000, 0x4000_0000, 0x8000_0000), (0x20_0000, 0x20_3000, 0x1_0020_0000)];
    let mut theirs = RootTable::new(TargetAllocator::new(0), 1, TheirStage2);
    let layout = Layout::new(Frame::from_number(0x40000), 1, Frame::from_number(0x80000));
    let mut parts = Parts::new(layout, 16, Stage::Two);
    let mut tools = Tools { memory: &parts.memory, pool: &mut parts.pool, tlb: &mut parts.tlb };
    let mut ours =
        Tree::<Stage2, GuestPhys, HostPhys>::new(Level::BLOCK_1G, tools.memory, tools.pool)
            .unwrap_or_else(|error| panic!("{error:?}"));
    for (at, size, to) in pieces {
        let region = MemoryRegion::new(at, at + size);
        theirs
            .map_range(&region, PhysicalAddress(to), attributes, Constraints::empty())
            .unwrap_or_else(|error| panic!("{error:?}"));
        let piece = (Addr::from_bits(at as u64), Addr::from_bits(to as u64), size as u64);
        let attrs = Attrs { write: true, execute: true, memory: Memory::Normal };
        ours.map(&mut tools, piece, attrs, Level::BLOCK_1G)
            .unwrap_or_else(|error| panic!("{error:?}"));
    }
    let bytes = theirs.translation().as_bytes();
    let word = |at: u64| {
        let at = at as usize;
        bytes[at..at + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
    };
    let mut compared = 0;
    let mut tables = Vec::from([(ours.root(), theirs.to_physical().0 as u64, Level::BLOCK_1G)]);
    while let Some((own, other, level)) = tables.pop() {
        for index in Index::all() {
            let raw = parts.memory.table(own).get(index);
            let their = word(other + 8 * index.get() as u64);
            match (Stage2::decode::<HostPhys>(level, raw), Stage2::decode::<HostPhys>(level, their))
            {
                (Entry::Table(next), Entry::Table(their)) => {
                    let next = parts.memory.page_of(next).into_iter();
                    let below = level.below().unwrap_or(Level::PAGE);
                    tables.extend(next.map(|next| (next, their.start().bits(), below)));
                }
                _ => assert_eq!(raw, their, "{level:?}[{}]", index.get()),
            }
            compared += usize::from(raw != 0);
        }
    }
    assert_eq!(compared, 1 + 1 + 1 + 1 + 3, "a gigabyte, a table, 2 MiB, a table, 3 pages");
    assert_eq!(vmsa_stage2::Bits::VALID.bits(), vmsa_stage1::Bits::VALID.bits());
}

#[test]
fn rights_are_those_of_the_architecture() {
    // "Stage 1 data accesses": AP[2:1], and what EL1 and EL0 may do.
    let of = |bits: Bits, limits: Bits| {
        Stage1::rights(&REGIME, (bits | Bits::TABLE).bits(), limits.bits())
    };
    let none = Bits::empty();
    let all_but_kernel_fetch = Rights::all() - Rights::KERNEL_EXECUTE;
    let fetch = Rights::KERNEL_EXECUTE | Rights::USER_EXECUTE;
    let read = Rights::KERNEL_READ | Rights::USER_READ;
    assert_eq!(of(none, none), Rights::KERNEL_READ | Rights::KERNEL_WRITE | fetch);
    // What EL0 may write, EL1 does not execute.
    assert_eq!(of(Bits::AP_USER, none), all_but_kernel_fetch);
    assert_eq!(of(Bits::AP_USER | Bits::AP_READ_ONLY, none), read | fetch);
    assert_eq!(of(Bits::AP_READ_ONLY, none), Rights::KERNEL_READ | fetch);
    assert_eq!(of(Bits::AP_USER, Bits::TABLE_READ_ONLY), read | fetch);
    assert_eq!(of(Bits::AP_USER, Bits::TABLE_NO_USER), of(none, none));
    assert_eq!(of(none, Bits::TABLE_EXECUTE_NEVER), of(Bits::EXECUTE_NEVER, none));
    assert_eq!(
        of(none, Bits::TABLE_PRIVILEGED_EXECUTE_NEVER),
        of(Bits::PRIVILEGED_EXECUTE_NEVER, none)
    );
    let fenced = Access { kind: Kind::Read, user: false, guarded: true };
    assert!(!fenced.allowed_by(of(Bits::AP_USER, none)));
    assert!(fenced.allowed_by(of(none, none)));
    assert!(
        Access { kind: Kind::Execute, ..fenced }
            .allowed_by(of(Bits::AP_USER | Bits::AP_READ_ONLY, none))
    );
}

#[test]
fn walks_begin_where_the_size_of_an_address_says() {
    for (input_bits, level, entries) in [
        (48, Level::TOP, 512),
        (40, Level::TOP, 2),
        (39, Level::BLOCK_1G, 512),
        (31, Level::BLOCK_1G, 2),
        (30, Level::BLOCK_2M, 512),
        (25, Level::BLOCK_2M, 16),
    ] {
        let half = HalfRegime { input_bits, ..REGIME.halves[0] };
        let regime = Regime { halves: [half, half], ..REGIME };
        let low = (1 << input_bits) - 1;
        for (at, half) in [(0, 0), (low, 0), (!low, 1), (u64::MAX, 1)] {
            let start = Stage1::start(&regime, Gva::from_bits(at))
                .map(|it| (it.half, it.level, it.entries));
            assert_eq!(start, Some((half, level, entries)), "{at:#x} of {input_bits} bits");
        }
        for at in [low + 1, !low - 1, 1 << 55, !(1 << 55), 1 << 63] {
            assert_eq!(
                Stage1::start(&regime, Gva::from_bits(at)),
                None,
                "{at:#x} of {input_bits} bits"
            );
        }
        let tagged = HalfRegime { top_byte_ignored: true, ..regime.halves[0] };
        let regime = Regime { halves: [tagged, regime.halves[1]], ..regime };
        assert!(Stage1::start(&regime, Gva::from_bits(0xa5 << 56)).is_some());
        assert!(Stage1::start(&regime, Gva::from_bits(0xa5 << 56 | 1 << 55)).is_none());
    }
}
