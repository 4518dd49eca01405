//! The shadow engine, by example.

use model::scenario;
use paging::format::vmsa_stage1::Stage1;

fn check(fixture: &str, expect: &str) {
    scenario::check::<Stage1>(fixture, expect);
}

fn run(fixture: &str) -> String {
    scenario::run::<Stage1>(fixture)
}

#[test]
fn a_cold_walk_is_filled_in_one_exit() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[5] = page d1
         root 0 t0
         on
         read 0:0.0.0.5+18
         read 0:0.0.0.5
         fetch 0:0.0.0.5
         shadow",
        "d1+18 exits=1
         d1 exits=0
         d1 exits=0
         t0@3[0] table t1
         t1@2[0] table t2
         t2@1[0] table t3
         t3@0[5] leaf d1",
    );
}

#[test]
fn guest_faults_do_not_exit_once_the_way_is_known() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[1] = page d1 old
         t3[2] = page d1 ro
         t3[3] = page d1 user uxn pxn
         t3[4] = raw 1
         t3[5] = invalid d1
         t3[6] = page 200000000000
         t2[1] = invalid t3
         t2[2] = block 200000000000
         t1[1] = raw 2
         root 0 t0
         on
         read 0:0.0.0.0
         read 0:0.0.0.1
         write 0:0.0.0.2
         read user 0:0.0.0.2
         fetch 0:0.0.0.3
         read pan 0:0.0.0.3
         read 0:0.0.0.4
         read 0:0.0.0.5
         read 0:0.0.0.6
         read 0:0.0.1.0
         read 0:0.0.2.0
         read 0:0.1.0.0
         read 0:1.0.0.0
         read ffff000000000",
        "translation 0 exits=1
         flag 0 exits=0
         permission 0 exits=0
         permission 0 exits=0
         permission 0 exits=0
         permission 0 exits=0
         translation 0 exits=0
         translation 0 exits=0
         size 0 exits=0
         translation 1 exits=0
         size 1 exits=0
         translation 2 exits=0
         translation 3 exits=0
         translation 3 exits=0",
    );
}

#[test]
fn limits_of_tables_are_kept() {
    check(
        "t0[0] = table t1 table-ro
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1 user
         t0[1] = table t1 kernel-only
         t0[2] = table t1 user-never kernel-never
         root 0 t0
         on
         write 0:0.0.0.0
         read user 0:0.0.0.0
         fetch user 0:0.0.0.0
         read user 0:1.0.0.0
         write 0:1.0.0.0
         fetch user 0:2.0.0.0
         fetch 0:2.0.0.0
         write 0:2.0.0.0
         flat=yes
         write 0:0.0.0.0
         read user 0:1.0.0.0
         fetch user 0:2.0.0.0
         shadow",
        "permission 0 exits=1
         d1 exits=0
         d1 exits=0
         permission 0 exits=1
         d1 exits=0
         permission 0 exits=1
         permission 0 exits=0
         d1 exits=0
         d1 exits=1
         d1 exits=1
         d1 exits=1
         t0@3[0] table t1
         t0@3[1] table t1
         t0@3[2] table t1
         t1@2[0] table t2
         t2@1[0] table t3
         t3@0[0] leaf d1",
    );
}

#[test]
fn a_store_to_a_table_exits_and_takes_effect() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page t3
         t3[1] = page d1
         root 0 t0
         on
         read 0:0.0.0.1
         write 0:0.0.0.0+8 = page d2
         read 0:0.0.0.1
         write 0:0.0.0.0+10 = page d3
         read 0:0.0.0.2
         write 0:0.0.0.0+10 = 0
         read 0:0.0.0.2
         write 0:0.0.0.0+8 = page d2 ro
         write 0:0.0.0.1
         shadow",
        "d1 exits=1
         t3+8 exits=1
         d2 exits=0
         t3+10 exits=1
         d3 exits=0
         t3+10 exits=1
         translation 0 exits=0
         t3+8 exits=1
         permission 0 exits=0
         t0@3[0] table t1
         t1@2[0] table t2
         t2@1[0] table t3
         t3@0[0] leaf t3 protected
         t3@0[1] leaf d2",
    );
}

