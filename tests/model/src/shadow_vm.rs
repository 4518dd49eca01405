//! A VM under shadow paging, which checks everything at every step.

use std::collections::BTreeMap;

use paging::addr::{Gpa, Gva, Level};
use paging::attrs::{Access, Kind};
use paging::fault::{Fault, GuestFault, Verdict};
use paging::mem::{Entries, Memory};
use paging::shadow::{Capacity, HardwareRoots, MIN_FRAMES, Shadow};
use paging::sim::{Mmu, Parts, Reached};
use paging::switch::SwitchSet;
use paging::walk::{self, Step, Translation};

use crate::{
    Arch, Config, How, Machine, Seen, Store, at_physical, contents, is_device, one_by_one,
    possible, store_to, without_paging,
};

/// Bytes on either side of a stepped store's address which it may write.
const REACH: u64 = 64;
/// How often one access may exit before it is done.
const PATIENCE: usize = 16;

/// A VM under shadow paging.
pub struct ShadowVm<A: Arch> {
    parts: Parts,
    shadow: Shadow<A, A, SwitchSet>,
    regime: A::Regime,
    roots: [Gpa; 2],
    tag: Option<u16>,
    exits: u64,
    random: u32,
    fetched: Option<(Gva, bool)>,
}

impl<A: Arch> ShadowVm<A> {
    /// The VM that `config` describes, with its MMU off.
    #[must_use]
    pub fn new(config: &Config<A::Regime>) -> Self {
        let parts = Parts::new(config.layout(), config.frames, A::STAGE);
        // A pool may have fewer frames than a shadow asks for, to see what happens at its end.
        let frames = MIN_FRAMES.max(config.frames as usize);
        let Config { largest, regime, switches, contexts, .. } = *config;
        let capacity = Capacity { frames, contexts };
        let mut shadow = Shadow::new(config.layout(), largest, regime, capacity, switches)
            .expect("there are frames enough");
        if let Some(distance) = config.around {
            shadow.guess(distance);
        }
        Self {
            parts,
            shadow,
            regime: config.regime,
            roots: [Gpa::from_bits(0); 2],
            tag: None,
            exits: 0,
            random: 1,
            fetched: None,
        }
    }

    /// The engine.
    #[must_use]
    pub const fn shadow(&self) -> &Shadow<A, A, SwitchSet> {
        &self.shadow
    }

    /// Tables, frames, TLB and counters.
    pub const fn parts(&mut self) -> &mut Parts {
        &mut self.parts
    }

    /// The shadow's entries.
    pub fn entries(
        &mut self,
    ) -> Vec<(paging::shadow::check::Table, usize, paging::entry::Shadowed)> {
        self.shadow.entries(&self.parts.world())
    }

    /// How often the guest was left so far.
    #[must_use]
    pub const fn exits(&self) -> u64 {
        self.exits
    }

    /// Gives everything up, while paging is off.
    pub fn reset(&mut self) {
        assert_eq!(self.tag, None, "paging is on");
        self.shadow.reset(&mut self.parts.world());
    }

    /// A fault that the hardware raised for something that it remembered and that is so no more.
    ///
    /// # Panics
    ///
    /// If the guest is not just run again.
    pub fn fault(&mut self, fault: Fault) {
        let verdict = self.shadow.fault(&mut self.parts.world(), fault, is_device::<A>);
        assert_eq!(verdict, Ok(Verdict::Resume));
    }

    /// Lets one instruction store to several places at once, as STP across tables would: none of the
    /// stores is made before all of them can be.
    ///
    /// # Panics
    ///
    /// If it does not come to an end.
    pub fn step(&mut self, stores: &[(Gva, Access, Store)]) -> Vec<Seen> {
        for _ in 0..PATIENCE {
            // A fetch that sets flags would be an access of its own.
            if let Some((at, user)) = self.fetched
                && self.way(at).iter().all(|step| !A::KEEPS_FLAGS || A::accessed(step.raw))
            {
                let fetch = Access { kind: Kind::Execute, user, guarded: false };
                let _ = self.drive(at, fetch, true);
            }
            let seen: Vec<_> =
                stores.iter().map(|(at, access, _)| self.drive(*at, *access, true)).collect();
            // Another part of the instruction may have cost this one its way.
            let ready = stores.iter().zip(&seen).all(|((at, access, _), seen)| {
                let lent = self.is_lent(*at, *access);
                let reached = self.reach(*at, *access, lent);
                !matches!(seen, Seen::Ram(..)) || matches!(reached, Reached::Ram(_))
            });
            if ready {
                if seen.iter().all(|seen| matches!(seen, Seen::Ram(..))) {
                    for (seen, (_, _, store)) in seen.iter().zip(stores) {
                        if let Seen::Ram(gpa, _) = seen {
                            store_to(&self.parts.memory, *gpa, *store);
                        }
                    }
                }
                self.shadow.close(&mut self.parts.world()).expect("room can be made");
                return seen;
            }
        }
        panic!("the stepped instruction never ends");
    }

