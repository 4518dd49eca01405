//! Random guests, under both ways of paging.

use model::ops::{Desc, Form, Handed, Op, Place, Target, apply};
use model::{Arch, Config, How, Machine, NestedVm, ShadowVm};
use paging::addr::Level;
use paging::attrs::{Access, Kind};
use paging::format::vmsa_stage1::{HalfRegime, Regime, Stage1};
use paging::format::x64::{self, X64};
use paging::switch::SwitchSet;
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

/// What is random about the guests of one architecture.
trait Random: Arch {
    /// How often, beside other operations, the registers change.
    const CHANGES: u32;
    /// The attributes of the first leaves.
    const FIRST: u16;

    /// Packed attributes, most of which let something be done.
    fn packed() -> BoxedStrategy<u16>;
    /// What registers say.
    fn regime() -> BoxedStrategy<Self::Regime>;
}

impl Random for Stage1 {
    const CHANGES: u32 = 1;
    const FIRST: u16 = 1;

    fn packed() -> BoxedStrategy<u16> {
        prop_oneof![
            4 => Just(1),
            3 => Just(0b1011),
            3 => any::<u16>().prop_map(|bits| bits & 0x0fff | 1),
            2 => any::<u16>().prop_map(|bits| bits | 1),
            1 => any::<u16>(),
        ]
        .boxed()
    }

    fn regime() -> BoxedStrategy<Regime> {
        let output = prop_oneof![6 => Just(36_u32), 1 => Just(32), 1 => Just(31)];
        (half(), half(), output, prop::bool::weighted(0.1))
            .prop_map(|(low, high, output_bits, wxn)| Regime {
                halves: [low, high],
                output_bits,
                write_execute_never: wxn,
            })
            .boxed()
    }
}

impl Random for X64 {
    const CHANGES: u32 = 4;
    const FIRST: u16 = 0b1011;

    fn packed() -> BoxedStrategy<u16> {
        prop_oneof![
            4 => Just(0b1011),
            3 => Just(0b1111),
            2 => Just(0b0111),
            2 => Just(0b0010),
            1 => Just(0b0001),
            3 => any::<u16>().prop_map(|bits| bits & 0x01ff | 1),
            2 => any::<u16>().prop_map(|bits| bits & 0x01ff),
            1 => any::<u16>(),
        ]
        .boxed()
    }

    fn regime() -> BoxedStrategy<x64::Regime> {
        let output = prop_oneof![12 => Just(40_u32), 1 => Just(46), 1 => Just(31)];
        let mostly = || prop::bool::weighted(0.85);
        (output, mostly(), mostly(), prop::bool::weighted(0.7), prop::bool::weighted(0.2))
            .prop_map(|(output_bits, nxe, gigabytes, wp, smep)| x64::Regime {
                output_bits,
                execute_disable: nxe,
                gigabytes,
                write_protect: wp,
                supervisor_execute_protect: smep,
            })
            .boxed()
    }
}