#[test]
fn every_width_of_store_reaches_a_table() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page t3
         t3[1] = page d1
         root 0 t0
         on
         read 0:0.0.0.1
         write wide=0 0:0.0.0.0+9 = 24
         read 0:0.0.0.1
         write wide=1 0:0.0.0.0+a = 4010
         read 0:0.0.0.1
         write wide=2 0:0.0.0.0+c = 1
         read 0:0.0.0.1
         write 0:0.0.0.0+4 = 0
         read 0:0.0.0.1
         write exclusive 0:0.0.0.0+10 = page d1
         read 0:0.0.0.2",
        "d1 exits=1
         t3+9 exits=1
         d2 exits=0
         t3+a exits=1
         40102000 exits=0
         t3+c exits=1
         abort exits=1
         t3+4 exits=1
         translation 0 exits=0
         t3+10 exits=1
         d1 exits=0",
    );
}

#[test]
fn a_stepped_store_is_seen_when_it_is_over() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page t3
         t3[1] = page d1
         t3[2] = page d1 ro
         root 0 t0
         on
         fetch 0:0.0.0.1
         write stepped 0:0.0.0.0+8 = page d2
         read 0:0.0.0.1
         write stepped 0:0.0.0.0+40 = page d4
         read 0:0.0.0.8
         write 0:0.0.0.0+40 = page d5
         read 0:0.0.0.8
         shadow",
        "d1 exits=1
         t3+8 exits=2
         d2 exits=0
         t3+40 exits=2
         d4 exits=0
         t3+40 exits=1
         d5 exits=0
         t0@3[0] table t1
         t1@2[0] table t2
         t2@1[0] table t3
         t3@0[0] leaf t3 protected
         t3@0[1] leaf d2
         t3@0[2] leaf d1
         t3@0[8] leaf d5",
    );
}

#[test]
fn one_instruction_stores_to_two_tables() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t2[1] = table t4
         t3[0] = page t3
         t3[1] = page t4
         t4[0] = page d1
         root 0 t0
         on
         read 0:0.0.1.0
         read 0:0.0.0.2
         step 0:0.0.0.0+10=4010041f 0:0.0.0.1=0
         read 0:0.0.1.0
         read 0:0.0.0.2
         step 0:0.0.0.0+ff8=4010041f 0:0.0.0.1=4010041f
         read 0:0.0.0.511
         write 0:0.0.0.0+10 = 0
         read 0:0.0.0.2",
        "d1 exits=1
         translation 0 exits=1
         t3+10, t4 exits=2
         translation 0 exits=0
         d0 exits=0
         t3+ff8, t4 exits=2
         d0 exits=0
         t3+10 exits=1
         translation 0 exits=0",
    );
}

#[test]
fn a_frame_that_becomes_a_table_is_protected() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page t4
         t3[1] = page t2
         root 0 t0
         on
         write 0:0.0.0.0 = page d1
         write 0:0.0.0.1+8 = table t4
         read 0:0.0.1.0
         write 0:0.0.0.0 = page d2
         read 0:0.0.1.0
         shadow
         write 0:0.0.0.1+8 = 0
         write 0:0.0.0.0 = 5
         shadow",
        "t4 exits=1
         t2+8 exits=1
         d1 exits=1
         t4 exits=1
         d2 exits=0
         t0@3[0] table t1
         t1@2[0] table t2
         t2@1[0] table t3
         t2@1[1] table t4
         t4@0[0] leaf d2
         t3@0[0] leaf t4 protected
         t3@0[1] leaf t2 protected
         t2+8 exits=1
         t4 exits=0
         t0@3[0] table t1
         t1@2[0] table t2
         t2@1[0] table t3
         t3@0[0] leaf t4
         t3@0[1] leaf t2 protected",
    );
}

#[test]
fn a_table_that_is_freed_and_reused_as_data_is_writable() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t2[1] = table t4
         t3[0] = page t4
         t3[1] = page t2
         t4[0] = page d1
         root 0 t0
         on
         read 0:0.0.1.0
         write 0:0.0.0.0+8 = page d2
         write 0:0.0.0.1+8 = 0
         write 0:0.0.0.0+8 = 7
         write 0:0.0.0.0+8 = 8",
        "d1 exits=1
         t4+8 exits=2
         t2+8 exits=1
         t4+8 exits=0
         t4+8 exits=0",
    );
}

