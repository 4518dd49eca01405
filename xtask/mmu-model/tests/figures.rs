//! What can be counted by hand.
//!
//! A walk of g levels over one of h levels reads each of the g tables, each behind a walk of h, and walks h once
//! more for the page itself: (g + 1)(h + 1) - 1 entries.

use std::cell::RefCell;
use std::collections::BTreeMap;

use mmu_model::architecture::{Amd, Architecture, Arm, Context, Lower, Upper};
use mmu_model::counts::Counts;
use mmu_model::geometry::{Geometry, Held, Structure};
use mmu_model::invalidation::{tlbi, x64 as forget};
use mmu_model::memory::Physical;
use mmu_model::mmu::{Access, Mmu};
use mmu_model::owner::Owner;
use paging::addr::{Addr, Gpa, HostPhys, Hpa, Index, Level};
use paging::attrs::{Attrs, Memory as Kind};
use paging::entry::Entry;
use paging::format::vmsa_stage1::{self, HalfRegime};
use paging::format::{Format, vmsa_stage2, x64};

const PAGE: u64 = 4096;
/// Where the guest's tables begin in its memory, and where the hypervisor's do in the machine's.
const GUEST_TABLES: u64 = 0x1000_0000;
const HOST_TABLES: u64 = 0x80_0000_0000;
/// Where a guest's data begins, in its memory.
const DATA: u64 = 0x4000_0000;
/// Where a guest's memory begins in the machine's.
const RAM: u64 = 0x10_0000_0000;

/// A machine's memory, with what is written to it.
#[derive(Default)]
struct Machine {
    words: RefCell<BTreeMap<u64, u64>>,
}

impl Physical for Machine {
    fn read(&self, at: Hpa) -> Option<u64> {
        Some(self.words.borrow().get(&at.bits()).copied().unwrap_or(0))
    }
}

/// Tables that are made entry by entry, in memory that begins at `shift` in the machine's.
struct Tables<'a> {
    machine: &'a Machine,
    shift: u64,
    root: u64,
    top: Level,
    free: u64,
}

const ATTRS: Attrs = Attrs { write: true, execute: true, memory: Kind::Normal };

impl<'a> Tables<'a> {
    const fn new(machine: &'a Machine, shift: u64, root: u64, top: Level) -> Self {
        Self { machine, shift, root, top, free: root + PAGE }
    }

    fn map<F: Format>(&mut self, at: u64, to: u64, size: Level) {
        let (mut level, mut table) = (self.top, self.root);
        let mut words = self.machine.words.borrow_mut();
        loop {
            let slot = self.shift + table + 8 * Index::of(at, level).get() as u64;
            if level == size {
                words.insert(slot, F::leaf::<HostPhys>(size, Addr::from_bits(to).frame(), ATTRS));
                return;
            }
            let raw = words.get(&slot).copied().unwrap_or(0);
            table = match F::decode::<HostPhys>(level, raw) {
                Entry::Table(next) => next.start().bits(),
                _ => {
                    let new = self.free;
                    self.free += PAGE;
                    words.insert(slot, F::table::<HostPhys>(Addr::from_bits(new).frame()));
                    new
                }
            };
            level = level.below().expect("a leaf stands at its level");
        }
    }
}

fn structure(entries: u32, ways: u32, holds: &[Held]) -> Structure {
    Structure { entries, ways, holds: holds.to_vec(), pieces: true, source: String::new() }
}

const SIZES: [Held; 3] = [Held::Translations(12), Held::Translations(21), Held::Translations(30)];

fn geometry(l1: (u32, u32), l2: Option<(u32, u32)>, walk_caches: Vec<Structure>) -> Geometry {
    let level = |(entries, ways)| vec![structure(entries, ways, &SIZES)];
    Geometry {
        name: "a test's".to_owned(),
        about: String::new(),
        l1_instruction: level(l1),
        l1_data: level(l1),
        l2: l2.map(level).unwrap_or_default(),
        l2_instruction: Vec::new(),
        walk_caches,
    }
}

/// Stage 1 as Arm has it.
fn arm_upper() -> Upper<Arm> {
    let half = HalfRegime { input_bits: 48, disabled: false, flat: false, top_byte_ignored: false };
    let regime =
        vmsa_stage1::Regime { halves: [half; 2], output_bits: 48, write_execute_never: false };
    Upper { regime, roots: [Gpa::from_bits(GUEST_TABLES); 2], pointers: None, has_global: false }
}

fn x64_regime() -> x64::Regime {
    x64::Regime {
        output_bits: 48,
        execute_disable: true,
        gigabytes: true,
        write_protect: true,
        supervisor_execute_protect: false,
    }
}

