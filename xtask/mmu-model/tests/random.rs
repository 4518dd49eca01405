//! Random runs: against a cache that is a list, and against the model without its short cuts.

use std::cell::RefCell;
use std::collections::BTreeMap;

use mmu_model::architecture::{Amd, Context, Upper};
use mmu_model::config::Config;
use mmu_model::counts::Counts;
use mmu_model::geometry::{Geometry, Held, Structure};
use mmu_model::invalidation::{Invalidation, x64 as forget};
use mmu_model::memory::Physical;
use mmu_model::mmu::{Access, Mmu};
use mmu_model::owner::Owner;
use mmu_model::session::{Session, Who};
use paging::addr::{Addr, Gpa, HostPhys, Hpa, Level};
use paging::attrs::{Attrs, Memory as Kind};
use paging::format::{Format as _, x64::Bits, x64::Regime, x64::X64};
use proptest::prelude::*;

const PAGE: u64 = 4096;
/// Where the tables stand: one of each level, and what follows them is data.
const TABLES: u64 = 0x10_0000;
const DATA: u64 = 0x4000_0000;
/// Pages that are mapped one by one; those behind them are a block of 2 MiB.
const PAGES: u64 = 24;

struct Machine(RefCell<BTreeMap<u64, u64>>);

impl Physical for Machine {
    fn read(&self, at: Hpa) -> Option<u64> {
        Some(self.0.borrow().get(&at.bits()).copied().unwrap_or(0))
    }
}

/// A machine with pages from 0 on, every third of them read-only, and a block at 2 MiB. Global, every fifth.
fn machine() -> Machine {
    let mut words = BTreeMap::new();
    let frame = |at| Addr::<HostPhys>::from_bits(at).frame();
    for level in 0..3 {
        let table = TABLES + level * PAGE;
        words.insert(table, X64::table(frame(table + PAGE)));
    }
    let attrs = |write| Attrs { write, execute: true, memory: Kind::Normal };
    for page in 0..PAGES {
        let leaf = X64::leaf(Level::PAGE, frame(DATA + page * PAGE), attrs(page % 3 != 0));
        let global = if page % 5 == 0 { Bits::GLOBAL } else { Bits::empty() };
        words.insert(TABLES + 3 * PAGE + 8 * page, leaf | global.bits());
    }
    let block = X64::leaf(Level::BLOCK_2M, frame(DATA + (2 << 20)), attrs(true));
    words.insert(TABLES + 2 * PAGE + 8, block);
    Machine(RefCell::new(words))
}

fn context(vm: u16) -> Context<Amd> {
    let regime = Regime {
        output_bits: 48,
        execute_disable: true,
        gigabytes: true,
        write_protect: true,
        supervisor_execute_protect: false,
    };
    let roots = [Gpa::from_bits(TABLES); 2];
    let upper = Upper { regime, roots, pointers: None, has_global: true };
    Context::new(Owner::space(vm, 0), Some(upper), None)
}

fn structure(entries: u32, ways: u32, holds: &[Held]) -> Structure {
    Structure { entries, ways, holds: holds.to_vec(), pieces: true, source: String::new() }
}

/// Small enough that everything is soon in the way of everything.
fn small(l1: (u32, u32)) -> Geometry {
    let sizes = [Held::Translations(12), Held::Translations(21)];
    Geometry {
        name: "small".to_owned(),
        about: String::new(),
        l1_instruction: vec![structure(2, 2, &sizes)],
        l1_data: vec![structure(l1.0, l1.1, &sizes)],
        l2: vec![structure(8, 2, &[sizes[0], sizes[1], Held::Stage1Tables])],
        l2_instruction: Vec::new(),
        walk_caches: Vec::new(),
    }
}

/// What may happen.
#[derive(Clone, Debug)]
enum Event {
    Data(bool, u64),
    Fetch(u64),
    Forget(usize),
    Phase(usize),
    Enter(u16),
}

fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => (0..PAGES, 0..PAGE / 8).prop_map(|(page, word)| page * PAGE + word * 8),
        1 => (0_u64..512).prop_map(|page| (2 << 20) + page * PAGE),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => (any::<bool>(), address()).prop_map(|(store, at)| Event::Data(store, at)),
        20 => (any::<bool>(), 0..3 * PAGE).prop_map(|(store, at)| Event::Data(store, at)),
        4 => address().prop_map(Event::Fetch),
        2 => (0_usize..4).prop_map(Event::Forget),
        1 => (0_usize..3).prop_map(Event::Phase),
        1 => (0_u16..3).prop_map(Event::Enter),
    ]
}

fn invalidation(number: usize, vm: u16) -> Invalidation {
    let owner = Owner::space(vm, 0);
    [
        forget::page(owner, PAGE),
        forget::page(owner, 2 << 20),
        forget::space(owner),
        forget::machine(vm),
    ][number]
}

/// Runs events, by the short cuts or without.
fn run(events: &[Event], shortcuts: bool) -> impl PartialEq + std::fmt::Debug {
    let machine = machine();
    let mut session = Session::<Amd>::new(&Config {
        geometry: small((4, 2)),
        ram: Vec::new(),
        hypervisor: true,
        check: false,
        ignore_invalidations: false,
        output: "unused".into(),
    });
    let mut vm = 0;
    session.enter(Who::Hypervisor, context(vm));
    for event in events {
        match *event {
            Event::Data(store, at) => {
                if !(shortcuts && (session.repeats(store, at) || session.hits(store, at))) {
                    let access = if store { Access::Store } else { Access::Load };
                    session.access(&machine, access, at, None);
                }
            }
            Event::Fetch(at) => drop(session.access(&machine, Access::Fetch, at, None)),
            Event::Forget(number) => session.forget(&invalidation(number, vm)),
            Event::Phase(number) => session.phase(["", "one", "other"][number]),
            Event::Enter(next) => {
                vm = next;
                let who = if vm == 0 { Who::Hypervisor } else { Who::Guest };
                session.enter(who, context(vm));
            }
        }
    }
    session.output(Vec::new()).parts
}

proptest! {
    #[test]
    fn short_cuts_change_no_count(events in prop::collection::vec(event(), 1..400)) {
        prop_assert_eq!(run(&events, true), run(&events, false));
    }

    /// Each set is a list, the entry used last in front.
    #[test]
    fn the_least_recently_used_makes_room(
        ways in 1_u32..5,
        sets in 1_u32..5,
        pages in prop::collection::vec(0..PAGES, 1..300),
    ) {
        let mut geometry = small((ways * sets, ways));
        geometry.l2.clear();
        let (machine, context, mut mmu) = (machine(), context(1), Mmu::new(&geometry));
        let mut counts = Counts::default();
        let mut lists = vec![Vec::new(); sets as usize];
        let mut misses = 0;
        for page in pages {
            let list = &mut lists[(page % u64::from(sets)) as usize];
            match list.iter().position(|known| *known == page) {
                Some(place) => drop(list.remove(place)),
                None => misses += 1,
            }
            list.insert(0, page);
            list.truncate(ways as usize);
            let reached = mmu.access(&context, &machine, Access::Load, page * PAGE, &mut counts);
            prop_assert_eq!(reached.map(|it| it.physical.bits()), Some(DATA + page * PAGE));
        }
        prop_assert_eq!(counts.l1_data_misses, misses);
        prop_assert_eq!(counts.plain.reads.one_dimensional, 4 * misses);
    }
}