    /// Checks every invariant.
    ///
    /// # Panics
    ///
    /// If one does not hold.
    pub fn audit(&mut self) {
        if let Err(wrong) = self.shadow.check(&self.parts.world()) {
            panic!("{wrong}");
        }
        if let Err(violation) = self.parts.tlb.audit(&self.parts.pool) {
            panic!("{violation:x?}");
        }
    }

    fn use_roots(&mut self, loaded: HardwareRoots) {
        self.parts.tlb.load_shadow::<A>(&self.regime, &loaded);
        self.tag = Some(loaded.tag.0);
        assert_eq!(self.parts.tlb.violation(), None);
    }

    /// A fault makes the hardware forget its address, where that is so.
    fn forget(&self, at: Gva) {
        if let Some(tag) = self.tag {
            self.parts.tlb.fault(tag, at);
        }
    }

    /// The guest got a fault natively. Where the hardware does not tell such faults from others, the engine
    /// gives it back without doing anything.
    fn absent(&mut self, at: Gva, access: Access) {
        self.forget(at);
        if A::KEEPS_FLAGS {
            let fault = Fault::Page { at, access, present: false };
            let verdict = self.shadow.fault(&mut self.parts.world(), fault, is_device::<A>);
            let reflected = Verdict::Reflect(GuestFault::Translation(Level::PAGE));
            assert_eq!(verdict, Ok(reflected));
        }
    }

    fn next_random(&mut self) -> usize {
        self.random = self.random.wrapping_mul(0x915f_77f5).wrapping_add(1);
        (self.random >> 16) as usize
    }

    /// All that the hardware may make of an access now. With `lent`, the registers are the guest's own.
    fn reach_all(&self, at: Gva, access: Access, lent: bool) -> Vec<Reached> {
        let Some(tag) = self.tag else { return Vec::new() };
        let regime = &if lent { self.regime } else { A::enforced(&self.regime) };
        let mmu: Mmu<'_, A> = Mmu { memory: &self.parts.memory, tlb: &self.parts.tlb, regime, tag };
        let all = mmu.reach(at, access);
        assert_eq!(self.parts.tlb.violation(), None);
        assert!(!all.is_empty(), "{at:?} reaches nothing");
        all
    }

    /// One thing that the hardware may make of an access now.
    fn reach(&mut self, at: Gva, access: Access, lent: bool) -> Reached {
        let all = self.reach_all(at, access, lent);
        all[self.next_random() % all.len()]
    }

    /// What the guest's tables make of an access, without any cache.
    fn expected(&self, at: Gva, access: Access) -> Result<Translation, GuestFault> {
        walk::access::<A>(&self.parts.memory, &self.regime, self.roots, at, access)
    }

    /// Whether an access is one that the guest's registers allow and those that are enforced do not.
    fn is_lent(&self, at: Gva, access: Access) -> bool {
        let enforced = A::enforced(&self.regime);
        let found =
            |regime| walk::access::<A>(&self.parts.memory, regime, self.roots, at, access).is_ok();
        found(&self.regime) && !found(&enforced)
    }

    /// The guest's entries that an access to `at` uses.
    fn way(&self, at: Gva) -> Vec<Step> {
        let mut way = Vec::new();
        let (memory, regime) = (&self.parts.memory, &self.regime);
        let _ = walk::follow::<A>(memory, regime, self.roots, at, |step| way.push(step));
        way
    }

