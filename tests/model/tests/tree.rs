//! A tree of our own tables against a map of pages, under break-before-make.

use std::collections::BTreeMap;

use paging::addr::{Addr, Frame, Gpa, Hpa, Level, PAGE_SIZE};
use paging::attrs::{Attrs, Memory};
use paging::format::vmsa_stage2::Stage2;
use paging::layout::Layout;
use paging::mem::Memory as _;
use paging::sim::{Parts, RootTable, Stage};
use paging::tree::{MapError, Tools, Tree};
use proptest::prelude::*;

const READ_WRITE: Attrs = Attrs { write: true, execute: false, memory: Memory::Normal };

/// A change: whether it maps, from which page on, how many pages, and whether to a place that large
/// leaves fit.
type Change = (bool, u64, u64, bool);

/// Runs `changes` and compares the tree with a map of pages after each.
fn run(changes: &[Change], largest: Level) {
    let layout = Layout::new(Frame::from_number(0x40000), 1, Frame::from_number(0x80000));
    let mut parts = Parts::new(layout, 64, Stage::Two);
    let mut tree = Tree::<Stage2, _, _>::new(Level::BLOCK_1G, &parts.memory, &mut parts.pool)
        .expect("a frame for the root");
    let address = parts.memory.frame_of(tree.root()).start();
    let root = RootTable { address, base: 0, level: Level::BLOCK_1G, entries: 512, flat: false };
    parts.tlb.load(1, [Some(root), None]);
    let mut pages = BTreeMap::new();
    for &(maps, first, count, fits) in changes {
        let mut tools = Tools { memory: &parts.memory, pool: &mut parts.pool, tlb: &mut parts.tlb };
        let at = Gpa::from_bits(first * PAGE_SIZE);
        let to = Hpa::from_bits((first + 0x20_0000 + u64::from(!fits)) * PAGE_SIZE);
        let size = count * PAGE_SIZE;
        if maps {
            let free = (first..first + count).all(|page| !pages.contains_key(&page));
            match tree.map(&mut tools, (at, to, size), READ_WRITE, largest) {
                Ok(()) => assert!(free),
                Err(MapError::Occupied) => {
                    assert!(!free);
                    // What was mapped before the error stays.
                    let first_taken = (first..).find(|page| pages.contains_key(page));
                    let mapped = first_taken.map_or(0, |page| page - first);
                    let left =
                        |page: u64| tree.find(&parts.memory, Gpa::from_bits(page * PAGE_SIZE));
                    for page in first..first + mapped {
                        if left(page).is_some() {
                            pages.insert(page, to.frame().number() + page - first);
                        }
                    }
                }
                Err(other) => panic!("{other:?}"),
            }
            if free {
                pages.extend((0..count).map(|page| (first + page, to.frame().number() + page)));
            }
        } else {
            tree.unmap(&mut tools, at, size).expect("frames for splits");
            pages.retain(|page, _| !(first..first + count).contains(page));
        }
        parts.tlb.begin_walk();
        parts.tlb.audit(&parts.pool).expect("nothing is wrong");
        for page in (0..4 * 512).chain((0..8).map(|page| (page << 18) + 5)) {
            let found = tree.find(&parts.memory, Gpa::from_bits(page * PAGE_SIZE + 7));
            let found = found.map(|(to, _): (Hpa, _)| to.bits());
            let there = pages.get(&page).map(|to| to * PAGE_SIZE + 7);
            assert_eq!(found, there, "page {page:#x}");
        }
    }
    parts.tlb.unload(1);
    tree.free(&mut Tools { memory: &parts.memory, pool: &mut parts.pool, tlb: &mut parts.tlb });
    assert_eq!(parts.pool.available(), parts.pool.size());
    parts.tlb.audit(&parts.pool).expect("nothing is left");
}

#[test]
fn a_block_is_split_over_an_invalid_entry() {
    run(&[(true, 0, 1024, true), (false, 3, 1, true), (true, 3, 1, false)], Level::BLOCK_2M);
}

