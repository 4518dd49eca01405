//! The registers, as the guest sees them: 32 bits each, on multiples of 16 bytes.
//!
//! Intel SDM vol. 3, "The Local APIC Block Diagram", the table of the register address map. An access
//! of another width or place is undefined there; here it reads as zero and writes nothing.

use arch::apic::HostApic;

use super::local::ENTRIES;
use super::{Errors, Lapic, VERSION};
use crate::device::Width;

/// APIC ID.
const ID: u64 = 0x020;
/// Version.
const VERSION_REGISTER: u64 = 0x030;
/// TPR: task priority.
const TPR: u64 = 0x080;
/// APR: arbitration priority, which means nothing where there is no APIC bus.
const APR: u64 = 0x090;
/// PPR: processor priority.
const PPR: u64 = 0x0a0;
/// EOI: end of interrupt.
const EOI: u64 = 0x0b0;
/// RRD: remote read, which means nothing either.
const RRD: u64 = 0x0c0;
/// LDR: logical destination.
const LDR: u64 = 0x0d0;
/// DFR: destination format.
const DFR: u64 = 0x0e0;
/// SVR: spurious-interrupt vector.
const SVR: u64 = 0x0f0;
/// ISR: vectors in service, eight words.
const ISR: u64 = 0x100;
/// The last word of ISR.
const ISR_LAST: u64 = 0x170;
/// TMR: which vectors are level-triggered, eight words.
const TMR: u64 = 0x180;
/// The last word of TMR.
const TMR_LAST: u64 = 0x1f0;
/// IRR: vectors requested, eight words.
const IRR: u64 = 0x200;
/// The last word of IRR.
const IRR_LAST: u64 = 0x270;
/// ESR: error status.
const ESR: u64 = 0x280;
/// ICR: interrupt command, its lower half.
const ICR_LOW: u64 = 0x300;
/// ICR: interrupt command, its upper half.
const ICR_HIGH: u64 = 0x310;
/// The local vector table: the timer is its first entry.
const LVT: u64 = 0x320;
/// The local vector table's last entry.
const LVT_LAST: u64 = 0x370;
/// The timer's initial count.
const INITIAL_COUNT: u64 = 0x380;
/// The timer's current count.
const CURRENT_COUNT: u64 = 0x390;
/// The timer's divide configuration.
const DIVIDE: u64 = 0x3e0;

/// Registers stand on multiples of this, log2.
const STRIDE_SHIFT: u32 = 4;

/// The logical or physical destination, in LDR and in the upper half of ICR.
const DESTINATION: u32 = 0xff << 24;
/// The model in DFR. The bits below are ones.
const MODEL: u32 = 0xf << 28;
/// DFR after reset: the flat model.
pub(super) const DFR_RESET: u32 = u32::MAX;

const _: () = assert!((LVT_LAST - LVT) >> STRIDE_SHIFT == ENTRIES as u64 - 1);

impl Lapic {
    /// The guest reads.
    pub fn read(&mut self, offset: u64, width: Width, cpu: &impl HostApic) -> u64 {
        if !is_register(offset, width) {
            return 0;
        }
        let value = match offset {
            ID | APR | EOI | RRD => 0,
            VERSION_REGISTER => VERSION,
            TPR => self.task_priority.into(),
            PPR => self.processor_priority().into(),
            LDR => self.logical,
            DFR => self.format,
            SVR => self.spurious.bits(),
            ISR..=ISR_LAST => self.in_service.word(index(offset, ISR)),
            TMR..=TMR_LAST => 0,
            IRR..=IRR_LAST => self.requested.word(index(offset, IRR)),
            ESR => self.errors.bits(),
            ICR_LOW => self.command[0],
            ICR_HIGH => self.command[1],
            LVT..=LVT_LAST => self.local.read(index(offset, LVT)),
            INITIAL_COUNT => self.timer.initial(),
            CURRENT_COUNT => self.timer.current(cpu),
            DIVIDE => self.timer.divide(),
            _ => {
                self.error(Errors::ILLEGAL_REGISTER);
                0
            }
        };
        value.into()
    }

    /// The guest writes.
    pub fn write(&mut self, offset: u64, width: Width, value: u64, cpu: &mut impl HostApic) {
        if !is_register(offset, width) {
            return;
        }
        let value = (value & width.mask()) as u32;
        let [lowest, ..] = value.to_le_bytes();
        match offset {
            EOI => self.end(),
            TPR => self.set_task_priority(lowest),
            INITIAL_COUNT => self.timer.start(value, self.local.timer_mode(), cpu),
            ICR_LOW => self.send(value),
            ICR_HIGH => self.command[1] = value & DESTINATION,
            LVT..=LVT_LAST => self.local.write(index(offset, LVT), value, self.is_on()),
            DIVIDE => self.timer.set_divide(value, cpu),
            SVR => self.set_spurious(value),
            LDR => self.logical = value & DESTINATION,
            DFR => self.format = value | !MODEL,
            ESR => {
                self.errors = self.new_errors;
                self.new_errors = Errors::empty();
            }
            ID | VERSION_REGISTER | APR | PPR | RRD | CURRENT_COUNT => {}
            ISR..=ISR_LAST | TMR..=TMR_LAST | IRR..=IRR_LAST => {}
            _ => self.error(Errors::ILLEGAL_REGISTER),
        }
    }

    /// Whether logical destinations are those of the flat model.
    pub(super) const fn is_flat(&self) -> bool {
        self.format & MODEL == MODEL
    }
}

/// Whether an access can reach a register at all.
const fn is_register(offset: u64, width: Width) -> bool {
    offset.trailing_zeros() >= STRIDE_SHIFT && matches!(width, Width::Word)
}

/// Which of the registers that begin at `first` stands at `offset`.
const fn index(offset: u64, first: u64) -> usize {
    offset.wrapping_sub(first).wrapping_shr(STRIDE_SHIFT) as usize
}
