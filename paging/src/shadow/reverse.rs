//! The reverse map: from a thing to the slots that refer to it.
//!
//! Nearly every frame is mapped by one or two shadow leaves, and nearly every shadow page has one
//! parent. So a list is two words in place, the second of which becomes the head of a list of nodes
//! when a third slot joins. Adding is O(1); removing searches the list.

use alloc::vec;
use alloc::vec::Vec;

/// Slots of a node.
const ITEMS: usize = 7;
/// What tells a node's number from a slot.
const NODE: u32 = 1 << 31;

/// A list of slots, which are not 0 and below 2^31.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub(super) struct Refs {
    first: u32,
    rest: u32,
}

/// A node of an overflowing list. Slots fill it from the front; 0 is none.
#[derive(Clone, Copy, Debug)]
struct Node {
    items: [u32; ITEMS],
    next: u32,
}

/// The nodes of all lists of one shadow. Made once.
#[derive(Debug)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    free: u32,
    available: usize,
}

/// Whether a list has just one slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Only {
    /// It is empty.
    Nobody,
    /// It has this one.
    One(u32),
    /// It has more.
    Several,
}

impl Nodes {
    /// `count` free nodes. Node 0 is never used.
    pub(super) fn new(count: usize) -> Self {
        let mut nodes = vec![Node { items: [0; ITEMS], next: 0 }; count + 1];
        for (number, node) in nodes.iter_mut().enumerate().take(count).skip(1) {
            node.next = number as u32 + 1;
        }
        Self { nodes, free: 1, available: count }
    }

    /// No nodes: what stands in for those of a shadow while its lists are only read.
    pub(super) const NONE: Self = Self { nodes: Vec::new(), free: 0, available: 0 };

    /// How many nodes are free.
    pub(super) const fn available(&self) -> usize {
        self.available
    }

    fn at(&self, number: u32) -> &Node {
        &self.nodes[(number & !NODE) as usize]
    }

    fn at_mut(&mut self, number: u32) -> &mut Node {
        &mut self.nodes[(number & !NODE) as usize]
    }

    /// Takes a node that holds `slots`. Operations reserve nodes, so there is one.
    fn take(&mut self, items: [u32; ITEMS], next: u32) -> u32 {
        let number = self.free;
        assert!(self.available > 0, "an operation took more nodes than it reserved");
        self.free = self.at(number).next;
        self.available -= 1;
        *self.at_mut(number) = Node { items, next };
        number | NODE
    }

    fn put(&mut self, number: u32) {
        self.at_mut(number).next = self.free;
        self.free = number & !NODE;
        self.available += 1;
    }
}

impl Refs {
    /// No slots.
    pub(super) const EMPTY: Self = Self { first: 0, rest: 0 };

    /// Whether there are none.
    #[inline(always)]
    pub(super) const fn is_empty(&self) -> bool {
        self.first == 0
    }

    /// Whether there is one.
    pub(super) const fn only(&self) -> Only {
        match (self.first, self.rest) {
            (0, _) => Only::Nobody,
            (slot, 0) => Only::One(slot),
            _ => Only::Several,
        }
    }

    /// Any of them.
    pub(super) const fn any(&self) -> Option<u32> {
        if self.first == 0 { None } else { Some(self.first) }
    }

    /// One of them, or 0: the whole list is empty if, and only if, it is.
    #[inline(always)]
    pub(super) const fn first(&self) -> u32 {
        self.first
    }

    /// Adds `slot`.
    #[inline]
    pub(super) fn add(&mut self, nodes: &mut Nodes, slot: u32) {
        if self.first == 0 {
            self.first = slot;
        } else if !self.add_second(slot) {
            self.add_to_nodes(nodes, slot);
        }
    }

    /// Makes `slot` the first of an empty list.
    #[inline(always)]
    pub(super) const fn add_first(&mut self, slot: u32) {
        self.first = slot;
    }

    /// Adds `slot` to a list that has one, and no more; returns whether it had.
    #[inline(always)]
    pub(super) const fn add_second(&mut self, slot: u32) -> bool {
        let fits = self.rest == 0;
        if fits {
            self.rest = slot;
        }
        fits
    }

