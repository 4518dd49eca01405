//! Arm's TLB maintenance instructions: Arm DDI 0487, "TLB maintenance instructions" (D8.17.5), and their
//! encodings, "op0 == 0b01, cache maintenance, TLB maintenance, and address translation instructions" (C5.1.3).

use paging::addr::PAGE_SHIFT;

use super::{Invalidation, Span, Tables, untagged};
use crate::owner::{Owner, Owners};

/// The fields of an instruction that say which operation it is; CRn is 8, or 9 where it does not wait for
/// accesses with the XS attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// op1: 0 for EL1's, 4 for EL2's.
    pub op1: u32,
    /// CRm: shareability, and whether a range is meant.
    pub crm: u32,
    /// op2.
    pub op2: u32,
}

/// Where an operand's ASID begins.
const ASID_SHIFT: u32 = 48;
/// Bits of an operand that name a page of a virtual address.
const PAGE_BITS: u32 = 44;
/// The same of an intermediate physical address.
const IPA_PAGE_BITS: u32 = 36;
/// Bits of a range's operand that name its first page.
const BASE_BITS: u32 = 37;
/// Where its NUM, SCALE and TG begin.
const NUM_SHIFT: u32 = 39;
const SCALE_SHIFT: u32 = 44;
const GRANULE_SHIFT: u32 = 46;
/// TG of the 4 KiB granule.
const GRANULE_4K: u64 = 1;

/// Which addresses an operand names.
enum Form {
    Page,
    Range,
}

/// What an operation makes hardware forget, in the machine with the number `vm`. Nothing, if it is not known
/// here: EL3's, a range of another granule.
#[must_use]
pub fn decode(operation: Operation, operand: u64, vm: u16) -> Option<Invalidation> {
    let Operation { op1, crm, op2 } = operation;
    match (op1, crm, op2) {
        (0, 1 | 3 | 7, _) => el1(op2, operand, vm, &Form::Page),
        (0, 2 | 5 | 6, 1 | 3 | 5 | 7) => el1(op2, operand, vm, &Form::Range),
        (4, 1 | 3 | 7, 0) => Some(Invalidation::stage1_of(Owners::HYPERVISOR)),
        (4, 1 | 3 | 7, 1) => address(Owners::HYPERVISOR, operand, false, &Form::Page),
        (4, 1 | 3 | 7, 5) => address(Owners::HYPERVISOR, operand, true, &Form::Page),
        (4, 2 | 5 | 6, 1) => address(Owners::HYPERVISOR, operand, false, &Form::Range),
        (4, 2 | 5 | 6, 5) => address(Owners::HYPERVISOR, operand, true, &Form::Range),
        (4, 1 | 3 | 7, 4) => Some(both_stages(Owners::SPACES)),
        (4, 1 | 3 | 7, 6) => Some(both_stages(Owners::machine_of(Owner::space(vm, 0)))),
        (4, 0, 1) | (4, 4, 0 | 1) => ipa(operand, vm, false, &Form::Page),
        (4, 0, 5) | (4, 4, 4 | 5) => ipa(operand, vm, true, &Form::Page),
        (4, 0, 2) | (4, 4, 2 | 3) => ipa(operand, vm, false, &Form::Range),
        (4, 0, 6) | (4, 4, 6 | 7) => ipa(operand, vm, true, &Form::Range),
        _ => None,
    }
}

/// VMALLE1, VAE1, ASIDE1, VAAE1, VALE1, VAALE1, and those of ranges.
fn el1(op2: u32, operand: u64, vm: u16, form: &Form) -> Option<Invalidation> {
    let space = Owner::space(vm, (operand >> ASID_SHIFT) as u16);
    let machine = Owners::machine_of(space);
    match op2 {
        0 => Some(Invalidation::stage1_of(machine)),
        1 => address(Owners::one(space), operand, false, form),
        2 => Some(Invalidation::space(space)),
        3 => address(machine, operand, false, form),
        5 => address(Owners::one(space), operand, true, form),
        7 => address(machine, operand, true, form),
        _ => None,
    }
}

const fn both_stages(owners: Owners) -> Invalidation {
    Invalidation { stage2: Some(Tables::All), ..Invalidation::stage1_of(owners) }
}

/// Operations by address take global entries along.
fn address(owners: Owners, operand: u64, last: bool, form: &Form) -> Option<Invalidation> {
    let span = span(operand, PAGE_BITS, form)?;
    let tables = if last { Tables::Kept } else { Tables::OnTheWay };
    Some(Invalidation { span: Some(span), stage1: Some(tables), ..Invalidation::stage1_of(owners) })
}

/// What combines both stages stays: "Invalidation of TLB entries from stage 2 translations".
fn ipa(operand: u64, vm: u16, last: bool, form: &Form) -> Option<Invalidation> {
    let span = span(operand, IPA_PAGE_BITS, form)?;
    let tables = if last { Tables::Kept } else { Tables::OnTheWay };
    Some(Invalidation {
        owners: Owners::machine_of(Owner::space(vm, 0)),
        global: true,
        span: Some(span),
        stage1: None,
        stage2: Some(tables),
    })
}

