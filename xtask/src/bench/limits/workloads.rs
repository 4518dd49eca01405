//! What whole workloads may take, and how what they take may grow.

use super::super::of::Growth;
use super::{
    Bound, Limit, NATIVE, Of, SHADOWS, SHADOWS_ON_VTX, SHADOWS_ON_X86_64, SVM_SHADOW, VIRT_SHADOW,
    most,
};

/// What grows: the work, its rows, and two sizes of what there is of it.
const MAP: Growth = Growth { work: "scale map", row: "map", sizes: ["16", "1024"] };
const TOUCH: Growth = Growth { work: "scale map", row: "touch", sizes: ["16", "1024"] };
const SWITCH: Growth = Growth { work: "scale switch", row: "switch", sizes: ["16", "256"] };

const LIMITS: [Limit; 19] = [
    most("a page of memory-motion, natively", Of::Page, NATIVE, 2000.0, false),
    most("memory-motion, shadow / nested", Of::AgainstNested, &[VIRT_SHADOW], 1.6, false),
    most("memory-motion, shadow / nested", Of::AgainstNested, SHADOWS_ON_VTX, 1.7, false),
    most("memory-motion, shadow / nested", Of::AgainstNested, &[SVM_SHADOW], 2.0, false),
    most("loss of aim9's page test", Of::Loss("page"), SHADOWS, 45.0, false),
    most("loss of aim9's fork test", Of::Loss("fork"), SHADOWS, 55.0, false),
    most("loss of aim9's exec test", Of::Loss("exec"), SHADOWS, 45.0, false),
    most("loss of aim9's brk test", Of::Loss("brk"), SHADOWS, 1.0, false),
    most("loss of aim9's additions", Of::Loss("add-int"), SHADOWS, 1.0, false),
    most("loss of aim9's multiplications", Of::Loss("mul-long"), SHADOWS, 1.0, false),
    most("loss of aim9's calls", Of::Loss("fun-cal"), SHADOWS, 1.0, false),
    most("loss of aim9's calls with arguments", Of::Loss("fun-cal2"), SHADOWS, 1.0, false),
    most("mean fault that fills", Of::Fixed, SHADOWS_ON_X86_64, 700.0, false),
    most("mean store to a table", Of::Emulated, SHADOWS_ON_X86_64, 600.0, false),
    most("fill of one entry more", Of::FillEntry, &[VIRT_SHADOW], 16.0, false),
    Limit {
        name: "2 MiB leaves of 1 GiB",
        of: Of::Blocks,
        places: SHADOWS,
        bound: Bound::AtLeast(500.0),
        mandatory: false,
    },
    most("mapping a page, 1 GiB / 16 MiB", Of::Growth(MAP), SHADOWS, 1.1, true),
    most("touching a page, 1 GiB / 16 MiB", Of::Growth(TOUCH), SHADOWS, 1.1, true),
    most("switch, 256 spaces / 16", Of::Growth(SWITCH), SHADOWS, 1.1, true),
];

/// The limits of all machines.
pub(super) fn limits() -> impl Iterator<Item = Limit> {
    LIMITS.into_iter()
}
