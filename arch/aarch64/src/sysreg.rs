//! Trapped accesses to system registers: which register, and what becomes of those that are the same in
//! both modes.

use aarch64_cpu::registers::{
    AFSR0_EL1, AFSR1_EL1, AMAIR_EL1, CONTEXTIDR_EL1, ESR_EL1, FAR_EL1, MAIR_EL1, Readable,
    Writeable,
};
use arch::Register;
use arch::irq::Group;

use crate::exit::{Class, Syndrome};
use crate::feature;
use crate::vcpu::Context;

/// A register or system instruction: op0, op1, CRn, CRm, op2.
pub type Encoding = (u8, u8, u8, u8, u8);

/// SCTLR_EL1.
pub const SCTLR: Encoding = (3, 0, 1, 0, 0);
/// TTBR0_EL1.
pub const TTBR0: Encoding = (3, 0, 2, 0, 0);
/// TTBR1_EL1.
pub const TTBR1: Encoding = (3, 0, 2, 0, 1);
/// TCR_EL1.
pub const TCR: Encoding = (3, 0, 2, 0, 2);
/// ICC_SGI1R_EL1.
const SGI1R: Encoding = (3, 0, 12, 11, 5);
/// ICC_SGI0R_EL1.
const SGI0R: Encoding = (3, 0, 12, 11, 7);
/// ICC_ASGI1R_EL1, which generates for the other security state: nobody.
const ASGI1R: Encoding = (3, 0, 12, 11, 6);

/// An access to a system register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Which.
    pub encoding: Encoding,
    /// Whether it is read: MRS.
    pub read: bool,
    /// The general-purpose register.
    pub register: u8,
}

impl Access {
    /// The access at hand, unless what trapped is none.
    #[must_use]
    pub fn current() -> Option<Self> {
        let syndrome = Syndrome::current();
        let field = |shift: u32, mask: u64| (syndrome.bits() >> shift & mask) as u8;
        // "ISS encoding for an exception from MSR, MRS, or System instruction execution".
        (syndrome.class() == Class::SYSTEM_REGISTER).then(|| Self {
            encoding: (
                field(20, 0b11),
                field(14, 0b111),
                field(10, 0b1111),
                field(1, 0b1111),
                field(17, 0b111),
            ),
            read: field(0, 1) == 1,
            register: field(5, 0b1_1111),
        })
    }
}

/// Emulates what is the same in both modes. `shadow` tells which ID registers the guest sees.
pub fn emulate(context: &mut Context, access: Access, shadow: bool) -> Register {
    let value = context.register(access.register);
    match (access.encoding, access.read) {
        ((3, 0, 0, crm @ 1..=7, op2), true) => {
            context.set_register(access.register, feature::guest_id(crm, op2, shadow));
            Register::Done
        }
        (SGI1R, false) => Register::Generate(value, Group::One),
        (SGI0R, false) => Register::Generate(value, Group::Zero),
        (ASGI1R, false) => Register::Done,
        _ => virtual_memory(context, access),
    }
}

/// Registers of EL1 that only the coarse traps catch, and that are the guest's own.
fn virtual_memory(context: &mut Context, access: Access) -> Register {
    let value = context.register(access.register);
    macro_rules! own {
        ($($encoding:pat => $register:ident,)*) => {
            match (access.encoding, access.read) {
                $(
                    ($encoding, true) => context.set_register(access.register, $register.get()),
                    ($encoding, false) => $register.set(value),
                )*
                _ => return Register::Undefined,
            }
        };
    }
    own! {
        (3, 0, 5, 2, 0) => ESR_EL1,
        (3, 0, 5, 1, 0) => AFSR0_EL1,
        (3, 0, 5, 1, 1) => AFSR1_EL1,
        (3, 0, 6, 0, 0) => FAR_EL1,
        (3, 0, 10, 2, 0) => MAIR_EL1,
        (3, 0, 10, 3, 0) => AMAIR_EL1,
        (3, 0, 13, 0, 1) => CONTEXTIDR_EL1,
    }
    Register::Done
}
