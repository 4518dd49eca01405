//! IPIs: what the interrupt command register asks for.
//!
//! Intel SDM vol. 3, "Issuing Interprocessor Interrupts". There is one CPU, so an IPI reaches it or
//! nobody, and is gone at once: the delivery status is always idle.

use bitflags::bitflags;

use super::{Errors, FIRST_LEGAL, Lapic};

bitflags! {
    /// The lower half of ICR.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Command: u32 {
        /// Which vector.
        const VECTOR = 0xff;
        /// As what it is delivered: 0 is fixed.
        const DELIVERY = 0b111 << 8;
        /// [`Command::DELIVERY`]: to whom of the destinations has the lowest priority.
        const LOWEST = 0b001 << 8;
        /// The destination is a logical one.
        const LOGICAL = 1 << 11;
        /// The level is asserted.
        const ASSERT = 1 << 14;
        /// Level-triggered.
        const LEVEL = 1 << 15;
        /// Who gets it, without a destination: 0 is nobody.
        const SHORTHAND = 0b11 << 18;
        /// [`Command::SHORTHAND`]: the sender.
        const SELF = 0b01 << 18;
        /// [`Command::SHORTHAND`]: all, the sender too.
        const ALL = 0b10 << 18;
    }
}

/// The physical destination of all.
const BROADCAST: u8 = u8::MAX;
/// The APIC ID of the one CPU.
const ID: u8 = 0;
/// The logical destination of every cluster.
const EVERY_CLUSTER: u8 = 0xf;

impl Lapic {
    /// Writes the lower half of ICR, which sends.
    pub(super) fn send(&mut self, value: u32) {
        let command = Command::from_bits_truncate(value);
        let [low, high] = &mut self.command;
        *low = command.bits();
        let [.., destination] = high.to_le_bytes();
        let delivery = command & Command::DELIVERY;
        if !(delivery.is_empty() || delivery == Command::LOWEST) {
            return;
        }
        let [vector, ..] = low.to_le_bytes();
        if vector < FIRST_LEGAL {
            self.error(Errors::SEND_ILLEGAL_VECTOR);
        } else if self.is_addressed(command, destination) {
            self.request(vector);
        }
    }

    /// Whether `command` goes to the one CPU.
    fn is_addressed(&self, command: Command, destination: u8) -> bool {
        let shorthand = command & Command::SHORTHAND;
        if !shorthand.is_empty() {
            return shorthand == Command::SELF || shorthand == Command::ALL;
        }
        if !command.contains(Command::LOGICAL) {
            return destination == ID || destination == BROADCAST;
        }
        let [.., logical] = self.logical.to_le_bytes();
        if self.is_flat() {
            return destination & logical != 0;
        }
        let cluster = destination >> 4;
        (cluster == logical >> 4 || cluster == EVERY_CLUSTER) && destination & logical & 0xf != 0
    }
}