#[test]
fn a_block_with_a_table_in_it_is_split_and_joined() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = block b0
         t2[1] = block b1
         t2[2] = table t3
         t3[0] = page t0
         t3[1] = page t2
         root 0 t0
         on
         write 0:0.0.1.7
         write 0:0.0.0.300
         write 0:0.0.0.0+10 = page d1
         read 0:0.0.0.0
         count blocks_split",
        "40207000 exits=1
         4012c000 exits=1
         t0+10 exits=1
         t0 exits=0
         blocks_split 0",
    );
}

#[test]
fn a_block_that_is_written_again_stays_split() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = block b0
         root 0 t0
         on
         read 0:0.0.0.300
         t2[0] = block b0
         read 0:0.0.0.300
         t2[0] = block b0 ro
         write 0:0.0.0.300",
        "4012c000 exits=1
         4012c000 exits=0
         permission 0 exits=1",
    );
}

#[test]
fn a_block_is_split_when_its_frame_becomes_a_table() {
    check(
        "machine largest=1g
         t0[0] = table t1
         t1[0] = table t2
         t2[1] = block b1
         t2[2] = table t3
         t3[0] = page t2
         root 0 t0
         on
         write 0:0.0.1.0+8 = page d1
         write 0:0.0.2.0+18 = table b1
         read 0:0.0.3.1
         write 0:0.0.1.0+8 = page d2
         read 0:0.0.3.1
         write 0:0.0.1.1
         count blocks_split
         write 0:0.0.2.0+18 = 0
         count blocks_joined
         write 0:0.0.1.0+8 = 5
         write 0:0.0.1.0+8 = 6
         read 0:0.0.3.1
         count blocks_mapped",
        "40200000+8 exits=1
         t2+18 exits=2
         d1 exits=1
         40200000+8 exits=2
         d2 exits=0
         40201000 exits=0
         blocks_split 1
         t2+18 exits=1
         blocks_joined 0
         40200000+8 exits=0
         40200000+8 exits=0
         translation 1 exits=0
         blocks_mapped 1",
    );
}

/// A block without a table stays split while a table may come back, until others have waited less long.
#[test]
fn a_block_without_tables_is_joined_in_its_turn() {
    check(
        "machine ram=64M
         t0[0] = table t1
         t1[0] = table t2
         t2[1] = block b1
         root 0 t0
         on
         t2[3] = table b1
         read 0:0.0.3.1
         write 0:0.0.1.0
         t2[3] = 0
         write 0:0.0.1.0
         t2[3] = table b1
         read 0:0.0.3.1
         t2[3] = 0
         write 0:0.0.1.0
         t2[3] = table b3
         read 0:0.0.3.1
         t2[3] = 0
         t2[3] = table b4
         read 0:0.0.3.1
         t2[3] = 0
         t2[3] = table b5
         read 0:0.0.3.1
         t2[3] = 0
         t2[3] = table b6
         read 0:0.0.3.1
         t2[3] = 0
         t2[3] = table b7
         read 0:0.0.3.1
         t2[3] = 0
         t2[3] = table b8
         read 0:0.0.3.1
         t2[3] = 0
         t2[3] = table b9
         read 0:0.0.3.1
         t2[3] = 0
         t2[3] = table b10
         read 0:0.0.3.1
         t2[3] = 0
         count blocks_joined
         write 0:0.0.1.0
         count blocks_mapped",
        "translation 0 exits=1
         40200000 exits=2
         40200000 exits=0
         translation 0 exits=1
         40200000 exits=0
         translation 0 exits=1
         translation 0 exits=1
         translation 0 exits=1
         translation 0 exits=1
         translation 0 exits=1
         translation 0 exits=1
         translation 0 exits=1
         translation 0 exits=1
         blocks_joined 1
         40200000 exits=1
         blocks_mapped 2",
    );
}

#[test]
fn a_gigabyte_stays_one_entry() {
    check(
        "machine ram=2052M
         t0[0] = table t1
         t1[1] = block g1
         t1[2] = block g0
         root 0 t0
         on
         write 0:0.1.5.7
         write 0:0.1.511.511+8
         read 0:0.2.9.9
         count shadow_entries_written
         count blocks_split",
        "80a07000 exits=1
         bffff000+8 exits=0
         41209000 exits=1
         shadow_entries_written 517
         blocks_split 0",
    );
}

