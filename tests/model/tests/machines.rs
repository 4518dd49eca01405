//! Random guests, under both ways of paging.

use model::ops::{Desc, Form, Op, Place, Target, apply};
use model::{Config, How, Machine, NestedVm, Seen, ShadowVm};
use paging::addr::Level;
use paging::attrs::{Access, Kind};
use paging::fault::GuestFault;
use paging::format::vmsa_stage1::{HalfRegime, Regime};
use proptest::prelude::*;
use proptest::sample::select;

/// As many cases as `PROPTEST_CASES` says, or few.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = asked.unwrap_or(128);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        8 => (0_u8..10).prop_map(Target::Table),
        2 => any::<u8>().prop_map(Target::Table),
        6 => any::<u8>().prop_map(Target::Data),
        3 => (0_u8..5).prop_map(Target::Block),
        1 => (0_u8..3).prop_map(Target::Gig),
        2 => Just(Target::Device),
        1 => Just(Target::Nothing),
        1 => Just(Target::Beyond),
    ]
}

fn attrs() -> impl Strategy<Value = u16> {
    prop_oneof![
        4 => Just(1),
        3 => Just(0b1011),
        3 => any::<u16>().prop_map(|bits| bits & 0x0fff | 1),
        2 => any::<u16>().prop_map(|bits| bits | 1),
        1 => any::<u16>(),
    ]
}

fn desc() -> impl Strategy<Value = Desc> {
    let form = prop_oneof![
        8 => Just(Form::Long),
        3 => Just(Form::Short),
        1 => Just(Form::Invalid),
        1 => Just(Form::Empty),
    ];
    (form, target(), attrs()).prop_map(|(form, to, attrs)| Desc { form, to, attrs })
}

fn place() -> impl Strategy<Value = Place> {
    let entries = prop_oneof![
        6 => (0_u8..2, Just(0), Just(0), Just(0)),
        3 => (0_u8..6, 0_u8..2, 0_u8..2, 0_u8..2),
        1 => (0_u8..6, 0_u8..6, 0_u8..6, 0_u8..6),
    ]
    .prop_map(|(page, block, gig, top)| [page, block, gig, top]);
    let tag = prop_oneof![12 => Just(0_u8), 1 => any::<u8>()];
    (
        prop_oneof![3 => Just(0_u8), 1 => Just(1)],
        entries,
        0_u8..6,
        prop_oneof![3 => Just(0_u8), 1 => 0_u8..8],
        tag,
    )
        .prop_map(|(half, entries, within, bytes, tag)| Place {
            half,
            entries,
            within,
            bytes,
            tag,
        })
}

fn access() -> impl Strategy<Value = Access> {
    let kind = prop_oneof![
        3 => Just(Kind::Write),
        2 => Just(Kind::Read),
        1 => Just(Kind::Execute),
    ];
    (kind, prop::bool::weighted(0.3), prop::bool::weighted(0.2))
        .prop_map(|(kind, user, guarded)| Access { kind, user, guarded })
}

fn half() -> impl Strategy<Value = HalfRegime> {
    let bits = prop_oneof![
        6 => Just(48_u32),
        4 => Just(39),
        1 => 25_u32..=48,
    ];
    let rarely = || prop::bool::weighted(0.1);
    (bits, rarely(), rarely(), rarely()).prop_map(|(input_bits, disabled, flat, top)| HalfRegime {
        input_bits,
        disabled,
        flat,
        top_byte_ignored: top,
    })
}

fn regime() -> impl Strategy<Value = Regime> {
    let output = prop_oneof![6 => Just(36_u32), 1 => Just(32), 1 => Just(31)];
    (half(), half(), output, prop::bool::weighted(0.1)).prop_map(|(low, high, output_bits, wxn)| {
        Regime { halves: [low, high], output_bits, write_execute_never: wxn }
    })
}

