//! What a guest does, in numbers so small that things collide.

use paging::addr::{Gpa, Gva, Index, Level, PAGE_SIZE};
use paging::attrs::{Access, Kind};
use paging::entry::Entry;

use crate::{Arch, Config, DEVICE, How, Machine, Seen, Store};

/// Frames that tables are made of.
pub const TABLES: u8 = 44;
/// Frames of data beside them.
pub const DATA: u8 = 12;
/// The entries that are used of a table.
const PLACES: [u64; 6] = [0, 1, 2, 3, 510, 511];
/// Bytes of a 2 MiB block.
const BLOCK: u64 = 1 << 21;

/// Where a descriptor leads.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// A frame that is used for tables.
    Table(u8),
    /// A frame that is not.
    Data(u8),
    /// The start of a 2 MiB block of RAM.
    Block(u8),
    /// The start of a 1 GiB block, the first of which RAM begins in.
    Gig(u8),
    /// Device registers.
    Device,
    /// Neither RAM nor a device.
    Nothing,
    /// An address that is larger than the machine's.
    Beyond,
}

/// The form of a descriptor: what it is depends on the level of its table.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A table, or a page in the last level.
    Long,
    /// A block, or reserved.
    Short,
    /// Invalid.
    Invalid,
    /// Zero altogether.
    Empty,
}

/// A descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Desc {
    /// Its form.
    pub form: Form,
    /// Where it leads.
    pub to: Target,
    /// Its other bits, packed: see [`Arch::descriptor`].
    pub attrs: u16,
}

/// An address: which half, which entry at each level, and where in the page.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The half.
    pub half: u8,
    /// For each level from the last up, one of [`PLACES`].
    pub entries: [u8; 4],
    /// The offset: one of [`PLACES`], as an entry.
    pub within: u8,
    /// Bytes on top of that.
    pub bytes: u8,
    /// The top byte, for a half that ignores it; elsewhere 0 makes an ordinary address.
    pub tag: u8,
}

/// A store that is handed over.
#[derive(Clone, Copy, Debug)]
pub struct Handed {
    /// The frame.
    pub to: Target,
    /// The entry.
    pub entry: u8,
    /// The byte of the entry, 0 unless it is misaligned.
    pub bytes: u8,
    /// The descriptor.
    pub desc: Desc,
}

/// One step of a guest.
#[derive(Clone, Debug)]
pub enum Op<R> {
    /// Stores a descriptor to a table's entry, or a part of one.
    Entry {
        /// The table.
        table: u8,
        /// The entry.
        entry: u8,
        /// The descriptor.
        desc: Desc,
        /// Bytes that are stored, log2.
        width: u8,
        /// The byte of the entry at which the store begins.
        bytes: u8,
    },
    /// Maps an address by tables and a leaf at some level, from the root in force on.
    Map {
        /// The address.
        at: Place,
        /// The tables, from above.
        tables: [u8; 3],
        /// How many of them are used.
        depth: u8,
        /// The leaf.
        leaf: Desc,
    },
    /// Fills a table with leaves, one behind the other or all the same.
    Fill {
        /// The table.
        table: u8,
        /// The first leaf.
        desc: Desc,
        /// Whether each leads a frame further.
        walks: bool,
        /// How many entries.
        count: u16,
    },
    /// Hands stores to tables over, all at once where somebody takes them.
    Batch(Vec<Handed>),
    /// Accesses memory.
    Access {
        /// Where.
        at: Place,
        /// How.
        access: Access,
        /// What is stored, if it is a write.
        desc: Desc,
        /// Bytes that are stored, log2.
        width: u8,
        /// How the store is made if it hits a table.
        how: How,
    },
    /// Loads a root.
    Root {
        /// Which.
        half: u8,
        /// The table.
        to: Target,
        /// Where in its frame, for roots that are smaller.
        within: u8,
    },
    /// Loads many roots one after another.
    Switch {
        /// Which.
        half: u8,
        /// The first table.
        from: u8,
        /// How many.
        count: u8,
    },
    /// Loads the MMU's registers.
    Regime(R),
    /// Turns paging on or off.
    Paging(bool),
    /// The hardware walks for itself.
    Speculate(Place),
}