#[test]
fn small_leaves_are_made_where_no_larger_are_wanted() {
    check(
        "machine largest=4k
         t0[0] = table t1
         t1[0] = table t2
         t2[1] = block b1 ro
         root 0 t0
         on
         read 0:0.0.1.5
         write 0:0.0.1.5
         fetch 0:0.0.1.6
         count blocks_mapped
         count blocks_split",
        "40205000 exits=1
         permission 0 exits=0
         40206000 exits=0
         blocks_mapped 0
         blocks_split 0",
    );
}

#[test]
fn devices_and_nothing_are_told_apart() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page device
         t3[1] = page 10000
         t3[2] = page device ro
         t2[1] = block 9000000
         t2[2] = block 10000000
         t1[1] = block 0
         t3[3] = page device old
         root 0 t0
         on
         write 0:0.0.0.0+18
         read 0:0.0.0.1
         write 0:0.0.0.2
         read 0:0.0.0.2+4
         read 0:0.0.1.0+20
         read 0:0.0.2.0
         read 0:0.1.72.0
         read user 0:0.0.0.0
         read 0:0.0.0.3",
        "device+18 exits=2
         abort exits=1
         permission 0 exits=0
         device+4 exits=1
         device+20 exits=1
         abort exits=1
         device+0 exits=1
         permission 0 exits=0
         flag 0 exits=0",
    );
}

#[test]
fn a_block_that_is_partly_ram_is_split() {
    check(
        "t0[0] = table t1
         t1[1] = block g0
         root 0 t0
         on
         read 0:0.1.0.0
         write 0:0.1.1.0
         read 0:0.1.4.0
         write 0:0.1.0.0",
        "t0 exits=1
         40200000 exits=0
         abort exits=1
         t0 exits=1",
    );
}

#[test]
fn tables_outside_ram_abort_the_walk() {
    check(
        "t0[0] = table t1
         t0[1] = table device
         t0[2] = table 200000000000
         t1[0] = table 10000
         root 0 t0
         root 1 device
         on
         read 0:1.0.0.0
         read 0:2.0.0.0
         read 0:0.0.0.0
         read 1:0.0.0.0
         root 1 200000000000
         read 1:0.0.0.0
         root 1 t2
         read 1:0.0.0.0
         read 1:0.0.0.0",
        "walk-abort 2 exits=1
         size 3 exits=0
         walk-abort 1 exits=1
         walk-abort 3 exits=1
         size 3 exits=1
         translation 3 exits=0
         translation 3 exits=0",
    );
}

#[test]
fn a_root_that_maps_itself() {
    check(
        "t0[511] = table t0 used
         t0[0] = table t1 used
         t1[0] = table t2 used
         t2[0] = table t3 used
         t3[0] = page d1
         root 0 t0
         on
         read 0:511.511.511.511
         write 0:511.511.511.511+10 = table t1 used
         read 0:2.0.0.0
         write 0:511.0.0.0+8 = page d2
         read 0:0.0.0.1
         write 0:511.511.511.511+ff8 = 0
         read 0:511.511.511.511
         read 0:0.0.0.1",
        "t0 exits=1
         t0+10 exits=1
         d1 exits=1
         t3+8 exits=2
         d2 exits=1
         t0+ff8 exits=1
         translation 3 exits=0
         d2 exits=0",
    );
}

#[test]
fn one_table_at_every_level() {
    check(
        "t0[0] = table t0 used
         t0[1] = page d1
         root 0 t0
         root 1 t0
         on
         read 0:0.0.0.1
         write 0:0.0.0.0+8 = page d2
         read 0:0.0.0.1
         read 1:0.0.0.1
         write 1:0.0.0.0+8 = 0
         read 0:0.0.0.1
         read 1:0.0.0.1
         write 0:0.0.0.0 = 0
         read 0:0.0.0.0",
        "d1 exits=1
         t0+8 exits=1
         d2 exits=0
         d2 exits=0
         t0+8 exits=1
         translation 0 exits=0
         translation 0 exits=0
         t0 exits=1
         translation 3 exits=0",
    );
}

#[test]
fn code_stack_and_table_under_one_leaf_table() {
    check(
        "machine frames=48
         t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page t3
         t3[1] = page d1
         t3[2] = page d2
         root 0 t0
         on
         fetch 0:0.0.0.1
         write stepped 0:0.0.0.0+10 = page d4
         write 0:0.0.0.2
         write stepped 0:0.0.0.0+8 = page d5
         fetch 0:0.0.0.1",
        "d1 exits=1
         t3+10 exits=2
         d4 exits=0
         t3+8 exits=2
         d5 exits=0",
    );
}

