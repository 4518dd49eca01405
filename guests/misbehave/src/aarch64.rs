//! What only Arm can be asked for.

pub(crate) mod addresses;
mod processor;

use crate::Deed;

/// See the modules.
pub(crate) const DEEDS: &[Deed] = &[
    ("smc", processor::smc),
    ("garbage", processor::garbage),
    ("fault-loop", processor::fault_loop),
    ("sleep", processor::sleep),
    ("privilege", processor::privilege),
    ("granule", processor::granule),
    ("root-beyond", addresses::root_beyond),
    ("device-pair", addresses::device_pair),
    ("device-code", addresses::device_code),
];
