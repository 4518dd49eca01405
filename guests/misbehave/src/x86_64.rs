//! What only x86-64 can be asked for.

pub(crate) mod addresses;
mod paging;
mod ports;
mod processor;
mod stack;
mod state;

use crate::Deed;

/// See the modules.
pub(crate) const DEEDS: &[Deed] = &[
    ("garbage", processor::garbage),
    ("triple-fault", processor::triple_fault),
    ("sleep", processor::sleep),
    ("halt", processor::halt),
    ("reserved-msr", processor::reserved_msr),
    ("virtualize", processor::virtualize),
    ("other-call", processor::other_call),
    ("move-apic", processor::move_apic),
    ("unknown-ports", ports::unknown),
    ("string-output", ports::string_output),
    ("stack-in-table", stack::in_table),
    ("extended-state", state::extended_state),
    ("wild-base", state::wild_base),
    ("root-beyond", addresses::root_beyond),
    ("root-reserved", addresses::root_reserved),
    ("device-wide", addresses::device_wide),
    ("device-code", addresses::device_code),
    ("paging-32", paging::with_32_bits),
    ("paging-pae", paging::with_pae),
    ("paging-5", paging::with_5_levels),
];
