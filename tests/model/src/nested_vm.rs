//! A VM under nested paging: the guest's own walk, and behind it the layout's tree.

use paging::addr::{Gpa, Gva, Level};
use paging::attrs::Access;
use paging::fault::{Fault, GuestFault, Verdict};
use paging::nested::{self, Nested};
use paging::sim::{Parts, RootTable};
use paging::tree::Tools;
use paging::walk;

use crate::{
    Arch, Config, Machine, Seen, Store, at_physical, contents, is_device, store_to, without_paging,
};

/// A VM under nested paging.
pub struct NestedVm<A: Arch> {
    parts: Parts,
    nested: Nested<A::Nested>,
    regime: A::Regime,
    roots: [Gpa; 2],
    paging: bool,
}

impl<A: Arch> NestedVm<A> {
    /// The VM that `config` describes, with its MMU off.
    #[must_use]
    pub fn new(config: &Config<A::Regime>) -> Self {
        let frames = 8 + config.ram.div_ceil(Level::BLOCK_2M.size()) as u32;
        let mut parts = Parts::new(config.layout(), frames, A::NESTED);
        let mut tools = Tools { memory: &parts.memory, pool: &mut parts.pool, tlb: &mut parts.tlb };
        let nested = Nested::new(&mut tools, &config.layout(), Level::BLOCK_1G, config.largest)
            .expect("there are frames enough");
        let address = paging::mem::Memory::frame_of(&parts.memory, nested.root()).start();
        let root =
            RootTable { address, base: 0, level: Level::BLOCK_1G, entries: 512, flat: false };
        parts.tlb.load(1, [Some(root), None]);
        Self { parts, nested, regime: config.regime, roots: [Gpa::from_bits(0); 2], paging: false }
    }

    /// What stage 2 makes of the guest-physical address of an access.
    fn behind(&mut self, at: Gpa) -> Seen {
        match self.nested.tree().find(&self.parts.memory, at) {
            Some((to, _)) => {
                assert_eq!(self.parts.memory.layout().guest_address(to), Some(at));
                at_physical::<A>(&self.parts.memory, at)
            }
            None => {
                match nested::fault(&mut self.parts.probe, Fault::Device { at }, is_device::<A>) {
                    Verdict::Device(at) => Seen::Device(at),
                    Verdict::Reflect(fault) => Seen::Fault(fault),
                    other => panic!("{other:?} for {at:?}"),
                }
            }
        }
    }
}

impl<A: Arch> Machine<A> for NestedVm<A> {
    fn poke(&mut self, at: Gpa, store: Store) {
        store_to(&self.parts.memory, at, store);
    }

    fn peek(&self, at: Gpa) -> Option<u64> {
        walk::load(&self.parts.memory, at)
    }

    fn load_root(&mut self, half: usize, root: Gpa) {
        self.roots[half] = root;
    }

    fn load_regime(&mut self, regime: A::Regime) {
        self.regime = regime;
    }

    fn regime(&self) -> A::Regime {
        self.regime
    }

    fn roots(&self) -> [Gpa; 2] {
        self.roots
    }

    fn set_paging(&mut self, on: bool) {
        self.paging = on;
    }

    fn access(&mut self, at: Gva, access: Access, store: Store) -> Seen {
        let gpa = if self.paging {
            match walk::access::<A>(&self.parts.memory, &self.regime, self.roots, at, access) {
                Ok(found) => found.gpa,
                Err(fault) => return Seen::Fault(fault),
            }
        } else {
            match without_paging::<A>(&self.parts.memory, &self.regime, at) {
                Seen::Fault(fault @ GuestFault::AddressSize(_)) => return Seen::Fault(fault),
                _ => Gpa::from_bits(at.bits()),
            }
        };
        if self.paging {
            A::keep_flags(&self.parts.memory, self.roots, at, access.kind);
        }
        match self.behind(gpa) {
            Seen::Ram(gpa, _) if access.kind == paging::attrs::Kind::Write => {
                store_to(&self.parts.memory, gpa, store);
                at_physical::<A>(&self.parts.memory, gpa)
            }
            seen => seen,
        }
    }

    fn ram(&self) -> Vec<(Gpa, [u64; 512])> {
        contents(&self.parts.memory)
    }
}