impl<R> Config<R> {
    /// Where the guest's table `number` stands: they are spread over two blocks of 2 MiB.
    #[must_use]
    pub const fn table(&self, number: u8) -> u64 {
        let number = (number % TABLES) as u64;
        self.base + (number % 2) * 2 * BLOCK + (number / 2) * PAGE_SIZE
    }

    pub(crate) const fn target(&self, to: Target) -> u64 {
        match to {
            Target::Table(number) => self.table(number),
            Target::Data(number) => {
                let number = (number % DATA) as u64;
                let block = if number.is_multiple_of(3) { 0 } else { BLOCK };
                self.base + block + (0x100 + number) * PAGE_SIZE
            }
            Target::Block(number) => self.base + number as u64 % self.ram.div_ceil(BLOCK) * BLOCK,
            Target::Gig(number) => (self.base >> 30 << 30) + ((number as u64 % 3) << 30),
            Target::Device => DEVICE,
            Target::Nothing => 0x1_0000,
            Target::Beyond => 1 << 45,
        }
    }

    /// The descriptor's bits.
    #[must_use]
    pub fn raw<A: Arch<Regime = R>>(&self, desc: Desc) -> u64 {
        match desc.form {
            Form::Empty => 0,
            form => A::descriptor(form, desc.attrs) | self.target(desc.to),
        }
    }
}

/// The address that `place` names in `regime`.
#[must_use]
pub fn address<A: Arch>(regime: &A::Regime, place: Place) -> Gva {
    let half = usize::from(place.half & 1);
    let mut within = 0;
    for (level, entry) in place.entries.iter().enumerate() {
        if let Some(level) = Level::new(level as u8) {
            within |= pick(*entry) << level.shift();
        }
    }
    let within = within & ((1 << A::input_bits(regime, half)) - 1);
    let offset = pick(place.within) * 8 + u64::from(place.bytes % 8);
    let base = A::lowest(regime, half);
    Gva::from_bits(A::tagged(base | within | offset, place.tag))
}

fn pick(entry: u8) -> u64 {
    PLACES[usize::from(entry) % PLACES.len()]
}

/// A store of `desc` that does not cross the page's end.
fn fitted(at: u64, width: u8, value: u64, how: How) -> Store {
    let left = PAGE_SIZE - at % PAGE_SIZE;
    let width = u32::from(width % 4).min(left.ilog2());
    Store { width, value, how }
}

/// Does `op`, and lets the machine check itself. Returns what the guest sees of an access.
pub fn apply<A: Arch>(
    config: &Config<A::Regime>,
    machine: &mut impl Machine<A>,
    op: &Op<A::Regime>,
) -> Option<Seen> {
    let seen = act::<A>(config, machine, op);
    machine.settle();
    seen
}

