//! Page walks that count what they read.
//!
//! The walk itself is `paging`'s, which the hypervisor runs as well. What is added here is what hardware has
//! around it: each table of stage 1 stands at an address that stage 2 translates, and caches cut a walk short.
//!
//! - A *stage 1 walk cache* knows where in the machine's memory the next table is, so that neither the tables
//!   above nor stage 2's way to it are read.
//! - A *stage 2 walk cache* does that for the tables of stage 2.
//! - An *IPA cache* knows translations of stage 2.

use std::cell::Cell;

use paging::addr::{Frame, Gpa, GuestPhys, Gva, Hpa, INDEX_BITS, Index, Level as TableLevel};
use paging::attrs::Rights;
use paging::format::GuestFormat;
use paging::mem::ENTRY_SHIFT;
use paging::walk::{self, Way};

use crate::architecture::{Architecture, Context, Lower, Upper};
use crate::cache::{Kind, Known};
use crate::counts::{ByStages, Walks};
use crate::invalidation::untagged;
use crate::level::Level;
use crate::memory::Physical;
use crate::owner::{Owner, Owners};

/// What a walk may use and fill.
pub(crate) struct Caches<'a> {
    /// The L2 TLB, which may hold what walks want.
    pub(crate) l2: &'a mut Level,
    /// The walk caches.
    pub(crate) own: &'a mut Level,
}

impl Caches<'_> {
    fn find(&mut self, kind: Kind, owner: Owner, at: u64, size: u32) -> Option<Known> {
        let found = self.own.find(kind, owner, at, size);
        found.or_else(|| self.l2.find(kind, owner, at, size))
    }

    /// The table that `at` leads to and that is nearest to the leaf, and its level.
    fn nearest_table(&mut self, kind: Kind, owner: Owner, at: u64) -> Option<(TableLevel, Known)> {
        [TableLevel::BLOCK_2M, TableLevel::BLOCK_1G, TableLevel::TOP]
            .into_iter()
            .find_map(|above| Some((above.below()?, self.find(kind, owner, at, above.shift())?)))
    }

    fn keep(&mut self, known: Known) {
        self.own.keep(known, known.at);
        self.l2.keep(known, known.at);
    }
}

/// A walk under way.
pub(crate) struct Walk<'a, A: Architecture, M: Physical> {
    pub(crate) context: &'a Context<A>,
    pub(crate) memory: &'a M,
    pub(crate) caches: Caches<'a>,
    /// Entries read so far.
    reads: u64,
}

/// Where stage 2 leads.
#[derive(Clone, Copy)]
struct Below {
    physical: Hpa,
    /// The size of its leaf, log2.
    shift: u32,
    writable: bool,
}

/// The size of what stage 2 says where there is none: everything.
const EVERYTHING: u32 = u64::BITS - 1;

/// Whether anybody may write.
const fn is_writable(rights: Rights) -> bool {
    rights.intersects(Rights::KERNEL_WRITE.union(Rights::USER_WRITE))
}

/// What a walk has come to: the level of the entry that it used last, and what is taken away so far.
type ComeTo = Cell<(Option<TableLevel>, u64)>;

impl<'a, A: Architecture, M: Physical> Walk<'a, A, M> {
    pub(crate) const fn new(context: &'a Context<A>, memory: &'a M, caches: Caches<'a>) -> Self {
        Self { context, memory, caches, reads: 0 }
    }

    /// Translates `at`, and adds the walk to `walks`. Nothing, if the tables give no translation.
    pub(crate) fn run(mut self, at: u64, walks: &mut Walks) -> Option<Known> {
        let known = match &self.context.upper {
            Some(upper) => self.stage1(upper, at)?,
            None => self.stage2_only(at)?,
        };
        *self.count(&mut walks.walks) += 1;
        *self.count(&mut walks.reads) += self.reads;
        Some(known)
    }