fn span(operand: u64, bits: u32, form: &Form) -> Option<Span> {
    let field = |shift: u32, width: u32| operand >> shift & ((1 << width) - 1);
    match form {
        Form::Page => {
            let first = untagged(field(0, bits) << PAGE_SHIFT);
            Some(Span { first, last: first | ((1 << PAGE_SHIFT) - 1) })
        }
        Form::Range if field(GRANULE_SHIFT, 2) == GRANULE_4K => {
            let unused = u64::BITS - BASE_BITS;
            let page = (field(0, BASE_BITS) << unused) as i64 >> unused;
            let first = untagged((page as u64) << PAGE_SHIFT);
            let pages = (field(NUM_SHIFT, 5) + 1) << (5 * field(SCALE_SHIFT, 2) + 1);
            Some(Span { first, last: first + (pages << PAGE_SHIFT) - 1 })
        }
        Form::Range => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::known;
    use crate::cache::{Kind, Known};

    const VM: u16 = 3;

    fn space(asid: u16) -> Owners {
        Owners::one(Owner::space(VM, asid))
    }

    #[track_caller]
    fn check(operation: (u32, u32, u32), operand: u64, takes: &[Known], leaves: &[Known]) {
        let (op1, crm, op2) = operation;
        let what = decode(Operation { op1, crm, op2 }, operand, VM).unwrap();
        for known in takes {
            assert!(what.concerns(known), "{known:?} stays");
        }
        for known in leaves {
            assert!(!what.concerns(known), "{known:?} goes");
        }
    }

    #[test]
    fn an_address_of_a_space_takes_global_entries_along() {
        let global = Owners::machine_of(Owner::space(VM, 0));
        let elsewhere = Owners::one(Owner::space(VM + 1, 5));
        let page = |owners, at| known(Kind::Translation, owners, at, 12);
        // VAE1IS.
        check(
            (0, 3, 1),
            5 << 48 | 0x7f,
            &[
                page(space(5), 0x7f000),
                page(global, 0x7f123),
                known(Kind::Translation, space(5), 0x1000, 21),
                known(Kind::Stage1Table, space(5), 0x40_0000, 30),
            ],
            &[
                page(space(6), 0x7f000),
                page(space(5), 0x7e000),
                page(elsewhere, 0x7f000),
                page(Owners::HYPERVISOR, 0x7f000),
                known(Kind::Ipa, global, 0x7f000, 12),
            ],
        );
        // VAALE1: every space, and tables stay.
        check(
            (0, 7, 7),
            0x7f,
            &[page(space(5), 0x7f000), page(space(6), 0x7f000), page(global, 0x7f000)],
            &[known(Kind::Stage1Table, space(5), 0, 21)],
        );
    }

    #[test]
    fn a_space_goes_without_what_all_share() {
        let global = Owners::machine_of(Owner::space(VM, 0));
        check(
            (0, 3, 2),
            5 << 48,
            &[
                known(Kind::Translation, space(5), 0x7f000, 12),
                known(Kind::Stage1Table, space(5), 0, 21),
            ],
            &[
                known(Kind::Translation, global, 0x7f000, 12),
                known(Kind::Translation, space(6), 0x7f000, 12),
            ],
        );
    }

    #[test]
    fn stage_2_alone_and_both_stages() {
        let machine = Owners::machine_of(Owner::space(VM, 0));
        let (ipa, table) = (known(Kind::Ipa, machine, 0x20_0000, 21), Kind::Stage2Table);
        // IPAS2E1IS.
        check(
            (4, 0, 1),
            0x3ff,
            &[ipa, known(table, machine, 0, 30)],
            &[known(Kind::Translation, space(1), 0x3f_f000, 12), known(Kind::Ipa, machine, 0, 21)],
        );
        // IPAS2LE1.
        check((4, 4, 5), 0x3ff, &[ipa], &[known(table, machine, 0, 30)]);
        // VMALLS12E1IS, and VMALLE1IS.
        let one = known(Kind::Translation, space(1), 0, 12);
        let elsewhere = known(Kind::Translation, Owners::one(Owner::space(9, 1)), 0, 12);
        check((4, 3, 6), 0, &[ipa, one], &[elsewhere]);
        check((0, 3, 0), 0, &[one], &[ipa, elsewhere]);
        // ALLE1, ALLE2, VAE2.
        let own = known(Kind::Translation, Owners::HYPERVISOR, 0, 12);
        check((4, 7, 4), 0, &[ipa, one, elsewhere], &[own]);
        check((4, 7, 0), 0, &[own], &[ipa, one]);
        check((4, 3, 1), 0, &[own], &[one]);
    }

    #[test]
    fn ranges_end_where_they_end() {
        // 2^(5*1+1) * (2+1) pages from page 0x100 on.
        let operand = 5 << 48 | 1 << 46 | 1 << 44 | 2 << 39 | 0x100;
        let page = |page: u64| known(Kind::Translation, space(5), page << 12, 12);
        check((0, 2, 1), operand, &[page(0x100), page(0x1bf)], &[page(0xff), page(0x1c0)]);
        let other_granule = operand & !(3 << 46);
        assert_eq!(decode(Operation { op1: 0, crm: 2, op2: 1 }, other_granule, VM), None);
        assert_eq!(decode(Operation { op1: 6, crm: 7, op2: 0 }, 0, VM), None);
    }
}