    /// The entries of `way` have the flags that an access of `kind` sets, or are as they were if it failed.
    fn check_flags(&self, way: &[Step], kind: Kind, done: bool) {
        let mut wanted = BTreeMap::new();
        for step in way {
            let raw = wanted.entry((step.table, step.index)).or_insert(step.raw);
            *raw = if done { A::marked(step.level, *raw, kind) } else { *raw };
        }
        for ((table, index), wanted) in wanted {
            let raw = self.parts.memory.guest(table).map(|entries| entries.get(index));
            assert_eq!(raw, Some(wanted), "the flags of {table:?}[{}]", index.get());
        }
    }

    /// Runs an access until it could be made or has failed. It is not made yet. With `opened`, a
    /// table that it stores to is opened; without, the access ends before the store.
    fn drive(&mut self, at: Gva, access: Access, opened: bool) -> Seen {
        let expected = self.expected(at, access);
        let way = self.way(at);
        let mut lent = false;
        for _ in 0..PATIENCE {
            match self.reach(at, access, lent) {
                Reached::Ram(gpa) => {
                    self.check_flags(&way, access.kind, true);
                    assert_eq!(Ok(gpa), expected.map(|found| found.gpa), "{access:?} of {at:?}");
                    let unseen = access.kind == Kind::Write && self.shadow.is_shadowed(gpa.frame());
                    assert!(opened || !unseen, "{at:?} stores to the table at {gpa:?} unseen");
                    return at_physical::<A>(&self.parts.memory, gpa);
                }
                Reached::Native(fault) => {
                    self.check_flags(&way, access.kind, false);
                    self.absent(at, access);
                    self.compare(at, access, Seen::Fault(fault));
                    return Seen::Fault(fault);
                }
                Reached::Exit(fault) => {
                    self.exits += 1;
                    let mut world = self.parts.world();
                    let verdict = self.shadow.fault(&mut world, fault, is_device::<A>);
                    self.forget(at);
                    let seen = match verdict.expect("room can be made") {
                        Verdict::Resume => continue,
                        Verdict::Reflect(fault) => Seen::Fault(fault),
                        Verdict::Device(at) => Seen::Device(at),
                        Verdict::Store(gpa) if opened => {
                            let open = self.shadow.open(&mut self.parts.world(), at, gpa, REACH);
                            assert_eq!(open, Ok(true), "too many tables are open");
                            lent = self.is_lent(at, access);
                            self.forget(at);
                            continue;
                        }
                        Verdict::Store(gpa) => {
                            assert_eq!(Ok(gpa), expected.map(|found| found.gpa));
                            self.check_flags(&way, access.kind, true);
                            return at_physical::<A>(&self.parts.memory, gpa);
                        }
                    };
                    self.check_flags(&way, access.kind, matches!(seen, Seen::Device(_)));
                    self.compare(at, access, seen);
                    return seen;
                }
            }
        }
        panic!("{access:?} of {at:?} is never done: {expected:x?}");
    }

    /// An access that fails has to fail as the guest's tables say.
    fn compare(&self, at: Gva, access: Access, seen: Seen) {
        let expected = match self.expected(at, access) {
            Ok(found) => at_physical::<A>(&self.parts.memory, found.gpa),
            Err(fault) => Seen::Fault(fault),
        };
        assert!(
            A::same(expected, seen),
            "{access:?} of {at:?} is {seen:x?} and should be {expected:x?}"
        );
    }

    /// What was just done costs nothing when it is done again, unless a store or a device is reached,
    /// or a table where there is no RAM.
    fn costs_nothing(&mut self, at: Gva, access: Access, seen: Seen) {
        let free = match seen {
            Seen::Ram(gpa, _) => {
                let unseen = !self.shadow.is_shadowed(gpa.frame()) && !self.is_lent(at, access);
                access.kind != Kind::Write || unseen
            }
            Seen::Fault(fault) if A::KEEPS_FLAGS => {
                matches!(fault, GuestFault::Translation(_))
                    && self.way(at).iter().all(|step| A::accessed(step.raw))
            }
            Seen::Device(_) | Seen::Fault(GuestFault::Abort | GuestFault::WalkAbort(_)) => false,
            Seen::Fault(_) => self.roots.iter().all(|root| {
                self.shadow.layout().ram_index(root.frame()).is_some()
                    && root.bits() >> A::output_bits(&self.regime) == 0
            }),
        };
        if free {
            // What is remembered may allow less than the tables do, which costs one fault.
            self.forget(at);
            for reached in self.reach_all(at, access, false) {
                let exits = matches!(reached, Reached::Exit(_));
                assert!(!exits, "{access:?} of {at:?} was {seen:x?} and is {reached:x?} again");
            }
        }
    }
}

