//! Which prefixes an opcode takes.
//!
//! Some are a part of the opcode, which says something else with them or nothing at all; LOCK is for those
//! that read memory and write it.

use crate::prefix::Prefixes;

/// Which prefixes an opcode takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// All.
    Lockable,
    /// All but LOCK.
    Unlocked,
    /// None that could be a part of the opcode.
    NoneMandatory,
    /// 66 as a part of the opcode.
    Only66,
    /// F3 as a part of the opcode.
    OnlyF3,
    /// All but F2 and LOCK.
    String,
    /// None of F2, F3 and LOCK: these make another opcode of it.
    Unrepeated,
    /// Those of MOVSXD: in 64-bit mode, and without 66, with which vendors differ in what is read.
    SignExtension,
    /// Those of PAUSE: F3, and without REX.B, with which decoders differ in whether it is XCHG.
    Pause,
}

/// Which prefixes must be there, and which must not.
#[derive(Clone, Copy)]
struct Check {
    wanted: Prefixes,
    refused: Prefixes,
}

impl Condition {
    /// How many there are.
    const COUNT: usize = Self::Pause as usize + 1;
    /// All of them.
    const ALL: [Self; Self::COUNT] = [
        Self::Lockable,
        Self::Unlocked,
        Self::NoneMandatory,
        Self::Only66,
        Self::OnlyF3,
        Self::String,
        Self::Unrepeated,
        Self::SignExtension,
        Self::Pause,
    ];

    /// What is to be checked.
    const fn check(self) -> Check {
        let none = Prefixes::empty();
        let (wanted, refused) = match self {
            Self::Lockable => return Check { wanted: none, refused: none },
            Self::Unlocked => (none, none),
            Self::NoneMandatory => (none, Prefixes::MANDATORY),
            Self::Only66 => (Prefixes::OPERAND, Prefixes::ANY_REPEAT),
            Self::OnlyF3 => (Prefixes::REPEAT, Prefixes::OPERAND),
            Self::String => (none, Prefixes::REPEAT_NOT_EQUAL),
            Self::Unrepeated => (none, Prefixes::ANY_REPEAT),
            Self::SignExtension => (Prefixes::LONG, Prefixes::OPERAND),
            Self::Pause => (Prefixes::REPEAT, Prefixes::BASE),
        };
        Check { wanted, refused: refused.union(Prefixes::LOCK) }
    }

    /// Whether these prefixes are what it takes.
    #[expect(clippy::indexing_slicing, reason = "there are no more conditions than checks")]
    #[inline(always)]
    pub(crate) fn holds(self, prefixes: Prefixes) -> bool {
        if self == Self::Unlocked {
            return !prefixes.contains(Prefixes::LOCK);
        }
        let Check { wanted, refused } = CHECKS[self as usize];
        prefixes.contains(wanted) && !prefixes.intersects(refused)
    }
}

/// What is to be checked for each condition.
#[expect(clippy::indexing_slicing, reason = "at compile time")]
static CHECKS: [Check; Condition::COUNT] = {
    let mut checks = [Condition::Lockable.check(); Condition::COUNT];
    let mut at = 0;
    while at < Condition::COUNT {
        checks[at] = Condition::ALL[at].check();
        at += 1;
    }
    checks
};