#[test]
fn both_halves_and_short_addresses() {
    check(
        "machine low=39 high=25
         t1[3] = table t2
         t2[0] = table t3
         t3[9] = page d1
         t4[15] = table t5
         t5[511] = page d2
         root 0 t1
         root 1 t4
         on
         read 0:0.3.0.9
         read 1:0.0.15.511
         read 0:1.0.0.0
         read 1:0.0.0.0
         disabled=yes
         read 0:0.3.0.9
         read 1:0.0.15.511",
        "d1 exits=1
         d2 exits=1
         translation 3 exits=0
         translation 1 exits=0
         translation 3 exits=0
         d2 exits=1",
    );
}

#[test]
fn roots_smaller_than_a_page() {
    check(
        "machine low=26
         t0[4] = table t2
         t0[32] = table t3
         t2[0] = page d1
         t3[0] = page d2
         root 0 t0
         on
         read 0:0.0.4.0
         root 0 t0+100
         read 0:0.0.0.0
         root 0 t0
         write 0:0.0.4.0
         t0[4] = table t3
         read 0:0.0.4.0
         root 0 t0+100
         t3[0] = page d4
         read 0:0.0.0.0
         root 0 t0
         read 0:0.0.4.0",
        "d1 exits=1
         d2 exits=1
         d1 exits=0
         d2 exits=0
         d4 exits=0
         d4 exits=0",
    );
}

#[test]
fn tags_in_the_top_byte() {
    check(
        "machine tags=yes
         t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page t3
         t3[1] = page d1
         root 0 t0
         on
         read 5500000000001000
         write aa00000000000008 = page d2
         read 5500000000001000
         read 1000
         tags=no
         read 5500000000001000",
        "d1 exits=1
         t3+8 exits=1
         d2 exits=0
         d2 exits=0
         translation 3 exits=0",
    );
}

#[test]
fn many_spaces_each_with_its_tag() {
    check(
        "t0[0] = table t10
         t1[0] = table t10
         t2[0] = table t11
         t10[0] = table t12
         t11[0] = table t12
         t12[0] = table t13
         t13[0] = page d1 ng
         root 0 t0
         on
         read 0:0.0.0.0
         root 0 t1
         read 0:0.0.0.0
         root 0 t2
         read 0:0.0.0.0
         t13[0] = page d2 ng
         read 0:0.0.0.0
         root 0 t0
         read 0:0.0.0.0
         count roots_hit
         count roots_missed
         switch 0 t3 t9
         switch 0 t14 t43
         count roots_evicted
         root 0 t0
         read 0:0.0.0.0",
        "d1 exits=1
         d1 exits=0
         d1 exits=1
         d2 exits=0
         d2 exits=0
         roots_hit 1
         roots_missed 3
         roots_evicted 11
         d2 exits=1",
    );
}

/// What the tables of a dead space are used for makes an end of their shadows, and of all that they alone led to. Four
/// stores are the patience at first.
#[test]
fn dead_tables_are_given_up() {
    check(
        "t0[0] = table t4
         t4[0] = table t5
         t5[0] = table t6
         t6[0] = page d1
         t1[0] = table t7
         t7[0] = table t8
         t8[0] = table t9
         t9[0] = page d2
         root 0 t1
         on
         read 0:0.0.0.0
         root 0 t0
         read 0:0.0.0.0
         free
         t9[0] = page d3
         t9[1] = page d4
         t9[2] = page d5
         count shadows_abandoned
         t9[3] = page d6
         count shadows_abandoned
         t1[0] = 0
         t1[1] = 0
         t1[2] = 0
         t1[3] = 0
         count shadows_abandoned
         free
         count abandoned_wrong",
        "d2 exits=1
         d1 exits=1
         free 54
         shadows_abandoned 0
         shadows_abandoned 1
         shadows_abandoned 2
         free 59
         abandoned_wrong 0",
    );
}

