//! Firmware calls of an Arm guest: PSCI and the SMC Calling Convention itself.
//!
//! Arm DEN0022, "Power State Coordination Interface"; Arm DEN0028, "SMC Calling Convention".

/// SMCCC_VERSION.
pub const SMCCC_VERSION: u64 = 0x8000_0000;
/// PSCI_VERSION.
pub const VERSION: u64 = 0x8400_0000;
/// CPU_SUSPEND, in its two widths.
pub const CPU_SUSPEND: [u64; 2] = [0x8400_0001, 0xc400_0001];
/// CPU_OFF.
pub const CPU_OFF: u64 = 0x8400_0002;
/// CPU_ON, in its two widths.
pub const CPU_ON: [u64; 2] = [0x8400_0003, 0xc400_0003];
/// AFFINITY_INFO, in its two widths.
pub const AFFINITY_INFO: [u64; 2] = [0x8400_0004, 0xc400_0004];
/// MIGRATE_INFO_TYPE.
pub const MIGRATE_INFO_TYPE: u64 = 0x8400_0006;
/// SYSTEM_OFF.
pub const SYSTEM_OFF: u64 = 0x8400_0008;
/// SYSTEM_RESET.
pub const SYSTEM_RESET: u64 = 0x8400_0009;
/// PSCI_FEATURES.
pub const FEATURES: u64 = 0x8400_000a;

/// Version 1.1 of either: the major number in the upper half.
const VERSION_1_1: u64 = 1 << 16 | 1;
/// INVALID_PARAMETERS.
const INVALID_PARAMETERS: u64 = -2_i64 as u64;
/// ALREADY_ON.
const ALREADY_ON: u64 = -4_i64 as u64;
/// DENIED.
const DENIED: u64 = -3_i64 as u64;
/// MIGRATE_INFO_TYPE: there is no trusted OS to migrate.
const NOTHING_TO_MIGRATE: u64 = 2;

/// What a firmware call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest goes on, with this result.
    Result(u64),
    /// The guest turned its machine off, or asked for a restart, which ends it too.
    Off,
}

/// The firmware call `id` with its first argument, on a machine with one CPU.
#[must_use]
pub fn call(id: u64, argument: u64) -> Option<Outcome> {
    let id = u64::from(id as u32);
    Some(Outcome::Result(match id {
        SMCCC_VERSION | VERSION => VERSION_1_1,
        // The one CPU that there is has affinity 0; it waits at its next WFI, or not at all.
        _ if CPU_SUSPEND.contains(&id) => hv_abi::call::SUCCESS,
        CPU_OFF => DENIED,
        _ if CPU_ON.contains(&id) => {
            if argument == 0 {
                ALREADY_ON
            } else {
                INVALID_PARAMETERS
            }
        }
        _ if AFFINITY_INFO.contains(&id) => {
            if argument == 0 {
                hv_abi::call::SUCCESS
            } else {
                INVALID_PARAMETERS
            }
        }
        MIGRATE_INFO_TYPE => NOTHING_TO_MIGRATE,
        FEATURES if is_known(argument) => hv_abi::call::SUCCESS,
        SYSTEM_OFF | SYSTEM_RESET => return Some(Outcome::Off),
        FEATURES => hv_abi::call::NOT_SUPPORTED,
        _ => return None,
    }))
}

/// Whether [`call`] knows the function.
fn is_known(id: u64) -> bool {
    let id = u64::from(id as u32);
    let single =
        [SMCCC_VERSION, VERSION, CPU_OFF, MIGRATE_INFO_TYPE, SYSTEM_OFF, SYSTEM_RESET, FEATURES];
    single.contains(&id)
        || CPU_SUSPEND.contains(&id)
        || CPU_ON.contains(&id)
        || AFFINITY_INFO.contains(&id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_of_one_cpu_answers_as_such() {
        let result = |id, argument| call(id, argument);
        assert_eq!(result(VERSION, 0), Some(Outcome::Result(0x1_0001)));
        assert_eq!(result(CPU_ON[1], 0), Some(Outcome::Result(ALREADY_ON)));
        assert_eq!(result(CPU_ON[1], 1), Some(Outcome::Result(INVALID_PARAMETERS)));
        assert_eq!(result(FEATURES, SYSTEM_OFF), Some(Outcome::Result(0)));
        assert_eq!(result(FEATURES, 0x8400_0005), Some(Outcome::Result(u64::MAX)));
        assert_eq!(result(SYSTEM_OFF, 0), Some(Outcome::Off));
        assert_eq!(result(0x8400_0fff, 0), None);
        assert_eq!(result(0xc600_ffff, 0), None);
    }
}