fn amd_upper() -> Upper<Amd> {
    let roots = [Gpa::from_bits(GUEST_TABLES); 2];
    Upper { regime: x64_regime(), roots, pointers: None, has_global: true }
}

fn arm_lower(top: Level) -> Lower<Arm> {
    let input_bits = top.shift() + 9;
    let regime = vmsa_stage2::Regime { input_bits, top, output_bits: 48 };
    Lower { regime, root: Hpa::from_bits(HOST_TABLES) }
}

fn amd_lower() -> Lower<Amd> {
    Lower { regime: x64_regime(), root: Hpa::from_bits(HOST_TABLES) }
}

/// A guest whose `pages` 4 KiB pages from 0 on are mapped in leaves of `guest`'s size to its data, above a
/// hypervisor that maps its memory in leaves of `host`'s, from `top` down.
fn world<A: Architecture>(pages: u64, guest: Level, host: Option<(Level, Level)>) -> Machine {
    let machine = Machine::default();
    let shift = if host.is_some() { RAM } else { 0 };
    let mut upper = Tables::new(&machine, shift, GUEST_TABLES, Level::TOP);
    for at in (0..pages * PAGE).step_by(guest.size() as usize) {
        upper.map::<A::Upper>(at, DATA + at, guest);
    }
    if let Some((host, top)) = host {
        let mut lower = Tables::new(&machine, 0, HOST_TABLES, top);
        let ranges = [GUEST_TABLES..GUEST_TABLES + (64 << 20), DATA..DATA + pages * PAGE];
        for at in ranges.into_iter().flat_map(|range| range.step_by(host.size() as usize)) {
            let at = at & !(host.size() - 1);
            lower.map::<A::Lower>(at, RAM + at, host);
        }
    }
    machine
}

fn chase<A: Architecture>(
    mmu: &mut Mmu,
    context: &Context<A>,
    machine: &Machine,
    pages: u64,
) -> Counts {
    let mut counts = Counts::default();
    for page in 0..pages {
        let reached = mmu.access(context, machine, Access::Load, page * PAGE, &mut counts);
        let reached = reached.map(|it| it.physical.bits());
        assert!([DATA, RAM + DATA].iter().any(|base| reached == Some(base + page * PAGE)));
    }
    counts
}

/// What a second round over the pages costs.
fn warm<A: Architecture>(
    geometry: &Geometry,
    context: &Context<A>,
    machine: &Machine,
    pages: u64,
) -> Counts {
    let mut mmu = Mmu::new(geometry);
    chase(&mut mmu, context, machine, pages);
    chase(&mut mmu, context, machine, pages)
}

fn arm(lower: Option<Lower<Arm>>) -> Context<Arm> {
    Context::new(Owner::space(1, 1), Some(arm_upper()), lower)
}

fn amd(lower: Option<Lower<Amd>>) -> Context<Amd> {
    Context::new(Owner::space(1, 0), Some(amd_upper()), lower)
}

#[test]
fn sixty_four_entries_hold_sixty_four_pages_and_not_one_more() {
    let one_level = geometry((64, 64), None, Vec::new());
    for (pages, misses) in [(64, 0), (65, 65)] {
        let machine = world::<Arm>(pages, Level::PAGE, None);
        let counts = warm(&one_level, &arm(None), &machine, pages);
        assert_eq!(counts.l1_data_misses, misses);
        assert_eq!(counts.plain.walks.total(), misses);
        assert_eq!(counts.plain.reads.one_dimensional, 4 * misses);
    }
}

/// 1,600 pages over 128 sets: 64 sets get 13 pages for their 12 ways, and miss on each.
#[test]
fn sixteen_hundred_pages_in_twelve_ways_miss_832_times() {
    let skylake = geometry((16, 16), Some((1536, 12)), Vec::new());
    let machine = world::<Amd>(1600, Level::PAGE, None);
    let counts = warm(&skylake, &amd(None), &machine, 1600);
    assert_eq!(counts.l1_data_misses, 1600);
    assert_eq!(counts.plain.walks.one_dimensional, 832);
}

/// The reads of one walk, without caches.
fn reads<A: Architecture>(context: &Context<A>, machine: &Machine) -> u64 {
    let counts = chase(&mut Mmu::new(&geometry((16, 16), None, Vec::new())), context, machine, 1);
    assert_eq!(counts.plain, counts.cached);
    assert_eq!(counts.plain.walks.total(), 1);
    counts.plain.reads.total()
}

