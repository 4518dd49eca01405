//! The list of stores that a guest hands over: see [`call::UPDATE`].
//!
//! Nothing of it is copied. Each store is read from the guest's RAM when its turn has come, so a list that changes
//! itself does what its guest wrote there.

use arch::exit::Stop;
use arch::{Mmu, Platform, Vcpu};
use hv_abi::call;
use paging::addr::{Gpa, Index, PAGE_SIZE};
use paging::mem::{ENTRY_SHIFT, Entries, Memory};

use crate::device::Board;
use crate::machine::{Line, Machine};

/// A list in one page of RAM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct List {
    start: Gpa,
    count: u64,
}

impl List {
    /// The list of `count` stores at `start`, or the status that says what is wrong with it.
    fn new(memory: &impl Memory, start: Gpa, count: u64) -> Result<Self, u64> {
        if !(1..=call::UPDATES).contains(&count) {
            return Err(call::BAD_COUNT);
        }
        let offset = start.page_offset();
        let is_within = offset + count * call::UPDATE_BYTES <= PAGE_SIZE;
        if offset.is_multiple_of(call::UPDATE_BYTES)
            && is_within
            && memory.guest(start.frame()).is_some()
        {
            Ok(Self { start, count })
        } else {
            Err(call::BAD_LIST)
        }
    }

    /// Its stores, in order.
    fn stores(self, memory: &impl Memory) -> impl Iterator<Item = (Gpa, u64)> {
        let page = memory.guest(self.start.frame());
        let first = (self.start.page_offset() >> ENTRY_SHIFT) as u32;
        (0..self.count as u32).map_while(move |number| {
            let word = |half| page.map(|page| page.get(Index::wrapping(first + 2 * number + half)));
            Some((Gpa::from_bits(word(0)?), word(1)?))
        })
    }
}

impl<P: Platform, B: Board<P>, L: Line> Machine<P, B, L> {
    /// Carries out the list at `start`, whose length is the hypercall's next argument.
    pub(crate) fn update(&mut self, start: u64) -> Result<(), Stop> {
        let world = &mut self.shared.world();
        let memory = world.memory;
        let (status, done) = match List::new(memory, Gpa::from_bits(start), self.vcpu.argument(2)) {
            Ok(list) => match self.mmu.update(world, list.stores(memory))? {
                done if done == list.count => (call::SUCCESS, done),
                done => (call::BAD_ENTRY, done),
            },
            Err(status) => (status, 0),
        };
        self.vcpu.set_result(0, status);
        self.vcpu.set_result(1, done);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use paging::addr::Addr;
    use paging::layout::Layout;
    use paging::sim::{Parts, Stage};

    use super::*;

    const RAM: u64 = 0x4000_0000;
    const SIZE: u64 = 4 * PAGE_SIZE;

    fn parts() -> Parts {
        let [ram, backing] = [Gpa::from_bits(RAM).frame(), Gpa::from_bits(2 * RAM).frame()];
        let layout =
            Layout::new(ram, SIZE / PAGE_SIZE, Addr::from_bits(backing.start().bits()).frame());
        Parts::new(layout, 1, Stage::X64)
    }

    fn list(start: u64, count: u64) -> Result<List, u64> {
        List::new(&parts().memory, Gpa::from_bits(start), count)
    }

    #[test]
    fn a_list_is_refused_for_what_is_wrong_with_it() {
        for count in [0, call::UPDATES + 1, 1 << 60, u64::MAX] {
            assert_eq!(list(RAM, count), Err(call::BAD_COUNT));
        }
        let outside = [0, RAM - call::UPDATE_BYTES, RAM + SIZE, 1 << 63, 0_u64.wrapping_sub(16)];
        let misaligned = [RAM + 1, RAM + 8, RAM + PAGE_SIZE - 8];
        for start in outside.into_iter().chain(misaligned) {
            assert_eq!(list(start, 1), Err(call::BAD_LIST), "{start:#x}");
        }
        let last = RAM + PAGE_SIZE - call::UPDATE_BYTES;
        assert_eq!(list(last, 2), Err(call::BAD_LIST));
        assert_eq!(list(RAM + call::UPDATE_BYTES, call::UPDATES), Err(call::BAD_LIST));
        assert!(list(last, 1).is_ok());
        assert!(list(RAM + SIZE - PAGE_SIZE, call::UPDATES).is_ok());
    }

    #[test]
    fn a_store_is_read_when_its_turn_has_come() {
        let parts = parts();
        let frame = parts.memory.guest(Gpa::from_bits(RAM).frame()).unwrap();
        let set = |word: u32, value| frame.set(Index::wrapping(word), value);
        for (word, value) in (2..).zip([RAM, 7, RAM + 8, 9]) {
            set(word, value);
        }
        let start = Gpa::from_bits(RAM + call::UPDATE_BYTES);
        let mut stores = List::new(&parts.memory, start, 2).unwrap().stores(&parts.memory);
        assert_eq!(stores.next(), Some((Gpa::from_bits(RAM), 7)));
        set(4, RAM + 16);
        assert_eq!(stores.next(), Some((Gpa::from_bits(RAM + 16), 9)));
        assert_eq!(stores.next(), None);
    }
}