fn desc<A: Random>() -> impl Strategy<Value = Desc> {
    let form = prop_oneof![
        8 => Just(Form::Long),
        3 => Just(Form::Short),
        1 => Just(Form::Invalid),
        1 => Just(Form::Empty),
    ];
    (form, target(), A::packed()).prop_map(|(form, to, attrs)| Desc { form, to, attrs })
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

fn handed<A: Random>() -> impl Strategy<Value = Handed> {
    let to = prop_oneof![40 => (0_u8..10).prop_map(Target::Table), 1 => target()];
    let bytes = prop_oneof![40 => Just(0_u8), 1 => any::<u8>()];
    (to, 0_u8..6, bytes, desc::<A>()).prop_map(|(to, entry, bytes, desc)| Handed {
        to,
        entry,
        bytes,
        desc,
    })
}

fn op<A: Random>() -> impl Strategy<Value = Op<A::Regime>> {
    let how = select(vec![How::Described, How::Described, How::Stepped, How::Exclusive]);
    let wide = || prop_oneof![4 => Just((3_u8, 0_u8)), 1 => (0_u8..4, 0_u8..8)];
    let depth = prop_oneof![6 => Just(3_u8), 2 => 1_u8..4];
    let root = prop_oneof![
        12 => (0_u8..4).prop_map(Target::Table),
        2 => target(),
    ];
    prop_oneof![
        10 => (0_u8..10, 0_u8..6, desc::<A>(), wide()).prop_map(
            |(table, entry, desc, (width, bytes))| Op::Entry { table, entry, desc, width, bytes }
        ),
        14 => (place(), [0_u8..10, 0_u8..10, 0_u8..10], depth, desc::<A>())
            .prop_map(|(at, tables, depth, leaf)| Op::Map { at, tables, depth, leaf }),
        2 => (0_u8..10, desc::<A>(), any::<bool>(), 0_u16..514)
            .prop_map(|(table, desc, walks, count)| Op::Fill { table, desc, walks, count }),
        4 => prop::collection::vec(handed::<A>(), 0..24).prop_map(Op::Batch),
        40 => (place(), access(), desc::<A>(), wide(), how).prop_map(
            |(at, access, desc, (width, _), how)| Op::Access { at, access, desc, width, how }
        ),
        5 => (0_u8..2, root, prop_oneof![4 => Just(0_u8), 1 => any::<u8>()])
            .prop_map(|(half, to, within)| Op::Root { half, to, within }),
        1 => (0_u8..2, 0_u8..44, 0_u8..44)
            .prop_map(|(half, from, count)| Op::Switch { half, from, count }),
        A::CHANGES => A::regime().prop_map(Op::Regime),
        1 => prop::bool::weighted(0.7).prop_map(Op::Paging),
        4 => place().prop_map(Op::Speculate),
    ]
}

fn config<A: Random>() -> impl Strategy<Value = Config<A::Regime>> {
    let frames =
        prop_oneof![2 => Just(20_u32), 2 => Just(28), 2 => Just(48), 2 => Just(64), 1 => Just(300)];
    let largest = select(vec![Level::BLOCK_1G, Level::BLOCK_1G, Level::BLOCK_2M, Level::PAGE]);
    let ram = prop_oneof![
        8 => Just((8_u64 << 20, model::RAM, model::BACKING)),
        1 => Just((8 << 20, model::RAM + (2 << 20), model::BACKING)),
        1 => Just((8 << 20, model::RAM, model::BACKING + (1 << 20))),
        1 => Just((2052 << 20, model::RAM, model::BACKING)),
        u32::from(A::OPEN_BUS) => Just((8 << 20, 0, model::BACKING)),
    ];
    let switches = prop_oneof![
        2 => Just(SwitchSet::DEFAULT),
        1 => Just(SwitchSet::NONE),
        3 => any::<u8>().prop_map(SwitchSet::from_bits),
    ];
    let contexts = select(vec![2_u16, 3, 8, 32]);
    let around = prop::option::of(0_u8..7);
    (frames, contexts, largest, ram, A::regime(), switches, around).prop_map(
        |(frames, contexts, largest, (ram, base, backing), regime, switches, around)| Config {
            ram,
            base,
            backing,
            frames,
            contexts,
            largest,
            regime,
            switches,
            around,
        },
    )
}

/// Turns paging on with two roots.
fn begin<A: Random>(config: &Config<A::Regime>, machine: &mut impl Machine<A>) {
    for half in 0..2 {
        let to = Target::Table(half);
        apply(config, machine, &Op::Root { half, to, within: 0 });
    }
    // A way to the first pages of each half, through one leaf table.
    for half in 0..2 {
        for (page, to) in [Target::Table(4), Target::Data(1)].into_iter().enumerate() {
            let at = Place { half, entries: [page as u8, 0, 0, 0], within: 0, bytes: 0, tag: 0 };
            let leaf = Desc { form: Form::Long, to, attrs: A::FIRST };
            let tables = [2 + half, 4, 5];
            apply(config, machine, &Op::Map { at, tables, depth: 3, leaf });
        }
    }
    machine.set_paging(true);
}

/// Every access is what a walk of the guest's tables says, the engine's invariants hold after each operation,
/// nothing stale is remembered, and in the end no frame is lost.
fn check_shadow<A: Random>(config: &Config<A::Regime>, ops: &[Op<A::Regime>]) {
    let mut shadow = ShadowVm::<A>::new(config);
    begin::<A>(config, &mut shadow);
    for op in ops {
        apply::<A>(config, &mut shadow, op);
    }
    shadow.set_paging(false);
}

/// Memory, faults and device accesses of one guest are the same under both ways of paging.
fn compare<A: Random>(
    config: &Config<A::Regime>,
    ops: &[Op<A::Regime>],
) -> Result<(), TestCaseError> {
    let mut shadow = ShadowVm::<A>::new(config);
    let mut nested = NestedVm::<A>::new(config);
    begin::<A>(config, &mut shadow);
    begin::<A>(config, &mut nested);
    for op in ops {
        let one = apply::<A>(config, &mut nested, op);
        let other = apply::<A>(config, &mut shadow, op);
        let same = match (one, other) {
            (Some(one), Some(other)) => A::same(one, other),
            (one, other) => one == other,
        };
        prop_assert!(same, "{op:?}: nested {one:x?}, shadow {other:x?}");
        if A::KEEPS_FLAGS {
            prop_assert!(nested.ram() == shadow.ram(), "{op:?} leaves other memory behind");
        }
    }
    prop_assert_eq!(nested.ram(), shadow.ram());
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_shadowed_vmsa_guest_sees_what_its_tables_say(
        config in config::<Stage1>(),
        ops in prop::collection::vec(op::<Stage1>(), 1..80),
    ) {
        check_shadow::<Stage1>(&config, &ops);
    }

    #[test]
    fn a_shadowed_x64_guest_sees_what_its_tables_say(
        config in config::<X64>(),
        ops in prop::collection::vec(op::<X64>(), 1..80),
    ) {
        check_shadow::<X64>(&config, &ops);
    }

    #[test]
    fn nested_and_shadow_give_the_same_run_of_a_vmsa_guest(
        config in config::<Stage1>(),
        ops in prop::collection::vec(op::<Stage1>(), 1..80),
    ) {
        compare::<Stage1>(&config, &ops)?;
    }

    #[test]
    fn nested_and_shadow_give_the_same_run_of_an_x64_guest(
        config in config::<X64>(),
        ops in prop::collection::vec(op::<X64>(), 1..80),
    ) {
        compare::<X64>(&config, &ops)?;
    }
}
