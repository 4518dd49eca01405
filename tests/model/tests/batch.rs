//! Stores to tables that a guest hands over, many at once.

use model::scenario::check;
use paging::format::vmsa_stage1::Stage1;
use paging::format::x64::X64;

/// Four tables, one below the other, and what the guest does with them, with the step and without.
fn both(stores: &str, with: &str, without: &str) {
    for (machine, expect) in [("with=paravirtual", with), ("without=paravirtual", without)] {
        let fixture = format!(
            "machine {machine}
             t0[0] = table t1
             t1[0] = table t2
             t2[0] = table t3
             t3[1] = page d1
             t3[2] = page d2
             t3[3] = page d3
             root 0 t0
             on
             read 0:0.0.0.1
             {stores}"
        );
        let expect = format!("d1 exits=1\n{expect}");
        check::<Stage1>(&fixture, &expect);
        check::<X64>(&fixture, &expect);
    }
}

#[test]
fn a_batch_is_its_stores_in_one_exit() {
    both(
        "batch t3[1] = page d5 ; t3[2] = 0 ; t3[4..5] = page d7 ; t3[4] = page d2
         read 0:0.0.0.1
         read 0:0.0.0.2
         read 0:0.0.0.4
         read 0:0.0.0.5
         read 0:0.0.0.3
         count batches
         count batched_updates",
        "exits=1
         d5 exits=0
         translation 0 exits=0
         d2 exits=0
         d7 exits=0
         d3 exits=0
         batches 1
         batched_updates 5",
        "exits=5
         d5 exits=0
         translation 0 exits=0
         d2 exits=0
         d7 exits=0
         d3 exits=0
         batches 0
         batched_updates 0",
    );
}

#[test]
fn what_is_no_table_any_more_is_written_all_the_same() {
    both(
        "batch t2[0] = 0 ; t3[1] = page d5 ; t2[0] = table t3
         read 0:0.0.0.1",
        "exits=1
         d5 exits=1",
        "exits=2
         d5 exits=1",
    );
}

#[test]
fn a_batch_ends_at_the_first_store_that_is_refused() {
    both(
        "batch t3[1] = page d5 ; device[0] = page d6 ; t3[2] = page d7
         batch t3[3] = 0 ; t3+4[1] = 0 ; t3[2] = page d7
         batch fffffffffffff000[511] = 0
         read 0:0.0.0.1
         read 0:0.0.0.2
         read 0:0.0.0.3
         count batched_updates",
        "exits=1
         exits=1
         exits=1
         d5 exits=0
         d2 exits=0
         translation 0 exits=0
         batched_updates 2",
        "exits=1
         exits=1
         exits=0
         d5 exits=0
         d2 exits=0
         translation 0 exits=0
         batched_updates 0",
    );
}

#[test]
fn while_paging_is_off_a_batch_is_stores_to_memory() {
    both(
        "off
         batch t3[1] = page d5 ; t3[2] = page d6
         on
         read 0:0.0.0.1
         read 0:0.0.0.2",
        "exits=1
         d5 exits=1
         d6 exits=0",
        "exits=0
         d5 exits=1
         d6 exits=0",
    );
}
