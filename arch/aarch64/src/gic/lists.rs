//! The list registers and the rest of the virtual CPU interface's control.
//!
//! Arm IHI 0069, "AArch64 System register descriptions of the virtual registers". The layout is that
//! of `ICH_LR<n>_EL2`; all sixteen are alike.

use aarch64_cpu::registers::{
    ICH_AP0R0_EL2, ICH_AP1R0_EL2, ICH_HCR_EL2, ICH_LR0_EL2, ICH_LR1_EL2, ICH_LR2_EL2, ICH_LR3_EL2,
    ICH_LR4_EL2, ICH_LR5_EL2, ICH_LR6_EL2, ICH_LR7_EL2, ICH_LR8_EL2, ICH_LR9_EL2, ICH_LR10_EL2,
    ICH_LR11_EL2, ICH_LR12_EL2, ICH_LR13_EL2, ICH_LR14_EL2, ICH_LR15_EL2, ICH_VMCR_EL2,
    ICH_VTR_EL2, ReadWriteable, Readable, Writeable,
};
use arch::irq::{Entry, Group, Origin, State};
use core::arch::asm;

/// The contents of a list register that holds nothing.
pub(super) const EMPTY: u64 = 0;

/// A field of `ICH_LR<n>_EL2`.
#[derive(Clone, Copy)]
struct Field {
    /// Its lowest bit.
    shift: u32,
    /// Its width in bits.
    width: u32,
}

impl Field {
    /// The field's value in `register`.
    const fn of(self, register: u64) -> u64 {
        register >> self.shift & self.mask()
    }

    /// A register with nothing but `value` in the field.
    const fn with(self, value: u64) -> u64 {
        (value & self.mask()) << self.shift
    }

    /// As many ones as the field is wide.
    const fn mask(self) -> u64 {
        (1 << self.width) - 1
    }
}

/// `vINTID`.
const VIRTUAL: Field = Field { shift: 0, width: 32 };
/// `pINTID`, if `HW` is set.
const PHYSICAL: Field = Field { shift: 32, width: 13 };
/// `EOI`, if `HW` is clear: a maintenance interrupt at the end.
const NOTIFY: Field = Field { shift: 41, width: 1 };
/// `Priority`.
const PRIORITY: Field = Field { shift: 48, width: 8 };
/// `Group`.
const GROUP: Field = Field { shift: 60, width: 1 };
/// `HW`: a physical interrupt stands behind it.
const HARDWARE: Field = Field { shift: 61, width: 1 };
/// `State`.
const STATE: Field = Field { shift: 62, width: 2 };

/// A list register's contents for `entry`.
#[inline]
pub(super) const fn encode(entry: Entry) -> u64 {
    let state = match entry.state {
        State::Ended => return EMPTY,
        State::Pending => 0b01,
        State::Active => 0b10,
        State::PendingAndActive => 0b11,
    };
    let group = match entry.group {
        Group::Zero => 0,
        Group::One => 1,
    };
    let origin = match entry.origin {
        Origin::Software { notify } => NOTIFY.with(notify as u64),
        Origin::Physical(intid) => HARDWARE.with(1) | PHYSICAL.with(intid as u64),
    };
    STATE.with(state)
        | GROUP.with(group)
        | PRIORITY.with(entry.priority as u64)
        | VIRTUAL.with(entry.intid as u64)
        | origin
}

/// What a list register's contents mean.
#[inline]
pub(super) const fn decode(register: u64) -> Entry {
    let state = match STATE.of(register) {
        0b00 => State::Ended,
        0b01 => State::Pending,
        0b10 => State::Active,
        _ => State::PendingAndActive,
    };
    let origin = if HARDWARE.of(register) == 0 {
        Origin::Software { notify: NOTIFY.of(register) != 0 }
    } else {
        Origin::Physical(PHYSICAL.of(register) as u32)
    };
    let group = if GROUP.of(register) == 0 { Group::Zero } else { Group::One };
    Entry {
        intid: VIRTUAL.of(register) as u32,
        priority: PRIORITY.of(register) as u8,
        group,
        state,
        origin,
    }
}

/// A bit for each list register that exists: `ICH_VTR_EL2.ListRegs` is their number less one.
pub(super) fn present() -> u32 {
    /// The most that the architecture's encoding of `ICH_LR<n>_EL2` has room for.
    const MOST: u64 = 16;
    let number = (ICH_VTR_EL2.read(ICH_VTR_EL2::ListRegs) + 1).min(MOST);
    (1 << number) - 1
}

/// Empties the virtual CPU interface, in which everything is masked then, as at reset, and turns it
/// on. `present` as the function of this name.
pub(super) fn reset(present: u32) {
    for index in 0..present.count_ones() {
        write(index, EMPTY);
    }
    ICH_AP0R0_EL2.set(0);
    ICH_AP1R0_EL2.set(0);
    ICH_VMCR_EL2.set(0);
    ICH_HCR_EL2.write(ICH_HCR_EL2::En::SET);
}

/// A bit for each list register that holds nothing: `ICH_ELRSR_EL2`.
#[inline]
pub(super) fn empty() -> u32 {
    let status: u64;
    // SAFETY: reads a status register that every CPU with list registers has; this is EL2, as
    // `Gic::new` requires.
    unsafe {
        asm!("mrs {}, ICH_ELRSR_EL2", out(reg) status, options(nomem, nostack, preserves_flags));
    }
    status as u32
}

/// Asks for the underflow maintenance interrupt, or for none.
#[inline]
pub(super) fn notify_underflow(wanted: bool) {
    ICH_HCR_EL2.modify(ICH_HCR_EL2::UIE.val(wanted.into()));
}

/// Defines [`read`] and [`write`] over the registers, which can only be named, not indexed.
macro_rules! list_registers {
    ($($index:literal $register:ident,)*) => {
        /// Reads list register `index`; [`EMPTY`] beyond the last.
        #[inline]
        pub(super) fn read(index: u32) -> u64 {
            match index {
                $($index => $register.get(),)*
                _ => EMPTY,
            }
        }

        /// Writes list register `index`; beyond the last, nothing.
        #[inline]
        pub(super) fn write(index: u32, contents: u64) {
            match index {
                $($index => $register.set(contents),)*
                _ => {}
            }
        }
    };
}

list_registers! {
    0 ICH_LR0_EL2,
    1 ICH_LR1_EL2,
    2 ICH_LR2_EL2,
    3 ICH_LR3_EL2,
    4 ICH_LR4_EL2,
    5 ICH_LR5_EL2,
    6 ICH_LR6_EL2,
    7 ICH_LR7_EL2,
    8 ICH_LR8_EL2,
    9 ICH_LR9_EL2,
    10 ICH_LR10_EL2,
    11 ICH_LR11_EL2,
    12 ICH_LR12_EL2,
    13 ICH_LR13_EL2,
    14 ICH_LR14_EL2,
    15 ICH_LR15_EL2,
}