#[test]
fn a_gigabyte_is_split_twice() {
    run(&[(true, 0, 1 << 18, true), (false, 5, 1, true)], Level::BLOCK_1G);
}

/// Two splits are needed and there is a frame for one: what was split stays so, and walks see it.
#[test]
fn a_split_that_is_not_the_last_is_published() {
    let layout = Layout::new(Frame::from_number(0), 1, Frame::from_number(0x80000));
    let mut parts = Parts::new(layout, 2, Stage::Two);
    let mut tree = Tree::<Stage2, _, _>::new(Level::BLOCK_1G, &parts.memory, &mut parts.pool)
        .expect("a frame for the root");
    let address = parts.memory.frame_of(tree.root()).start();
    let root = RootTable { address, base: 0, level: Level::BLOCK_1G, entries: 512, flat: false };
    parts.tlb.load(1, [Some(root), None]);
    let mut tools = Tools { memory: &parts.memory, pool: &mut parts.pool, tlb: &mut parts.tlb };
    let (at, to): (Gpa, Hpa) = (Gpa::from_bits(0), Addr::from_bits(1 << 30));
    tree.map(&mut tools, (at, to, 1 << 30), READ_WRITE, Level::BLOCK_1G).expect("it fits");
    assert_eq!(tree.unmap(&mut tools, at, PAGE_SIZE), Err(MapError::OutOfFrames));
    assert_eq!(tree.find(&parts.memory, at), Some((to, Level::BLOCK_2M)));
    parts.tlb.begin_walk();
    parts.tlb.audit(&parts.pool).expect("nothing is wrong");
}

#[test]
fn what_is_unmapped_is_forgotten() {
    run(&[(true, 0, 3, true), (false, 1, 1, true)], Level::PAGE);
}

#[test]
fn a_large_leaf_does_not_go_into_a_table_of_small_ones() {
    run(&[(true, 5, 1, true), (false, 5, 1, true), (true, 0, 512, true)], Level::BLOCK_1G);
}

#[test]
fn addresses_beyond_the_tree_are_refused() {
    let layout = Layout::new(Frame::from_number(0), 1, Frame::from_number(0x80000));
    let mut parts = Parts::new(layout, 8, Stage::Two);
    let mut tree = Tree::<Stage2, _, _>::new(Level::BLOCK_1G, &parts.memory, &mut parts.pool)
        .expect("a frame for the root");
    let mut tools = Tools { memory: &parts.memory, pool: &mut parts.pool, tlb: &mut parts.tlb };
    let low = Gpa::from_bits(0);
    let high = Gpa::from_bits(1 << 39);
    let to: Hpa = Addr::from_bits(0);
    tree.map(&mut tools, (low, to, PAGE_SIZE), READ_WRITE, Level::PAGE).expect("it fits");
    let refused = Err(MapError::Misaligned);
    assert_eq!(tree.map(&mut tools, (high, to, PAGE_SIZE), READ_WRITE, Level::PAGE), refused);
    assert_eq!(tree.unmap(&mut tools, high, PAGE_SIZE), refused);
    assert_eq!(tree.find(&parts.memory, high), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_tree_maps_what_it_was_told(
        changes in prop::collection::vec(
            (any::<bool>(), 0_u64..1600, prop_oneof![0_u64..20, Just(512), Just(1024)], any::<bool>()),
            1..12,
        ),
        aligned in any::<bool>(),
        largest in prop::sample::select(vec![Level::PAGE, Level::BLOCK_2M, Level::BLOCK_1G]),
    ) {
        let mask = if aligned { !511 } else { !0 };
        let changes: Vec<_> = changes
            .into_iter()
            .map(|(maps, first, count, fits)| (maps, first & mask, count.min(2048 - first), fits))
            .collect();
        run(&changes, largest);
    }
}