fn act<A: Arch>(
    config: &Config<A::Regime>,
    machine: &mut impl Machine<A>,
    op: &Op<A::Regime>,
) -> Option<Seen> {
    match op {
        Op::Entry { table, entry, desc, width, bytes } => {
            let at = config.table(*table) + pick(*entry) * 8 + u64::from(bytes % 8);
            let store = fitted(at, *width, config.raw::<A>(*desc), How::Described);
            machine.poke(Gpa::from_bits(at), store);
            None
        }
        Op::Map { at, tables, depth, leaf } => {
            map::<A>(config, machine, address::<A>(&machine.regime(), *at), tables, *depth, *leaf);
            None
        }
        Op::Fill { table, desc, walks, count } => {
            for place in 0..u64::from(*count).min(512) {
                let step = if *walks && !matches!(desc.form, Form::Empty) { place } else { 0 };
                let value = config.raw::<A>(*desc).wrapping_add(step * PAGE_SIZE);
                let at = Gpa::from_bits(config.table(*table) + 8 * place);
                machine.poke(at, Store { width: 3, value, how: How::Described });
            }
            None
        }
        Op::Batch(stores) => {
            let stores: Vec<_> = stores
                .iter()
                .map(|Handed { to, entry, bytes, desc }| {
                    let at = config.target(*to) + pick(*entry) * 8 + u64::from(bytes % 8);
                    (Gpa::from_bits(at), config.raw::<A>(*desc))
                })
                .collect();
            machine.hand_over(&stores);
            None
        }
        Op::Access { at, access, desc, width, how } => {
            let at = address::<A>(&machine.regime(), *at);
            let store = fitted(at.bits(), *width, config.raw::<A>(*desc), *how);
            let crosses = at.page_offset() + (1 << store.width) > PAGE_SIZE;
            (!crosses).then(|| machine.access(at, *access, store))
        }
        Op::Root { half, to, within } => {
            let half = usize::from(half & 1);
            let (half, to) = root::<A>(config, &machine.regime(), half, *to, *within);
            machine.load_root(half, to);
            None
        }
        Op::Switch { half, from, count } => {
            let half = usize::from(half & 1);
            for number in 0..*count {
                let to = Target::Table(from.wrapping_add(number));
                let (half, to) = root::<A>(config, &machine.regime(), half, to, 0);
                machine.load_root(half, to);
            }
            None
        }
        Op::Regime(regime) => {
            // What was aligned for the old size may not be for the new one.
            machine.load_regime(*regime);
            for half in 0..A::ROOTS {
                let mask = !(A::root_of(regime, half).1 - 1);
                let root = machine.roots()[half].bits() & mask;
                machine.load_root(half, Gpa::from_bits(root));
            }
            None
        }
        Op::Paging(on) => {
            machine.set_paging(*on);
            None
        }
        Op::Speculate(at) => {
            machine.speculate(address::<A>(&machine.regime(), *at));
            None
        }
    }
}

/// Which root an operation on `half` loads, and with what.
fn root<A: Arch>(
    config: &Config<A::Regime>,
    regime: &A::Regime,
    half: usize,
    to: Target,
    within: u8,
) -> (usize, Gpa) {
    let (half, bytes) = A::root_of(regime, half);
    let offset = u64::from(within) * bytes % PAGE_SIZE;
    (half, Gpa::from_bits(config.target(to) + offset))
}

/// Makes a way to `at` from the root in force, where there is none, and a leaf at its end.
fn map<A: Arch>(
    config: &Config<A::Regime>,
    machine: &mut impl Machine<A>,
    at: Gva,
    tables: &[u8; 3],
    depth: u8,
    leaf: Desc,
) {
    let Some(start) = A::start(&machine.regime(), at) else { return };
    let root = machine.roots()[start.half];
    let mut level = start.level;
    let mut entry = root.frame().start().bits() + 8 * start.index(root, at).get() as u64;
    for table in tables.iter().take(usize::from(depth)) {
        let (Some(below), Some(old)) = (level.below(), machine.peek(Gpa::from_bits(entry))) else {
            break;
        };
        let next = match A::decode::<paging::addr::GuestPhys>(level, old) {
            Entry::Table(next) => next.start().bits(),
            _ => {
                let value = A::link(*table) | config.table(*table);
                let store = Store { width: 3, value, how: How::Described };
                machine.poke(Gpa::from_bits(entry), store);
                config.table(*table)
            }
        };
        level = below;
        entry = next + 8 * Index::of(at.bits(), level).get() as u64;
    }
    let form = if level == Level::PAGE { Form::Long } else { Form::Short };
    let form = if matches!(leaf.form, Form::Long | Form::Short) { form } else { leaf.form };
    let entry = Gpa::from_bits(entry);
    if machine.peek(entry).is_some() {
        let value = config.raw::<A>(Desc { form, ..leaf });
        machine.poke(entry, Store { width: 3, value, how: How::Described });
    }
}

/// An access by privileged software.
#[must_use]
pub const fn kernel(kind: Kind) -> Access {
    Access { kind, user: false, guarded: false }
}