    /// The count of the stages that are walked.
    const fn count<'c>(&self, of: &'c mut ByStages) -> &'c mut u64 {
        match (&self.context.upper, &self.context.lower) {
            (Some(_), Some(_)) => &mut of.two_dimensional,
            (Some(_), None) => &mut of.one_dimensional,
            (None, _) => &mut of.stage2_only,
        }
    }

    fn stage2_only(&mut self, at: u64) -> Option<Known> {
        let below = self.stage2(Gpa::from_bits(at))?;
        Some(Known {
            kind: Kind::Translation,
            owners: Owners::spaces_of(self.context.owner),
            at: untagged(at),
            shift: below.shift,
            leaf_shift: below.shift,
            physical: below.physical.bits() >> below.shift << below.shift,
            guest_physical: at,
            limits: 0,
            writable: below.writable,
        })
    }

    fn stage1(&mut self, upper: &Upper<A>, at: u64) -> Option<Known> {
        let (gva, owner) = (Gva::from_bits(at), self.context.owner);
        let known = self.caches.nearest_table(Kind::Stage1Table, owner, untagged(at));
        let from = match (known, upper.pointers) {
            (Some((level, known)), _) => Way {
                half: A::Upper::start(&upper.regime, gva)?.half,
                level,
                table: Gpa::from_bits(known.guest_physical).frame(),
                index: Index::of(at, level),
                limits: known.limits,
            },
            (None, Some(pointers)) => by_pointer(pointers, at)?,
            (None, None) => walk::begin::<A::Upper>(&upper.regime, upper.roots, gva).ok()?,
        };
        let come_to = ComeTo::new((None, from.limits));
        let mut start = known.map(|(_, known)| Hpa::from_bits(known.physical));
        let read = |table: Frame<GuestPhys>, index: Index| {
            let host = match start.take() {
                Some(host) => host,
                None => self.stage2(table.start())?.physical,
            };
            self.keep_table(Kind::Stage1Table, untagged(at), come_to.get(), (table, host));
            self.entry(host, index)
        };
        let visit = |step: walk::Step| {
            let limits = A::Upper::limit(&upper.regime, come_to.get().1, from.half, step.raw);
            come_to.set((Some(step.level), limits));
        };
        let found = walk::go_on::<A::Upper>(&upper.regime, gva, from, read, visit).ok()?;
        let below = self.stage2(found.gpa)?;
        let shift = found.level.shift().min(below.shift);
        let is_global = upper.has_global && A::is_global(found.leaf);
        Some(Known {
            kind: Kind::Translation,
            owners: if is_global { Owners::spaces_of(owner) } else { Owners::one(owner) },
            at: untagged(at),
            shift,
            leaf_shift: found.level.shift(),
            physical: below.physical.bits() >> shift << shift,
            guest_physical: found.gpa.bits(),
            limits: found.limits,
            writable: is_writable(found.rights) && A::is_dirty(found.leaf) && below.writable,
        })
    }

    /// Where stage 2 takes an address of the guest's memory.
    fn stage2(&mut self, at: Gpa) -> Option<Below> {
        let Some(lower) = &self.context.lower else {
            let physical = Hpa::from_bits(at.bits());
            return Some(Below { physical, shift: EVERYTHING, writable: true });
        };
        match self.caches.find(Kind::Ipa, self.context.owner, at.bits(), 0) {
            Some(known) => Some(Below {
                physical: Hpa::from_bits(known.translate(at.bits())),
                shift: known.leaf_shift,
                writable: known.writable,
            }),
            None => self.walk_stage2(lower, at),
        }
    }

    /// Below the guest's memory there is the machine's: what is translated here stands in the place of the
    /// guest-virtual address, and what it becomes in that of the guest-physical one.
    fn walk_stage2(&mut self, lower: &Lower<A>, at: Gpa) -> Option<Below> {
        let (input, root) = (Gva::from_bits(at.bits()), Gpa::from_bits(lower.root.bits()));
        let owner = self.context.owner;
        let from = match self.caches.nearest_table(Kind::Stage2Table, owner, at.bits()) {
            Some((level, known)) => Way {
                half: 0,
                level,
                table: Gpa::from_bits(known.physical).frame(),
                index: Index::of(at.bits(), level),
                limits: known.limits,
            },
            None => walk::begin::<A::Lower>(&lower.regime, [root; 2], input).ok()?,
        };
        let come_to = ComeTo::new((None, from.limits));
        let read = |table: Frame<GuestPhys>, index: Index| {
            let host = Hpa::from_bits(table.start().bits());
            self.keep_table(Kind::Stage2Table, at.bits(), come_to.get(), (table, host));
            self.entry(host, index)
        };
        let visit = |step: walk::Step| {
            let limits = A::Lower::limit(&lower.regime, come_to.get().1, from.half, step.raw);
            come_to.set((Some(step.level), limits));
        };
        let found = walk::go_on::<A::Lower>(&lower.regime, input, from, read, visit).ok()?;
        let shift = found.level.shift();
        let physical = Hpa::from_bits(found.gpa.bits());
        let writable = is_writable(found.rights) && A::is_dirty(found.leaf);
        self.caches.keep(Known {
            kind: Kind::Ipa,
            owners: Owners::machine_of(owner),
            at: at.bits(),
            shift,
            leaf_shift: shift,
            physical: physical.bits() >> shift << shift,
            guest_physical: at.bits(),
            limits: found.limits,
            writable,
        });
        Some(Below { physical, shift, writable })
    }

    /// Keeps where a table is that the walk of `at` has come to, unless that is where it began.
    fn keep_table(
        &mut self,
        kind: Kind,
        at: u64,
        (above, limits): (Option<TableLevel>, u64),
        (table, host): (Frame<GuestPhys>, Hpa),
    ) {
        let Some(above) = above else { return };
        let owner = self.context.owner;
        self.caches.keep(Known {
            kind,
            owners: match kind {
                Kind::Stage1Table => Owners::one(owner),
                _ => Owners::machine_of(owner),
            },
            at,
            shift: above.shift(),
            leaf_shift: above.shift(),
            physical: host.bits(),
            guest_physical: table.start().bits(),
            limits,
            writable: false,
        });
    }

    /// Reads an entry.
    fn entry(&mut self, table: Hpa, index: Index) -> Option<u64> {
        self.reads += 1;
        self.memory.read(Hpa::from_bits(table.bits() + ((index.get() as u64) << ENTRY_SHIFT)))
    }
}

/// Where a walk of PAE paging begins: the page directory of the address's GiB. Reading the registers that
/// lead there is no read of memory ("PDPTE Registers", 4.4.1).
fn by_pointer(pointers: [u64; 4], at: u64) -> Option<Way> {
    use paging::format::x64::{ADDRESS, Bits};
    let level = TableLevel::BLOCK_2M;
    let pointer = *pointers.get((at >> (level.shift() + INDEX_BITS)) as usize)?;
    let present = pointer & Bits::PRESENT.bits() != 0;
    let table = Gpa::from_bits(pointer & ADDRESS).frame();
    let index = Index::of(at, level);
    present.then_some(Way { half: 0, level, table, index, limits: 0 })
}
