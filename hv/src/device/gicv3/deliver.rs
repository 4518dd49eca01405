//! What stands in the list registers.

use super::words::{Ones, WORDS, Words, bit, index};
use super::{Gic, LINKED, is_linked};
use arch::irq::{Entry, Group, ListRegisters, Origin, PhysicalInterrupts, State};

impl Gic {
    /// Brings the list registers in line. To be called before each entry of the guest.
    #[inline]
    pub fn flush(&mut self, lists: &mut impl ListRegisters) {
        if self.changed {
            self.recall(lists);
            self.hand_out(lists);
        }
    }

    /// The interrupts of `word` that are pending and not in a list register.
    pub(super) fn pending(&self, word: usize) -> u32 {
        self.latch.word(word) | self.line.word(word) & !self.edge.word(word)
    }

    /// The interrupts of `word` that could be delivered if they were pending.
    pub(super) fn deliverable(&self, word: usize) -> u32 {
        let group = self.group.word(word);
        let grouped = group & self.group1 | !group & self.group0;
        self.enabled.word(word) & grouped & !self.active.word(word)
    }

    /// Takes back every pending interrupt from the list registers. What is left there is active.
    pub(super) fn recall(&mut self, lists: &mut impl ListRegisters) {
        for register in in_use(lists) {
            let entry = lists.read(register);
            match entry.state {
                State::Active => {}
                State::Ended => lists.write(register, None),
                State::Pending => {
                    self.take_back(&entry);
                    lists.write(register, None);
                }
                State::PendingAndActive => {
                    self.take_back(&entry);
                    lists.write(register, Some(Entry { state: State::Active, ..entry }));
                }
            }
        }
        self.handed = Words::NONE;
    }

    /// Makes the interrupt of a list register pending here again. A level that is still high is so
    /// anyway.
    fn take_back(&mut self, entry: &Entry) {
        if self.handed.contains(entry.intid) {
            self.latch.set(entry.intid, true);
        }
        if let Origin::Physical(intid) = entry.origin {
            self.line.set(intid, true);
        }
    }

    /// Fills the list registers, which hold active interrupts only, in order of priority.
    pub(super) fn hand_out(&mut self, lists: &mut impl ListRegisters) {
        self.changed = false;
        let resident = self.renew_active(lists);
        let mut waiting = [0; WORDS];
        for (word, bits) in waiting.iter_mut().enumerate() {
            *bits = self.pending(word) & self.deliverable(word) & !resident.word(word);
        }
        for register in Ones(lists.empty()) {
            let Some(intid) = self.most_urgent(&waiting) else { break };
            lists.write(register, Some(self.hand(intid)));
            if let Some(bits) = waiting.get_mut(index(intid)) {
                *bits &= !bit(intid);
            }
        }
        let overflow = waiting.iter().any(|bits| *bits != 0);
        if overflow != self.underflow {
            self.underflow = overflow;
            lists.notify_underflow(overflow);
        }
    }

    /// Goes through the active interrupts in list registers: one that is pending anew is made so
    /// there, one whose line is high asks to be told of its end. Returns them all.
    fn renew_active(&mut self, lists: &mut impl ListRegisters) -> Words {
        let mut resident = Words::NONE;
        for register in in_use(lists) {
            let entry = lists.read(register);
            let intid = entry.intid;
            resident.set(intid, true);
            let latched =
                self.latch.word(index(intid)) & self.deliverable(index(intid)) & bit(intid) != 0;
            let Origin::Software { .. } = entry.origin else {
                // The guest's end of a physical interrupt is not announced: look again at each exit.
                self.changed |= latched;
                continue;
            };
            let state = if latched {
                self.latch.set(intid, false);
                self.handed.set(intid, true);
                State::PendingAndActive
            } else {
                State::Active
            };
            let renewed = Entry { state, origin: self.software(intid), ..entry };
            if renewed != entry {
                lists.write(register, Some(renewed));
            }
        }
        resident
    }

    /// Turns the pending interrupt `intid` into the contents of a list register.
    #[inline]
    pub(super) fn hand(&mut self, intid: u32) -> Entry {
        let origin = if is_linked(intid) && self.line.contains(intid) {
            self.line.set(intid, false);
            Origin::Physical(intid)
        } else {
            self.software(intid)
        };
        if self.latch.contains(intid) {
            self.latch.set(intid, false);
            self.handed.set(intid, true);
        }
        let group = if self.group.contains(intid) { Group::One } else { Group::Zero };
        Entry { intid, priority: self.priority_of(intid), group, state: State::Pending, origin }
    }

    /// The origin of an interrupt that no physical one stands behind: its end matters if its line
    /// is high.
    fn software(&self, intid: u32) -> Origin {
        Origin::Software { notify: self.line.contains(intid) && !self.edge.contains(intid) }
    }

    /// The interrupt of the highest priority, and of those the lowest INTID.
    fn most_urgent(&self, waiting: &[u32; WORDS]) -> Option<u32> {
        let mut best: Option<(u8, u32)> = None;
        let mut base = 0_u32;
        for word in waiting {
            for position in Ones(*word) {
                let intid = base | position;
                let priority = self.priority_of(intid);
                if best.is_none_or(|(highest, _)| priority < highest) {
                    best = Some((priority, intid));
                }
            }
            base = base.wrapping_add(u32::BITS);
        }
        best.map(|(_, intid)| intid)
    }

    /// The priority of `intid`.
    fn priority_of(&self, intid: u32) -> u8 {
        self.priority.get(intid as usize).copied().unwrap_or(u8::MAX)
    }

    /// Makes the physical enables of [`LINKED`] interrupts follow what the guest can be delivered.
    pub(super) fn follow(&mut self, cpu: &mut impl PhysicalInterrupts) {
        let wanted = self.deliverable(0) & LINKED;
        for intid in Ones(wanted ^ self.followed) {
            cpu.set_enabled(intid, wanted & bit(intid) != 0);
        }
        self.followed = wanted;
        self.give_back(!wanted, cpu);
    }

    /// Deactivates those of `private` that are physical, acknowledged and not taken by the guest.
    pub(super) fn give_back(&mut self, private: u32, cpu: &mut impl PhysicalInterrupts) {
        let idle = self.line.word(0) & LINKED & private;
        self.line.remove(0, idle);
        for intid in Ones(idle) {
            cpu.deactivate(intid);
        }
    }
}

/// The interrupts of `word` in list registers, in a state that `wanted` accepts.
pub(super) fn in_state(
    word: usize,
    lists: &impl ListRegisters,
    wanted: impl Fn(State) -> bool,
) -> u32 {
    in_use(lists)
        .map(|register| lists.read(register))
        .filter(|entry| index(entry.intid) == word && wanted(entry.state))
        .fold(0, |bits, entry| bits | bit(entry.intid))
}

/// Ends the active interrupts of `word` in list registers whose bit in `bits` is set.
pub(super) fn deactivate(
    word: usize,
    bits: u32,
    cpu: &mut (impl ListRegisters + PhysicalInterrupts),
) {
    for register in in_use(cpu) {
        let entry = cpu.read(register);
        if index(entry.intid) == word && bits & bit(entry.intid) != 0 {
            cpu.write(register, None);
            if let Origin::Physical(intid) = entry.origin {
                cpu.deactivate(intid);
            }
        }
    }
}

/// The list registers in use, lowest first.
fn in_use<L: ListRegisters>(lists: &L) -> Ones {
    Ones(lists.present() & !lists.empty())
}