    #[cold]
    #[inline(never)]
    fn add_to_nodes(&mut self, nodes: &mut Nodes, slot: u32) {
        let mut items = [0; ITEMS];
        if self.rest & NODE == 0 {
            items[0] = self.rest;
            items[1] = slot;
            self.rest = nodes.take(items, 0);
        } else if let Some(item) = nodes.at_mut(self.rest).items.iter_mut().find(|item| **item == 0)
        {
            *item = slot;
        } else {
            items[0] = slot;
            self.rest = nodes.take(items, self.rest);
        }
    }

    /// Takes `slot` out, which is in.
    #[inline]
    pub(super) fn remove(&mut self, nodes: &mut Nodes, slot: u32) {
        if self.remove_in_place(slot) {
        } else if self.first == slot {
            self.first = self.take_rest(nodes);
        } else {
            self.remove_from_nodes(nodes, slot);
        }
    }

    /// Takes `slot` out if no node has to change for it; returns whether it did.
    #[inline(always)]
    pub(super) const fn remove_in_place(&mut self, slot: u32) -> bool {
        let rest = self.rest;
        if rest != slot {
            if rest & NODE != 0 || self.first != slot {
                return false;
            }
            self.first = rest;
        }
        self.rest = 0;
        true
    }

    /// Takes any slot out of the nodes, of which there is one.
    fn take_rest(&mut self, nodes: &mut Nodes) -> u32 {
        let head = nodes.at_mut(self.rest);
        let (taken, left) = match head.items.iter().rposition(|&item| item != 0) {
            Some(place) => (core::mem::take(&mut head.items[place]), place),
            None => (0, 0),
        };
        if left == 0 {
            let next = head.next;
            nodes.put(self.rest);
            self.rest = next;
        }
        taken
    }

    #[cold]
    fn remove_from_nodes(&mut self, nodes: &mut Nodes, slot: u32) {
        let mut number = self.rest;
        while number & NODE != 0 {
            if let Some(place) = nodes.at(number).items.iter().position(|&item| item == slot) {
                let last = self.take_rest(nodes);
                if last != slot {
                    // The head gave its last slot for the one that leaves.
                    nodes.at_mut(number).items[place] = last;
                }
                return;
            }
            number = nodes.at(number).next;
        }
        debug_assert!(false, "slot {slot:#x} is not in the reverse map");
    }

    /// How many nodes the list takes.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn nodes(&self, nodes: &Nodes) -> usize {
        let mut count = 0;
        let mut number = self.rest;
        while number & NODE != 0 {
            count += 1;
            number = nodes.at(number).next;
        }
        count
    }

    /// Calls `visit` with each slot.
    pub(super) fn each(&self, nodes: &Nodes, mut visit: impl FnMut(u32)) {
        if !self.is_empty() {
            visit(self.first);
        }
        let mut number = self.rest;
        if number & NODE == 0 {
            if number != 0 {
                visit(number);
            }
            return;
        }
        while number & NODE != 0 {
            let node = nodes.at(number);
            node.items.iter().filter(|&&item| item != 0).for_each(|&item| visit(item));
            number = node.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn listed(refs: &Refs, nodes: &Nodes) -> Vec<u32> {
        let mut all = Vec::new();
        refs.each(nodes, |slot| all.push(slot));
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn a_list_is_the_slots_that_were_added_and_not_removed(
            steps in prop::collection::vec((any::<bool>(), 1_u32..40), 1..200),
        ) {
            let mut nodes = Nodes::new(64);
            let (mut refs, mut model) = (Refs::EMPTY, Vec::new());
            for (add, slot) in steps {
                if add {
                    refs.add(&mut nodes, slot);
                    model.push(slot);
                } else if let Some(place) = model.iter().position(|&item| item == slot) {
                    model.swap_remove(place);
                    refs.remove(&mut nodes, slot);
                }
                model.sort_unstable();
                prop_assert_eq!(&listed(&refs, &nodes), &model);
                prop_assert_eq!(refs.is_empty(), model.is_empty());
                prop_assert_eq!(refs.only() == Only::Several, model.len() > 1);
            }
            while let Some(slot) = refs.any() {
                refs.remove(&mut nodes, slot);
            }
            prop_assert_eq!(nodes.available(), 64);
        }
    }
}
