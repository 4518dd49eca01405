//! The guest-state area of a guest that is about to begin.
//!
//! Intel SDM vol. 3, "Guest-State Area" (25.4), "Checks on the Guest State Area" (27.3.1).

use super::vmcs::Guest;

bitflags::bitflags! {
    /// A segment's access rights, beside its type and its privilege.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Rights: u64 {
        /// Type: the segment has been used.
        const ACCESSED = 1 << 0;
        /// Type: data can be written, code be read.
        const WRITABLE_OR_READABLE = 1 << 1;
        /// Type: it is code.
        const CODE = 1 << 3;
        /// It is code or data.
        const NOT_SYSTEM = 1 << 4;
        /// It is present.
        const PRESENT = 1 << 7;
        /// Code is of 64-bit mode.
        const LONG = 1 << 13;
        /// Code is of 32 bits, or the stack.
        const DEFAULT_BIG = 1 << 14;
        /// The limit counts pages.
        const GRANULARITY = 1 << 15;
        /// There is no segment.
        const UNUSABLE = 1 << 16;
    }
}

impl Rights {
    /// Where the privilege begins, which has two bits.
    pub(super) const PRIVILEGE_SHIFT: u32 = 5;

    /// All that can be addressed with 32 bits.
    const FLAT: Self = Self::ACCESSED
        .union(Self::WRITABLE_OR_READABLE)
        .union(Self::NOT_SYSTEM)
        .union(Self::PRESENT)
        .union(Self::DEFAULT_BIG)
        .union(Self::GRANULARITY);

    /// A task state segment that is in use: type 11.
    const TASK: Self =
        Self::ACCESSED.union(Self::WRITABLE_OR_READABLE).union(Self::CODE).union(Self::PRESENT);
}

/// The limit of a flat segment.
const FLAT_LIMIT: u64 = u32::MAX as u64;
/// The limit of a 32-bit task state segment without a map of ports.
const TASK_LIMIT: u64 = 103;
/// A selector of code that the guest's table may or may not have.
const CODE: u64 = 1 << 3;
/// The same of data.
const DATA: u64 = 2 << 3;

/// RFLAGS with nothing set: bit 1 always is.
const RFLAGS_AT_RESET: u64 = 1 << 1;
/// DR7 with nothing set: bit 10 always is.
const DR7_AT_RESET: u64 = 1 << 10;

/// Fills the area with 32-bit protected mode, flat segments, and `entry` as the next instruction. What
/// belongs to paging is left out.
pub(super) fn fill(entry: u32) {
    let code = Rights::FLAT | Rights::CODE;
    let segments = [
        (Guest::CsSelector, CODE, Guest::CsLimit, Guest::CsRights, code),
        (Guest::SsSelector, DATA, Guest::SsLimit, Guest::SsRights, Rights::FLAT),
        (Guest::DsSelector, DATA, Guest::DsLimit, Guest::DsRights, Rights::FLAT),
        (Guest::EsSelector, DATA, Guest::EsLimit, Guest::EsRights, Rights::FLAT),
        (Guest::FsSelector, DATA, Guest::FsLimit, Guest::FsRights, Rights::FLAT),
        (Guest::GsSelector, DATA, Guest::GsLimit, Guest::GsRights, Rights::FLAT),
    ];
    for (selector, value, limit, rights, kind) in segments {
        selector.write(value);
        limit.write(FLAT_LIMIT);
        rights.write(kind.bits());
    }
    let fields = [
        (Guest::EsBase, 0),
        (Guest::CsBase, 0),
        (Guest::SsBase, 0),
        (Guest::DsBase, 0),
        (Guest::FsBase, 0),
        (Guest::GsBase, 0),
        (Guest::LdtrSelector, 0),
        (Guest::LdtrBase, 0),
        (Guest::LdtrLimit, 0),
        (Guest::LdtrRights, Rights::UNUSABLE.bits()),
        (Guest::TrSelector, 0),
        (Guest::TrBase, 0),
        (Guest::TrLimit, TASK_LIMIT),
        (Guest::TrRights, Rights::TASK.bits()),
        (Guest::GdtrBase, 0),
        (Guest::GdtrLimit, 0),
        (Guest::IdtrBase, 0),
        (Guest::IdtrLimit, 0),
        (Guest::Rip, entry.into()),
        (Guest::Rsp, 0),
        (Guest::Rflags, RFLAGS_AT_RESET),
        (Guest::Dr7, DR7_AT_RESET),
        (Guest::DebugControl, 0),
        (Guest::PendingDebug, 0),
        (Guest::Activity, 0),
        (Guest::Interruptibility, 0),
        (Guest::SysenterCs, 0),
        (Guest::SysenterEsp, 0),
        (Guest::SysenterEip, 0),
        (Guest::EntryInterruption, 0),
    ];
    for (field, value) in fields {
        field.write(value);
    }
}
