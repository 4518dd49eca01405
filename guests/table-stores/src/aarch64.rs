//! What stores on Arm.

use core::arch::{asm, global_asm};

use super::{CLEARS, Kind, kinds};
use crate::Table;

global_asm!(include_str!("aarch64/stores.s"), options(raw));

/// The kind that is one store of eight bytes.
pub(crate) const PLAIN: &str = "str";

kinds! {
    "str" stores_str 1;
    "str-w" stores_str_w 1;
    "strh" stores_strh 1;
    "strb" stores_strb 1;
    "str-register" stores_str_register 1;
    "stur" stores_str_unscaled 1;
    "str-post" stores_str_post 2;
    "str-pre" stores_str_pre 2;
    "str-unaligned" stores_str_unaligned 2;
    "stp" stores_stp 2;
    "stp-post" stores_stp_post 2;
    "stp-pre" stores_stp_pre 2;
    "stp-w" stores_stp_w 1;
    "stnp" stores_stnp 2;
    "stlr" stores_stlr 1;
    "str-d" stores_str_d 1;
    "str-q" stores_str_q 2;
    "str-q-post" stores_str_q_post 2;
    "stp-q" stores_stp_q 4;
    "st1" stores_st1 8;
    "st1-post" stores_st1_post 4;
    "st1-lane" stores_st1_lane 2;
    "st2" stores_st2 4;
    "swp" stores_swp 1;
    "cas" stores_cas 1;
    "cas-fails" stores_cas_fails 1;
    "casp" stores_casp 2;
    "ldadd" stores_ldadd 1;
    "stadd" stores_stadd 1;
    "ldeor" stores_ldeor 1;
    "ldset-ldclr" stores_ldset_ldclr 1;
    "ldumax-ldumin" stores_ldumax 1;
    "stxr" stores_stxr 1;
    "stlxr" stores_stlxr 1;
    "stxp" stores_stxp 2;
    "stxrb" stores_stxrb 1;
    "dc-zva" stores_zva 8, CLEARS;
    "set" stores_set 8, CLEARS => MOPS;
    "cpy" stores_cpy 8 => MOPS;
}

/// The memory copy and set instructions (FEAT_MOPS).
const MOPS: u32 = 1;

/// What the processor says that it has.
pub(crate) fn features() -> u32 {
    let features: u64;
    // SAFETY: reading ID_AA64ISAR2_EL1 changes nothing.
    unsafe { asm!("mrs {}, S3_0_C0_C6_2", out(reg) features, options(nomem, nostack)) };
    if (features >> 16) & 0xf != 0 { MOPS } else { 0 }
}

/// Stores that are no kind: none.
pub(crate) fn others(_table: &Table) {}