#[test]
fn walks_read_what_the_product_of_their_levels_says() {
    let (page, middle, large) = (Level::PAGE, Level::BLOCK_2M, Level::BLOCK_1G);
    assert_eq!(reads(&arm(None), &world::<Arm>(1, page, None)), 4);
    assert_eq!(reads(&amd(None), &world::<Amd>(1, page, None)), 4);
    assert_eq!(reads(&amd(None), &world::<Amd>(1, middle, None)), 3);
    // Nested tables of four levels.
    for (guest, host, expected) in [
        (page, page, 24),
        (page, middle, 19),
        (page, large, 14),
        (middle, middle, 15),
        (middle, page, 19),
    ] {
        let machine = world::<Amd>(1, guest, Some((host, Level::TOP)));
        assert_eq!(reads(&amd(Some(amd_lower())), &machine), expected, "{guest:?} on {host:?}");
    }
    // Stage 2 from level 1 down, as the hypervisor has it.
    for (host, expected) in [(page, 19), (middle, 14), (large, 9)] {
        let machine = world::<Arm>(1, page, Some((host, Level::BLOCK_1G)));
        assert_eq!(reads(&arm(Some(arm_lower(Level::BLOCK_1G))), &machine), expected, "{host:?}");
    }
}

/// The reads of a warm walk whose TLB holds one page, so that the second of two neighbours walks.
fn with_caches(host: Level, holds: &[&[Held]]) -> u64 {
    let caches = holds.iter().map(|holds| structure(64, 64, holds)).collect();
    let machine = world::<Amd>(2, Level::PAGE, Some((host, Level::TOP)));
    let counts = warm(&geometry((1, 1), None, caches), &amd(Some(amd_lower())), &machine, 2);
    assert_eq!(counts.cached.walks.two_dimensional, 2);
    assert_eq!(counts.cached.reads.two_dimensional % 2, 0);
    counts.cached.reads.two_dimensional / 2
}

#[test]
fn walk_caches_shorten_a_walk() {
    let (page, middle) = (Level::PAGE, Level::BLOCK_2M);
    let (first, second): (&[Held], &[Held]) = (&[Held::Stage1Tables], &[Held::Stage2Tables]);
    let ipas: &[Held] = &[Held::Ipas(12), Held::Ipas(21), Held::Ipas(30)];
    assert_eq!(
        [&[][..], &[first], &[first, second]].map(|holds| with_caches(page, holds)),
        [24, 5, 2]
    );
    assert_eq!(
        [&[][..], &[first], &[first, ipas]].map(|holds| with_caches(middle, holds)),
        [19, 4, 1]
    );
    assert_eq!(with_caches(page, &[&[Held::Stage1LeafTables], second]), 2);
}

/// 64 blocks of 2 MiB that the guest maps whole are 32,768 translations where the hypervisor has pages.
#[test]
fn large_pages_are_worth_what_both_stages_have() {
    let l1 = geometry((64, 64), Some((1536, 12)), Vec::new());
    let pages = 32 * 512;
    for (host, misses) in [(Level::BLOCK_2M, 0), (Level::PAGE, pages)] {
        let machine = world::<Amd>(pages, Level::BLOCK_2M, Some((host, Level::TOP)));
        let counts = warm(&l1, &amd(Some(amd_lower())), &machine, pages);
        assert_eq!(counts.l1_data_misses, misses, "{host:?}");
        assert_eq!(counts.plain.walks.two_dimensional, misses, "{host:?}");
    }
}

#[test]
fn what_is_too_large_for_an_l1_stands_there_in_pieces_which_go_together() {
    let mut small = geometry((16, 16), Some((64, 4)), Vec::new());
    small.l1_data = vec![structure(16, 16, &[Held::Translations(12)])];
    let machine = world::<Arm>(8, Level::BLOCK_2M, None);
    let (context, mut mmu) = (arm(None), Mmu::new(&small));
    let counts = chase(&mut mmu, &context, &machine, 8);
    assert_eq!((counts.l1_data_misses, counts.plain.walks.one_dimensional), (8, 1));
    // TLBI VAE1IS of the first page of the block.
    let what = tlbi::decode(tlbi::Operation { op1: 0, crm: 3, op2: 1 }, 1 << 48, 1).unwrap();
    let mut counts = Counts::default();
    mmu.forget(&what, &mut counts);
    assert_eq!((counts.invalidations, counts.invalidated), (1, 8));
    mmu.access(&context, &machine, Access::Load, 7 * PAGE, &mut counts);
    assert_eq!(counts.l1_data_misses, 1);
}