impl<A: Arch> Machine<A> for ShadowVm<A> {
    fn poke(&mut self, at: Gpa, store: Store) {
        if self.shadow.is_shadowed(at.frame()) {
            self.exits += 1;
            let mut world = self.parts.world();
            self.shadow
                .emulate_write(&mut world, at, store.width, store.value)
                .expect("room can be made");
        } else {
            store_to(&self.parts.memory, at, store);
        }
    }

    fn hand_over(&mut self, stores: &[(Gpa, u64)]) {
        if !self.shadow.takes_updates() {
            return one_by_one(self, stores);
        }
        self.exits += 1;
        let made = self.shadow.update(&mut self.parts.world(), stores.iter().copied());
        assert_eq!(made, Ok(possible(self, stores) as u64), "stores made of {stores:x?}");
    }

    fn peek(&self, at: Gpa) -> Option<u64> {
        walk::load(&self.parts.memory, at)
    }

    fn load_root(&mut self, half: usize, root: Gpa) {
        self.roots[half] = root;
        if self.tag.is_some() {
            let loaded = self.shadow.update_root(&mut self.parts.world(), half, root);
            self.use_roots(loaded.expect("room can be made"));
        }
    }

    fn load_regime(&mut self, regime: A::Regime) {
        self.regime = regime;
        if self.tag.is_some() {
            self.tag = None;
            self.set_paging(true);
        }
    }

    fn regime(&self) -> A::Regime {
        self.regime
    }

    fn roots(&self) -> [Gpa; 2] {
        self.roots
    }

    fn set_paging(&mut self, on: bool) {
        if on && self.tag.is_none() {
            let mut world = self.parts.world();
            let loaded = self.shadow.update_regime(&mut world, self.regime, self.roots);
            self.use_roots(loaded.expect("room can be made"));
        } else if !on && self.tag.is_some() {
            self.shadow.reset(&mut self.parts.world());
            self.tag = None;
            assert_eq!(self.parts.pool.available(), self.parts.pool.size(), "frames are lost");
        }
    }

    fn access(&mut self, at: Gva, access: Access, store: Store) -> Seen {
        if self.tag.is_none() {
            let seen = without_paging::<A>(&self.parts.memory, &self.regime, at);
            return match seen {
                Seen::Ram(gpa, _) if access.kind == Kind::Write => {
                    store_to(&self.parts.memory, gpa, store);
                    at_physical::<A>(&self.parts.memory, gpa)
                }
                _ => seen,
            };
        }
        let seen = self.drive(at, access, false);
        self.costs_nothing(at, access, seen);
        match seen {
            Seen::Ram(gpa, _) if access.kind == Kind::Write => {
                if !self.shadow.is_shadowed(gpa.frame()) && !self.is_lent(at, access) {
                    store_to(&self.parts.memory, gpa, store);
                } else {
                    let world = &mut self.parts.world();
                    let (width, value) = (store.width, store.value);
                    match store.how {
                        How::Described => self.shadow.emulate_write(world, gpa, width, value),
                        How::Exclusive => {
                            self.shadow.emulate_cmpxchg(world, gpa, width, [Some(value), None])
                        }
                        How::Stepped => {
                            self.step(&[(at, access, store)]);
                            Ok(())
                        }
                    }
                    .expect("room can be made");
                }
                at_physical::<A>(&self.parts.memory, gpa)
            }
            Seen::Ram(..) if access.kind == Kind::Execute => {
                self.fetched = Some((at, access.user));
                seen
            }
            _ => seen,
        }
    }

    fn speculate(&mut self, at: Gva) {
        let access = Access { kind: Kind::Read, user: false, guarded: false };
        if self.tag.is_some() {
            self.reach_all(at, access, false);
        }
    }

    fn settle(&mut self) {
        self.audit();
    }

    fn ram(&self) -> Vec<(Gpa, [u64; 512])> {
        contents(&self.parts.memory)
    }
}