/// A space that is changed while another is current is no dead one: that is found out when it is used again, and
/// makes for more patience. A table that was made anew meanwhile is another matter.
#[test]
fn a_table_that_was_given_up_in_error_is_found_to_be_one() {
    let guest = "t0[0] = table t4
         t4[0] = table t5
         t5[0] = table t6
         t6[0] = page d1
         t1[0] = table t7
         t7[0] = table t8
         t8[0] = table t9
         t9[0..9] = page d2
         root 0 t1
         on
         read 0:0.0.0.0
         root 0 t0
         t9[1] = page d3
         t9[2] = page d4
         t9[3] = page d5
         t9[4] = page d6
         count shadows_abandoned";
    check(
        &format!(
            "{guest}
             root 0 t1
             read 0:0.0.0.4
             count abandoned_wrong
             root 0 t0
             t9[1..7] = 0
             count shadows_abandoned
             t9[8] = 0
             count shadows_abandoned"
        ),
        "d2 exits=1
         shadows_abandoned 1
         d6 exits=1
         abandoned_wrong 1
         shadows_abandoned 1
         shadows_abandoned 2",
    );
    check(
        &format!(
            "{guest}
             t9[4] = page d7
             root 0 t1
             read 0:0.0.0.4
             count abandoned_wrong"
        ),
        "d2 exits=1
         shadows_abandoned 1
         d7 exits=1
         abandoned_wrong 0",
    );
    check(
        &format!("machine without=write-flood\n{guest}"),
        "d2 exits=1
         shadows_abandoned 0",
    );
}

/// Without the step only the current roots are kept: each load of others begins anew.
#[test]
fn one_set_of_roots() {
    check(
        "machine without=many-roots
         t0[0] = table t4
         t4[0] = table t5
         t5[0] = table t6
         t6[0] = page d1
         t1[0] = table t7
         t7[0] = table t8
         t8[0] = table t9
         t9[0] = page d2
         root 0 t0
         on
         read 0:0.0.0.0
         root 0 t0
         read 0:0.0.0.0
         root 0 t1
         read 0:0.0.0.0
         root 0 t0
         read 0:0.0.0.0
         count roots_hit",
        "d1 exits=1
         d1 exits=0
         d2 exits=1
         d1 exits=1
         roots_hit 1",
    );
}

#[test]
fn a_tag_is_used_anew() {
    check(
        "t0[0] = table t41
         t41[0] = table t42
         t42[0] = table t43
         t43[0] = page d1 ng
         t40[0] = table t41
         root 0 t0
         on
         read 0:0.0.0.0
         switch 0 t1 t31
         read 0:0.0.0.0
         root 0 t32
         read 0:0.0.0.0
         root 0 t40
         read 0:0.0.0.0",
        "d1 exits=1
         translation 3 exits=0
         translation 3 exits=0
         d1 exits=1",
    );
}

#[test]
fn paging_off_and_on() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1
         root 0 t0
         on
         read 0:0.0.0.0
         off
         free
         write 40000000 = table t4
         read 40000000
         read 9000000
         read 1000000000
         on
         read 0:0.0.0.0",
        "d1 exits=1
         free 64
         t0 exits=0
         t0 exits=0
         device+0 exits=0
         size 3 exits=0
         translation 2 exits=1",
    );
}

#[test]
fn a_regime_that_means_something_else() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1
         root 0 t0
         on
         read 0:0.0.0.0
         wxn=yes
         fetch 0:0.0.0.0
         low=39
         read 0:0.0.0.0
         output=31
         low=48
         read 0:0.0.0.0",
        "d1 exits=1
         permission 0 exits=1
         flag 0 exits=1
         d1 exits=1",
    );
}

#[test]
fn attributes_change_under_a_live_translation() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1
         root 0 t0
         on
         write 0:0.0.0.0
         t3[0] = page d1 other
         write 0:0.0.0.0
         t3[0] = page d1 ng
         write 0:0.0.0.0
         t3[0] = page d1 ro
         write 0:0.0.0.0
         t3[0] = page d1 old
         read 0:0.0.0.0
         t3[0] = page d1 contiguous
         write 0:0.0.0.0
         t2[0] = table t3 table-ro
         write 0:0.0.0.0
         t2[0] = table t3
         write 0:0.0.0.0
         t1[0] = block g0
         read 0:0.0.0.0
         t1[0] = table t2
         read 0:0.0.0.0",
        "d1 exits=1
         d1 exits=0
         d1 exits=0
         permission 0 exits=0
         flag 0 exits=0
         d1 exits=0
         permission 0 exits=0
         d1 exits=0
         t0 exits=1
         d1 exits=1",
    );
}