#[test]
fn what_is_stale_is_found_until_it_is_invalidated() {
    let machine = world::<Amd>(1, Level::PAGE, None);
    let caches = vec![structure(16, 16, &[Held::Stage1Tables])];
    let (context, mut mmu) = (amd(None), Mmu::new(&geometry((4, 4), Some((8, 2)), caches)));
    let mut counts = Counts::default();
    let mut reach = |mmu: &mut Mmu| {
        mmu.access(&context, &machine, Access::Load, 0, &mut counts).unwrap().physical.bits()
    };
    assert_eq!(reach(&mut mmu), DATA);
    Tables::new(&machine, 0, GUEST_TABLES, Level::TOP).map::<x64::X64>(0, DATA + PAGE, Level::PAGE);
    assert_eq!(reach(&mut mmu), DATA);
    mmu.forget(&forget::page(Owner::space(2, 0), 0), &mut Counts::default());
    assert_eq!(reach(&mut mmu), DATA);
    mmu.forget(&forget::page(Owner::space(1, 0), 0), &mut Counts::default());
    assert_eq!(reach(&mut mmu), DATA + PAGE);
}

/// An x86 processor looks again at an entry that refuses a store, and at one that is not dirty yet.
#[test]
fn a_store_through_a_clean_entry_walks_once() {
    let machine = world::<Amd>(1, Level::PAGE, None);
    let (context, mut mmu) = (amd(None), Mmu::new(&geometry((4, 4), Some((8, 2)), Vec::new())));
    let leaf = {
        let words = machine.words.borrow();
        let (at, raw) = words.iter().find(|(_, raw)| *raw & x64::ADDRESS == DATA).unwrap();
        (*at, *raw)
    };
    machine.words.borrow_mut().insert(leaf.0, leaf.1 & !x64::Bits::DIRTY.bits());
    let mut counts = Counts::default();
    let mut access = |mmu: &mut Mmu, access| {
        mmu.access(&context, &machine, access, 0, &mut counts);
        (counts.l1_data_misses, counts.plain.walks.one_dimensional, counts.unexplained)
    };
    assert_eq!(access(&mut mmu, Access::Load), (1, 1, 0));
    machine.words.borrow_mut().insert(leaf.0, leaf.1);
    assert_eq!(access(&mut mmu, Access::Store), (2, 2, 0));
    assert_eq!(access(&mut mmu, Access::Store), (2, 2, 0));
}

/// PAE paging: two levels below what stands in registers.
#[test]
fn pae_walks_read_two_entries() {
    let machine = Machine::default();
    let mut tables = Tables::new(&machine, 0, GUEST_TABLES, Level::BLOCK_2M);
    tables.map::<x64::X64>(0x1000, DATA, Level::PAGE);
    let mut upper = amd_upper();
    upper.pointers = Some([GUEST_TABLES | x64::Bits::PRESENT.bits(), 0, 0, 0]);
    let context = Context::<Amd>::new(Owner::space(1, 0), Some(upper), None);
    let mut counts = Counts::default();
    let mut mmu = Mmu::new(&geometry((4, 4), None, Vec::new()));
    let reached = mmu.access(&context, &machine, Access::Load, 0x1234, &mut counts);
    assert_eq!(reached.map(|it| it.physical.bits()), Some(DATA + 0x234));
    assert_eq!(counts.plain.reads.one_dimensional, 2);
}

/// Stage 1 off: what the guest takes for physical is translated once.
#[test]
fn stage_2_alone_is_counted_apart() {
    let machine = world::<Arm>(1, Level::PAGE, Some((Level::BLOCK_2M, Level::BLOCK_1G)));
    let context = Context::<Arm>::new(Owner::space(1, 0), None, Some(arm_lower(Level::BLOCK_1G)));
    let mut counts = Counts::default();
    let mut mmu = Mmu::new(&geometry((4, 4), None, Vec::new()));
    let reached = mmu.access(&context, &machine, Access::Load, DATA, &mut counts);
    assert_eq!(reached.map(|it| it.physical.bits()), Some(RAM + DATA));
    assert_eq!((counts.plain.walks.stage2_only, counts.plain.reads.stage2_only), (1, 2));
}

/// What is known of an address while stage 1 is off says nothing of it while it is on, and the other way round.
#[test]
fn stage_1_on_and_off_are_told_apart() {
    let machine = world::<Arm>(1, Level::PAGE, Some((Level::BLOCK_1G, Level::BLOCK_1G)));
    let owner = Owner::space(1, 1);
    let lower = Some(arm_lower(Level::BLOCK_1G));
    let flat = Context::<Arm>::new(owner, None, lower);
    let mapped = Context::<Arm>::new(owner, Some(arm_upper()), lower);
    let mut counts = Counts::default();
    let mut mmu = Mmu::new(&geometry((4, 4), Some((8, 2)), Vec::new()));
    let mut reach = |context: &Context<Arm>| {
        let reached = mmu.access(context, &machine, Access::Load, 0, &mut counts);
        reached.map(|reached| reached.physical.bits())
    };
    assert_eq!(reach(&flat), Some(RAM));
    assert_eq!(reach(&mapped), Some(RAM + DATA));
    assert_eq!(reach(&flat), Some(RAM));
    assert_eq!(counts.l1_data_misses, 2);
}