fn op() -> impl Strategy<Value = Op> {
    let how = select(vec![How::Described, How::Described, How::Stepped, How::Exclusive]);
    let wide = || prop_oneof![4 => Just((3_u8, 0_u8)), 1 => (0_u8..4, 0_u8..8)];
    let depth = prop_oneof![6 => Just(3_u8), 2 => 1_u8..4];
    let root = prop_oneof![
        12 => (0_u8..4).prop_map(Target::Table),
        2 => target(),
    ];
    prop_oneof![
        10 => (0_u8..10, 0_u8..6, desc(), wide()).prop_map(
            |(table, entry, desc, (width, bytes))| Op::Entry { table, entry, desc, width, bytes }
        ),
        14 => (place(), [0_u8..10, 0_u8..10, 0_u8..10], depth, desc())
            .prop_map(|(at, tables, depth, leaf)| Op::Map { at, tables, depth, leaf }),
        2 => (0_u8..10, desc(), any::<bool>(), 0_u16..514)
            .prop_map(|(table, desc, walks, count)| Op::Fill { table, desc, walks, count }),
        40 => (place(), access(), desc(), wide(), how).prop_map(
            |(at, access, desc, (width, _), how)| Op::Access { at, access, desc, width, how }
        ),
        5 => (0_u8..2, root, prop_oneof![4 => Just(0_u8), 1 => any::<u8>()])
            .prop_map(|(half, to, within)| Op::Root { half, to, within }),
        1 => (0_u8..2, 0_u8..44, 0_u8..44)
            .prop_map(|(half, from, count)| Op::Switch { half, from, count }),
        1 => regime().prop_map(Op::Regime),
        1 => prop::bool::weighted(0.7).prop_map(Op::Paging),
        4 => place().prop_map(Op::Speculate),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let frames =
        prop_oneof![2 => Just(20_u32), 2 => Just(28), 2 => Just(48), 2 => Just(64), 1 => Just(300)];
    let largest = select(vec![Level::BLOCK_1G, Level::BLOCK_1G, Level::BLOCK_2M, Level::PAGE]);
    let ram = prop_oneof![
        8 => Just((8_u64 << 20, model::RAM, model::BACKING)),
        1 => Just((8 << 20, model::RAM + (2 << 20), model::BACKING)),
        1 => Just((8 << 20, model::RAM, model::BACKING + (1 << 20))),
        1 => Just((2052 << 20, model::RAM, model::BACKING)),
    ];
    (frames, largest, ram, regime()).prop_map(|(frames, largest, (ram, base, backing), regime)| {
        Config { ram, base, backing, frames, largest, regime }
    })
}

/// Turns paging on with two roots.
fn begin(config: &Config, machine: &mut impl Machine) {
    for half in 0..2 {
        let to = Target::Table(half);
        apply(config, machine, &Op::Root { half, to, within: 0 });
    }
    // A way to the first pages of each half, through one leaf table.
    for half in 0..2 {
        for (page, to) in [Target::Table(4), Target::Data(1)].into_iter().enumerate() {
            let at = Place { half, entries: [page as u8, 0, 0, 0], within: 0, bytes: 0, tag: 0 };
            let leaf = Desc { form: Form::Long, to, attrs: 1 };
            let tables = [2 + half, 4, 5];
            apply(config, machine, &Op::Map { at, tables, depth: 3, leaf });
        }
    }
    machine.set_paging(true);
}

/// Whether a guest sees the same. The level of a permission fault is that of the entry that the
/// hardware used, and a block may have been split.
fn same(nested: Option<Seen>, shadow: Option<Seen>) -> bool {
    let permission = |seen| matches!(seen, Some(Seen::Fault(GuestFault::Permission(_))));
    nested == shadow || permission(nested) && permission(shadow)
}

proptest! {
    #![proptest_config(cases())]

    /// Every access is what a walk of the guest's tables says, the engine's invariants hold after
    /// each operation, nothing stale is remembered, and in the end no frame is lost.
    #[test]
    fn a_shadowed_guest_sees_what_its_tables_say(
        config in config(),
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let mut shadow = ShadowVm::new(&config);
        begin(&config, &mut shadow);
        for op in &ops {
            apply(&config, &mut shadow, op);
        }
        shadow.set_paging(false);
    }

    /// Memory, faults and device accesses of one guest are the same under both ways of paging.
    #[test]
    fn nested_and_shadow_give_the_same_run(
        config in config(),
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let mut shadow = ShadowVm::new(&config);
        let mut nested = NestedVm::new(&config);
        begin(&config, &mut shadow);
        begin(&config, &mut nested);
        for op in &ops {
            let (one, other) = (apply(&config, &mut nested, op), apply(&config, &mut shadow, op));
            prop_assert!(same(one, other), "{op:?}: nested {one:x?}, shadow {other:x?}");
        }
        prop_assert_eq!(nested.ram(), shadow.ram());
    }
}