#[test]
fn ram_beyond_the_output_size() {
    check(
        "machine ram=2052M
         t0[0] = table t1
         t1[0] = table t2
         t1[1] = block g1
         t2[0] = table t3
         t3[0] = page g1
         t3[1] = page d1
         t3[2] = table t5
         root 0 t0
         on
         read 0:0.0.0.0
         read 0:0.1.0.0
         output=31
         read 0:0.0.0.0
         read 0:0.1.0.0
         read 0:0.0.0.1
         root 1 g1
         read 1:0.0.0.0",
        "80000000 exits=1
         80000000 exits=0
         size 0 exits=1
         size 2 exits=0
         d1 exits=0
         size 3 exits=1",
    );
}

/// A root whose context goes away may live on as a table of another root. What its own addresses
/// left in the TLB must not.
#[test]
fn a_root_that_lives_on_as_a_table_is_forgotten_as_a_root() {
    check(
        "machine low=39 high=48
         # t1 is the root of the low half and, one level down, a table of the high half's t2.
         t1[0] = table t3
         t3[0] = table t4
         t4[5] = page d0
         t2[0] = table t1
         root 0 t1
         root 1 t2
         on
         write 0:0.0.0.5
         read 1:0.0.0.5
         switch 0 t10 t41
         count roots_evicted
         t4[5] = page d1",
        "d0 exits=1
         d0 exits=0
         roots_evicted 1",
    );
}

/// The lists of the reverse map overflow into nodes, and one fault may make a table of blocks and a
/// table of pages whose every leaf needs one.
#[test]
fn one_fault_finds_as_many_nodes_as_it_may_need() {
    let mut fixture = String::from(
        "machine frames=300 ram=2052M
         t0[0] = table t1
         t1[0] = table t2
         t1[1] = table t3
         t1[2] = table t4
         t1[3] = table t5
         t2[0..511] = block g1 striding
         t3[0..511] = block g1 striding
         t5[0] = table t6
         t5[1..511] = block g1 striding
         t6[0..511] = page b1 walking
         root 0 t0
         on
         read 0:0.0.0.0
         read 0:0.1.0.0\n",
    );
    // Each frame of some blocks is mapped three times, of b1 twice.
    for table in 0..23 {
        let (number, block, last) = (
            table + 7,
            if table < 21 { table / 3 + 2 } else { 1 },
            if table == 20 { 299 } else { 511 },
        );
        fixture += &format!("t{number}[0..{last}] = page b{block} walking\n");
        fixture += &format!("t4[{table}] = table t{number}\n");
        fixture += &format!("read 0:0.2.{table}.0\n");
    }
    fixture += "read 0:0.3.0.0\n";
    let said = run(&fixture);
    assert_eq!(said.lines().last(), Some("40200000 exits=1"));
}

/// More tables than frames: room is made, and what was given up comes back when it is used.
#[test]
fn frames_run_out() {
    let mut fixture = String::from(
        "machine frames=48
         t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0..511] = page d1
         t2[4..51] = block b0
         root 0 t0
         on
         read 0:0.0.0.200\n",
    );
    for block in 4..52 {
        fixture += &format!("write 0:0.0.{block}.200\n");
    }
    fixture += "read 0:0.0.0.200\nread 0:0.0.0.201\n";
    let said = run(&fixture);
    let last: Vec<_> = said.lines().rev().take(2).collect();
    assert_eq!(last, ["d1 exits=0", "d1 exits=1"]);
}

