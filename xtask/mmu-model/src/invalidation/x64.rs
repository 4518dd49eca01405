//! What x86-64 makes hardware forget: AMD64 APM vol. 2, "TLB Management" (5.5), "TLB Control" (15.16), and
//! Intel SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches" (4.10.4.1).

use paging::addr::PAGE_SHIFT;

use super::{Invalidation, Span, Tables, untagged};
use crate::owner::{Owner, Owners};

/// INVLPG, or INVLPGA for the machine of its ASID: the page with its global translation, and all that is known
/// of the address space's tables, on the way or not (EFER.TCE clear).
#[must_use]
pub const fn page(owner: Owner, at: u64) -> Invalidation {
    let first = untagged(at) >> PAGE_SHIFT << PAGE_SHIFT;
    Invalidation {
        owners: Owners::one(owner),
        global: true,
        span: Some(Span { first, last: first | ((1 << PAGE_SHIFT) - 1) }),
        stage1: Some(Tables::All),
        stage2: None,
    }
}

/// A load of CR3 that keeps nothing, or INVPCID of one context: an address space without what is global.
#[must_use]
pub const fn space(owner: Owner) -> Invalidation {
    Invalidation::space(owner)
}

/// A change of CR0.PG or of CR4's PGE, PCIDE, SMEP and PAE: everything of a machine.
#[must_use]
pub const fn machine(vm: u16) -> Invalidation {
    Invalidation::stage1_of(Owners::machine_of(Owner::space(vm, 0)))
}

/// Everything of a machine but what is global.
#[must_use]
const fn machine_without_global(vm: u16) -> Invalidation {
    Invalidation { global: false, ..machine(vm) }
}

/// INVPCID of a type, with the words of its descriptor.
#[must_use]
pub const fn invpcid(kind: u64, [pcid, at]: [u64; 2], vm: u16) -> Option<Invalidation> {
    /// Bits of a PCID.
    const PCID: u64 = 0xfff;
    let owner = Owner::space(vm, (pcid & PCID) as u16);
    match kind {
        0 => Some(Invalidation { global: false, ..page(owner, at) }),
        1 => Some(space(owner)),
        2 => Some(machine(vm)),
        3 => Some(machine_without_global(vm)),
        _ => None,
    }
}

/// TLB_CONTROL of a VMCB, at VMRUN.
#[must_use]
pub const fn tlb_control(control: u8, vm: u16) -> Option<Invalidation> {
    match control {
        1 => Some(Invalidation::EVERYTHING),
        3 => Some(Invalidation { stage2: Some(Tables::All), ..machine(vm) }),
        7 => Some(Invalidation { stage2: Some(Tables::All), ..machine_without_global(vm) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Kind;
    use crate::cache::tests::known;

    #[test]
    fn a_page_takes_its_pieces_and_all_tables() {
        let owner = Owner::space(1, 0);
        let (one, global) = (Owners::one(owner), Owners::machine_of(owner));
        let what = page(owner, 0x20_1234);
        assert!(what.concerns(&known(Kind::Translation, one, 0x20_1000, 12)));
        assert!(what.concerns(&known(Kind::Translation, global, 0x3f_f000, 21)));
        assert!(what.concerns(&known(Kind::Stage1Table, one, 0x7000_0000, 30)));
        assert!(!what.concerns(&known(Kind::Translation, one, 0x20_2000, 12)));
        assert!(!what.concerns(&known(
            Kind::Translation,
            Owners::one(Owner::space(2, 0)),
            0x20_1000,
            12
        )));
        assert!(!what.concerns(&known(Kind::Ipa, global, 0x20_1000, 12)));
    }

    #[test]
    fn what_is_global_outlives_a_load_of_cr3_and_no_change_of_paging() {
        let owner = Owner::space(0, 0);
        let global = known(Kind::Translation, Owners::machine_of(owner), 0, 12);
        let own = known(Kind::Translation, Owners::one(owner), 0, 12);
        assert!(space(owner).concerns(&own) && !space(owner).concerns(&global));
        assert!(machine(0).concerns(&own) && machine(0).concerns(&global));
        let invpcid = |kind| invpcid(kind, [0, 0], 0);
        assert!(invpcid(2).is_some_and(|what| what.concerns(&global)));
        assert!(invpcid(3).is_some_and(|what| what.concerns(&own) && !what.concerns(&global)));
        assert!(invpcid(0).is_some_and(|what| what.concerns(&own) && !what.concerns(&global)));
        assert_eq!(invpcid(4), None);
    }

    #[test]
    fn a_vmrun_forgets_what_its_vmcb_says() {
        let of = |vm| known(Kind::Ipa, Owners::machine_of(Owner::space(vm, 0)), 0, 12);
        assert_eq!(tlb_control(0, 1), None);
        assert!(
            tlb_control(1, 1).is_some_and(|what| what.concerns(&of(1)) && what.concerns(&of(2)))
        );
        assert!(
            tlb_control(3, 1).is_some_and(|what| what.concerns(&of(1)) && !what.concerns(&of(2)))
        );
    }
}