/// Hardware may still use an unknown entry that it remembers from before it became known, as another
/// CPU can between two of our steps. It is told to forget, once, and tries again.
#[test]
fn a_fault_without_a_cause_makes_the_hardware_forget() {
    let said = run("t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1
         root 0 t0
         on
         write 0:0.0.0.0
         count flush_address
         count faults_retried
         missing 0:0.0.0.0
         protected 0:0.0.0.0 d1
         count flush_address
         count faults_retried");
    let counts: Vec<u64> =
        said.lines().filter_map(|line| line.strip_prefix("flush_address ")?.parse().ok()).collect();
    assert_eq!(counts[1], counts[0] + 2);
    assert!(said.ends_with("faults_retried 2\n"));
}

/// Room is made even for a walk that then fails, and what was given up for it is seen by other walks.
#[test]
fn what_is_given_up_for_a_walk_that_fails_is_published() {
    let mut fixture = String::from(
        "machine frames=24
         t0[0] = table t1
         t1[0] = table t2
         t2[0..12] = block b0
         root 0 g1
         root 1 t0
         on\n",
    );
    for block in 0..13 {
        fixture += &format!("read 1:0.0.{block}.200\n");
    }
    fixture += "count shadows_evicted
                read 0:0.0.0.0
                count shadows_evicted
                read 1:0.0.0.200\n";
    let said = run(&fixture);
    let last: Vec<_> = said.lines().skip(13).collect();
    assert_eq!(last[..3], ["shadows_evicted 0", "walk-abort 3 exits=1", "shadows_evicted 1"]);
    assert!(last[3].starts_with("400c8000"));
}

/// Stores make the lists of the reverse map overflow too, one node at a time.
#[test]
fn stores_find_the_nodes_that_they_need() {
    let mut fixture = String::from(
        "machine frames=300 ram=64M
         t0[0] = table t1
         t1[2] = table t4
         root 0 t0
         on\n",
    );
    // Four blocks are mapped twice, and seven three times, which takes nearly all nodes.
    let twice = (20..24).flat_map(|block| [block; 2]);
    let thrice = (1..8).flat_map(|block| [block; 3]);
    let mapped = twice.chain(thrice).enumerate();
    for (place, block) in mapped {
        let table = place + 9;
        fixture += &format!("t{table}[0..511] = page b{block} walking\n");
        fixture += &format!("t4[{table}] = table t{table}\n");
        if place < 8 {
            fixture += &format!("read 0:0.2.{table}.0\n");
        }
    }
    for table in 5..9 {
        fixture += &format!("t{table}[511] = page d1\n");
        fixture += &format!("t4[{table}] = table t{table}\n");
        fixture += &format!("read 0:0.2.{table}.511\n");
    }
    for table in 17..38 {
        fixture += &format!("read 0:0.2.{table}.0\n");
    }
    fixture += "count shadows_evicted\n";
    for (table, block) in (5..9).zip(20..24) {
        fixture += &format!("t{table}[0..510] = page b{block} walking\n");
    }
    fixture += "read 0:0.2.5.511\n";
    let said = run(&fixture);
    let last: Vec<_> = said.lines().skip(33).collect();
    assert_eq!(last[0], "shadows_evicted 0");
    assert!(last[1].starts_with("d1"));
}

/// What the hardware remembers from before there were any roots is forgotten too.
#[test]
fn a_reset_forgets_everything_even_if_there_is_nothing() {
    check("reset\ncount flush_all", "flush_all 1");
}

/// Leaf tables with entries of every kind come and go, and frames that several of them map. What is kept
/// of them is checked behind every line.
#[test]
fn leaf_tables_of_all_kinds_of_entries_come_and_go() {
    for machine in ["", "machine without=reverse-map\n"] {
        let fixture = String::from(machine)
            + "t0[0] = table t1
               t1[0] = table t2
               t3[0] = page t2
               t3[1] = page device
               t3[2] = page d1 old
               t3[3] = page 10000
               t3[4] = page d2 ro
               t3[8..15] = page b1 walking
               t3[16..23] = page d3
               t3[24..31] = page t4
               t4[0..7] = page b1 walking
               t4[511] = page d3
               t5[8..15] = page b1 walking
               t5[5] = page d2
               t2[0] = table t3
               t2[1] = table t4
               t2[2] = table t5
               t6[0] = page t2
               t2[3] = table t6
               root 0 t0
               on
               read 0:0.0.0.8
               read 0:0.0.1.0
               read 0:0.0.2.8
               write 0:0.0.3.0 = 0
               write 0:0.0.3.0 = table t3
               read 0:0.0.0.17
               write 0:0.0.3.0+8 = 0
               write 0:0.0.3.0+10 = 0
               write 0:0.0.0.24
               write 0:0.0.3.0+10 = table t5
               read 0:0.0.2.5
               write 0:0.0.3.0 = 0
               read 0:0.0.2.8";
        check(
            &fixture,
            "40200000 exits=1
             40200000 exits=1
             40200000 exits=1
             t2 exits=2
             t2 exits=1
             d3 exits=1
             t2+8 exits=1
             t2+10 exits=1
             t4 exits=0
             t2+10 exits=1
             d2 exits=1
             t2 exits=1
             40200000 exits=0",
        );
    }
}
