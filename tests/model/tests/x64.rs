//! The shadow engine under an x86-64 guest, by example.

use model::scenario;
use paging::format::x64::X64;

fn check(fixture: &str, expect: &str) {
    scenario::check::<X64>(fixture, expect);
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
         write 0:0.0.0.5
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
fn absent_entries_do_not_exit_once_the_way_is_known() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[1] = invalid d1
         t2[1] = invalid t3
         root 0 t0
         on
         read 0:0.0.0.0
         read 0:0.0.0.0
         write user 0:0.0.0.1
         fetch 0:0.0.1.0
         read 0:0.1.0.0
         read 1:1.0.0.0
         shadow",
        "translation 0 exits=1
         translation 0 exits=0
         translation 0 exits=0
         translation 1 exits=0
         translation 2 exits=0
         translation 3 exits=0
         t0@3[0] table t1
         t1@2[0] table t2
         t2@1[0] table empty",
    );
}

#[test]
fn an_absent_entry_behind_one_that_nobody_used_exits() {
    check(
        "t0[0] = table t1
         t1[0] = table t2 old
         t2[0] = table t3
         root 0 t0
         on
         read 0:0.0.0.0
         read 0:0.0.0.0
         t3[1] = page d1
         read 0:0.0.0.1
         read 0:0.0.0.0",
        "translation 0 exits=1
         translation 0 exits=1
         d1 exits=1
         translation 0 exits=0",
    );
}

#[test]
fn protection_faults_are_told_from_ours() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1 ro user
         t3[1] = page d1 nx
         t3[2] = page d1
         t3[3] = page d1 user
         root 0 t0
         on
         write 0:0.0.0.0
         read user 0:0.0.0.0
         write user 0:0.0.0.0
         fetch 0:0.0.0.1
         read user 0:0.0.0.2
         read pan 0:0.0.0.3
         read 0:0.0.0.3
         fetch 0:0.0.0.3
         smep=yes
         fetch 0:0.0.0.3
         fetch user 0:0.0.0.3
         read 0:0.0.0.2
         count flush_all",
        "permission 0 exits=1
         d1 exits=1
         permission 0 exits=1
         permission 0 exits=1
         permission 0 exits=1
         permission 0 exits=1
         d1 exits=0
         d1 exits=0
         permission 0 exits=1
         d1 exits=0
         d1 exits=0
         flush_all 1",
    );
}

#[test]
fn limits_of_tables_are_kept() {
    check(
        "t0[0] = table t1 ro
         t0[1] = table t1 kernel-only
         t0[2] = table t1 nx
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1 user
         root 0 t0
         on
         write user 0:0.0.0.0
         read user 0:0.0.0.0
         read user 0:1.0.0.0
         write 0:1.0.0.0
         fetch 0:2.0.0.0
         write user 0:2.0.0.0",
        "permission 0 exits=1
         d1 exits=1
         permission 0 exits=1
         d1 exits=1
         permission 0 exits=1
         d1 exits=1",
    );
}

#[test]
fn reserved_bits_are_the_guests_own_fault() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1 beyond
         t3[1] = page d1 nx
         t3[2] = page d1 odd
         t2[1] = block b1 odd
         t1[1] = block g1
         t0[1] = table t1 large
         root 0 t0
         on
         read 0:0.0.0.0
         read 0:0.0.0.0
         read 0:0.0.0.1
         read 0:0.0.0.2
         read 0:0.0.1.0
         read 0:0.1.0.0
         read 0:1.0.0.0
         nxe=no
         read 0:0.0.0.1
         read 0:0.0.0.2
         gigabytes=no
         read 0:0.1.0.0
         t3[0] = page d1
         read 0:0.0.0.0",
        "reserved 0 exits=1
         reserved 0 exits=1
         d1 exits=1
         40303000 exits=0
         reserved 1 exits=1
         nothing 80000000 exits=1
         reserved 3 exits=1
         reserved 0 exits=1
         40303000 exits=1
         reserved 2 exits=1
         d1 exits=1",
    );
}

#[test]
fn accessed_flags_are_set_at_the_first_use_and_dirty_ones_at_the_first_write() {
    check(
        "t0[0] = table t1 old
         t1[0] = table t2 old
         t2[0] = table t3 old
         t3[0] = page d1 old clean
         t3[1] = page d1 clean
         t3[2] = page d1 old
         t3[3] = page d1 ro old clean
         t2[1] = block b1 old clean
         root 0 t0
         on
         peek t3
         read 0:0.0.0.0
         peek t0
         peek t1
         peek t2
         peek t3
         read 0:0.0.0.0
         write 0:0.0.0.0
         write 0:0.0.0.0
         peek t3
         write 0:0.0.0.1
         peek t3+8
         write 0:0.0.0.2
         peek t3+10
         write 0:0.0.0.3
         peek t3+18
         read 0:0.0.1.9
         peek t2+8
         write 0:0.0.1.9
         peek t2+8
         count flush_all
         count flush_address
         count faults_retried",
        "neither
         d1 exits=1
         accessed
         accessed
         accessed
         accessed
         d1 exits=0
         d1 exits=1
         d1 exits=0
         accessed dirty
         d1 exits=1
         accessed dirty
         d1 exits=1
         accessed dirty
         permission 0 exits=1
         neither
         40209000 exits=1
         accessed
         40209000 exits=1
         accessed dirty
         flush_all 0
         flush_address 0
         faults_retried 0",
    );
}

#[test]
fn each_entry_of_a_shared_table_has_a_flag_of_its_own() {
    check(
        "t0[0] = table t1
         t0[1] = table t1 old
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1
         root 0 t0
         on
         read 0:0.0.0.0
         peek t0+8
         read 0:1.0.0.0
         peek t0+8
         read 0:1.0.0.0
         # Whoever clears it wants to know of the next use.
         t0[1] = table t1 old
         read 0:0.0.0.0
         peek t0+8
         write 0:1.0.0.0
         peek t0+8",
        "d1 exits=1
         neither
         d1 exits=1
         accessed
         d1 exits=0
         d1 exits=0
         neither
         d1 exits=1
         accessed",
    );
}

/// More tables than frames: room is made, and what was given up comes back when it is used.
#[test]
fn frames_run_out() {
    let mut fixture = String::from(
        "machine frames=48
         t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0..511] = page d1 old clean
         t2[4..51] = block b0
         root 0 t0
         on
         read 0:0.0.0.200\n",
    );
    for block in 4..52 {
        fixture += &format!("write 0:0.0.{block}.200\n");
    }
    fixture += "read 0:0.0.0.200\nread 0:0.0.0.200\nwrite 0:0.0.0.201\ncount shadows_evicted\n";
    let said = scenario::run::<X64>(&fixture);
    let last: Vec<_> = said.lines().rev().take(4).collect();
    assert_eq!(last, ["shadows_evicted 1", "d1 exits=1", "d1 exits=0", "d1 exits=1"]);
}

#[test]
fn flags_reach_every_shadow_of_a_table() {
    check(
        "t0[0] = table t1
         t0[1] = table t2
         t0[2] = table t3
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = table t3 old clean
         root 0 t0
         on
         # t3 is a leaf table, a table of leaf tables, and one above those.
         read 0:1.0.0.0
         write 0:0.0.0.0+100
         read 0:2.0.0.0
         peek t3
         shadow",
        "t3 exits=1
         t3+100 exits=1
         t3 exits=1
         accessed dirty
         t0@3[0] table t1
         t0@3[1] table t2
         t0@3[2] table t3
         t2@2[0] table t3
         t1@2[0] table t2
         t3@2[0] table t3
         t2@1[0] table t3
         t3@1[0] table t3
         t3@0[0] leaf t3 protected",
    );
}

/// One entry is a page, with a bit of its memory type, and in another table's place a block.
#[test]
fn a_dirty_page_is_a_dirty_block() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t1[1] = table t3
         t2[0] = table t3
         t3[0] = page b1 large clean
         root 0 t0
         on
         read 0:0.1.0.0
         read 0:0.0.0.0
         write 0:0.0.0.0
         write 0:0.1.0.5
         shadow",
        "40200000 exits=1
         40200000 exits=1
         40200000 exits=1
         40205000 exits=1
         t0@3[0] table t1
         t1@2[0] table t2
         t1@2[1] table t3
         t2@1[0] table t3
         t3@1[0] leaf 40200000
         t3@0[0] leaf 40200000",
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
         write 0:0.0.0.0+10 = page d3 old clean
         read 0:0.0.0.2
         write 0:0.0.0.2
         write 0:0.0.0.0+10 = 0
         read 0:0.0.0.2
         write 0:0.0.0.0+8 = page d2 ro
         write 0:0.0.0.1
         shadow",
        "d1 exits=1
         t3+8 exits=1
         d2 exits=0
         t3+10 exits=1
         d3 exits=1
         d3 exits=1
         t3+10 exits=1
         translation 0 exits=0
         t3+8 exits=1
         permission 0 exits=1
         t0@3[0] table t1
         t1@2[0] table t2
         t2@1[0] table t3
         t3@0[0] leaf t3 protected
         t3@0[1] leaf d2",
    );
}

#[test]
fn a_stepped_store_is_seen_when_it_is_over() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page t3 clean
         t3[1] = page d1
         root 0 t0
         on
         fetch 0:0.0.0.1
         write stepped 0:0.0.0.0+8 = page d2
         peek t3
         read 0:0.0.0.1
         write 0:0.0.0.0+8 = page d4
         read 0:0.0.0.1
         shadow",
        "d1 exits=1
         t3+8 exits=2
         accessed dirty
         d2 exits=0
         t3+8 exits=1
         d4 exits=0
         t0@3[0] table t1
         t1@2[0] table t2
         t2@1[0] table t3
         t3@0[0] leaf t3 protected
         t3@0[1] leaf d4",
    );
}

#[test]
fn a_table_is_opened_once_by_however_many_ways() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0..4] = page t3
         root 0 t0
         on
         step 0:0.0.0.0+100 0:0.0.0.1+100 0:0.0.0.2+100 0:0.0.0.3+100 0:0.0.0.4+100=40301063
         read 0:0.0.0.32",
        "t3+100, t3+100, t3+100, t3+100, t3+100 exits=6
         d1 exits=0",
    );
}

/// The first that is known of an address is a store to a table through it.
#[test]
fn a_stepped_store_by_an_unknown_way() {
    check(
        "t0[0] = table t1
         t0[1] = table t4 old
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1
         t4[0] = table t5 old
         t5[0] = table t6 old
         t6[0] = page t3 old clean
         root 0 t0
         on
         read 0:0.0.0.0
         write stepped 0:1.0.0.0 = page d2
         read 0:0.0.0.0
         peek t6",
        "d1 exits=1
         t3 exits=2
         d2 exits=0
         accessed dirty",
    );
}

#[test]
fn without_write_protection_the_kernel_writes_everywhere() {
    check(
        "machine wp=no
         t0[0] = table t1 ro
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1 ro clean user
         t3[1] = page t3 ro
         t3[2] = page d2
         root 0 t0
         on
         write 0:0.0.0.0 = 5
         peek t3
         write stepped 0:0.0.0.0 = 6
         write user 0:0.0.0.0
         write 0:0.0.0.1+18 = page d3
         write 0:0.0.0.3
         write stepped 0:0.0.0.1+18 = page d4
         read 0:0.0.0.3
         wp=yes
         write 0:0.0.0.0
         write 0:0.0.0.1
         read 0:0.0.0.3
         count flush_all",
        "d1 exits=1
         accessed dirty
         d1 exits=2
         permission 0 exits=1
         t3+18 exits=1
         d3 exits=1
         t3+18 exits=2
         d4 exits=0
         permission 0 exits=1
         permission 0 exits=1
         d4 exits=0
         flush_all 0",
    );
}

/// Stores that were met are remembered, and forgotten when anything on their way changes.
#[test]
fn a_store_that_was_met_is_another_when_its_way_changes() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page t3
         t3[1] = page d1
         t4[0] = table t5
         t5[0] = table t6
         t6[0] = table t7
         t7[0] = page t0
         root 0 t0
         on
         read 0:0.0.0.1
         write 0:0.0.0.0+100
         write 0:0.0.0.0+100
         t3[0] = page t2
         write 0:0.0.0.0+100
         write 0:0.0.0.0+100
         t3[0] = page t2 ro
         write 0:0.0.0.0+100
         t3[0] = page t2
         write 0:0.0.0.0+100
         write 0:0.0.0.0+100
         write user 0:0.0.0.0+100
         t2[0] = table t3 ro
         write 0:0.0.0.0+100
         t2[0] = table t3
         write 0:0.0.0.0+100
         write 0:0.0.0.0+100
         t1[0] = table t6
         write 0:0.0.0.0+100
         t1[0] = table t2
         write 0:0.0.0.0+100
         root 0 t4
         write 0:0.0.0.0+100",
        "d1 exits=1
         t3+100 exits=1
         t3+100 exits=1
         t2+100 exits=1
         t2+100 exits=1
         permission 0 exits=1
         t2+100 exits=1
         t2+100 exits=1
         permission 0 exits=1
         permission 0 exits=1
         t2+100 exits=1
         t2+100 exits=1
         t0+100 exits=1
         t2+100 exits=2
         t0+100 exits=1",
    );
}

/// Whether a leaf that the guest's tables do not let be written is dirty cannot be seen in its shadow.
#[test]
fn a_lent_store_to_a_table_sets_the_dirty_flag_each_time() {
    check(
        "machine wp=no
         t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page t3 ro clean
         root 0 t0
         on
         read 0:0.0.0.0
         write 0:0.0.0.0+100
         write 0:0.0.0.0+100
         peek t3
         t3[0] = page t3 ro clean
         peek t3
         write 0:0.0.0.0+100
         peek t3",
        "t3 exits=1
         t3+100 exits=1
         t3+100 exits=1
         accessed dirty
         accessed
         t3+100 exits=1
         accessed dirty",
    );
}

#[test]
fn large_leaves_stay_large() {
    check(
        "machine ram=2052M
         t0[0] = table t1
         t1[1] = block g1 clean
         t1[2] = table t2
         t2[0] = block b1
         root 0 t0
         on
         read 0:0.1.5.7
         write 0:0.1.5.7
         write 0:0.1.511.511+8
         write 0:0.2.0.3
         count blocks_split
         shadow",
        "80a07000 exits=1
         80a07000 exits=1
         bffff000+8 exits=0
         40203000 exits=1
         blocks_split 0
         t0@3[0] table t1
         t1@2[1] leaf 80000000
         t1@2[2] table t2
         t2@1[0] leaf 40200000",
    );
}

#[test]
fn a_block_with_tables_in_it_is_split() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = block b0 clean
         t2[1] = block b1
         root 0 t0
         on
         read 0:0.0.0.300
         read 0:0.0.0.301
         write 0:0.0.0.300
         write 0:0.0.0.0+8 = table t1
         write 0:0.0.1.7
         read 0:1.0.1.7
         peek t2
         count blocks_split",
        "4012c000 exits=1
         4012d000 exits=0
         4012c000 exits=1
         t0+8 exits=1
         40207000 exits=0
         40207000 exits=0
         accessed dirty
         blocks_split 0",
    );
}

#[test]
fn a_block_is_split_when_its_frame_becomes_a_table() {
    check(
        "t0[0] = table t1
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
         read 0:0.0.3.1",
        "40200000+8 exits=1
         t2+18 exits=1
         d1 exits=1
         40200000+8 exits=1
         d2 exits=0
         40201000 exits=0
         blocks_split 1
         t2+18 exits=1
         blocks_joined 0
         40200000+8 exits=1
         40200000+8 exits=0
         translation 1 exits=0",
    );
}

#[test]
fn whatever_is_not_ram_is_a_device() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page device old clean
         t3[1] = page 10000
         t3[2] = page device ro
         t2[1] = block 10000000
         root 0 t0
         on
         write 0:0.0.0.0+18
         write 0:0.0.0.0+18
         peek t3
         read 0:0.0.0.1
         write 0:0.0.0.2
         read 0:0.0.0.2+4
         read 0:0.0.1.1
         read user 0:0.0.0.0
         shadow",
        "device+18 exits=1
         device+18 exits=1
         accessed dirty
         nothing 10000 exits=1
         permission 0 exits=1
         device+4 exits=1
         nothing 10001000 exits=1
         permission 0 exits=1
         t0@3[0] table t1
         t1@2[0] table t2
         t2@1[0] table t3
         t2@1[1] device
         t3@0[0] device
         t3@0[1] device
         t3@0[2] device",
    );
}

#[test]
fn tables_outside_ram_are_all_ones() {
    check(
        "t0[0] = table t1
         t0[1] = table device
         t1[0] = table 10000
         root 0 t0
         on
         read 0:1.0.0.0
         read 0:0.0.0.0
         root 0 device
         read 0:0.0.0.0
         read 0:0.0.0.0
         root 0 t0
         read 0:2.0.0.0",
        "reserved 2 exits=1
         reserved 1 exits=1
         reserved 3 exits=1
         reserved 3 exits=1
         translation 3 exits=0",
    );
}

#[test]
fn a_root_that_maps_itself() {
    check(
        "t0[511] = table t0 old
         t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1
         root 0 t0
         on
         read 1:255.511.511.511
         peek t0+ff8
         write 1:255.511.511.511+10 = table t1
         peek t0+ff8
         read 0:2.0.0.0
         write 1:255.0.0.0+8 = page d2
         read 0:0.0.0.1
         write 1:255.511.511.511+ff8 = 0
         read 1:255.511.511.511
         read 0:0.0.0.1",
        "t0 exits=1
         accessed
         t0+10 exits=1
         accessed dirty
         d1 exits=1
         t3+8 exits=1
         d2 exits=1
         t0+ff8 exits=1
         translation 3 exits=0
         d2 exits=0",
    );
}

#[test]
fn the_upper_half_is_flushed_by_its_own_addresses() {
    check(
        "t0[256] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1
         root 0 t0
         on
         write 1:0.0.0.0
         t3[0] = page d2
         write 1:0.0.0.0
         t3[0] = page d2 ro
         write 1:0.0.0.0
         t3[0] = page d2
         write 1:0.0.0.0
         count flush_address
         count flush_all",
        "d1 exits=1
         d2 exits=0
         permission 0 exits=1
         d2 exits=1
         flush_address 3
         flush_all 0",
    );
}

#[test]
fn global_pages_are_not_global_in_the_shadow() {
    check(
        "t0[0] = table t2
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = table t4
         t4[0] = page d1 global ignored
         root 0 t0
         on
         read 0:0.0.0.0
         root 0 t1
         read 0:0.0.0.0
         t4[0] = page d2 global
         read 0:0.0.0.0
         root 0 t0
         read 0:0.0.0.0",
        "d1 exits=1
         d1 exits=0
         d2 exits=0
         d2 exits=0",
    );
}

#[test]
fn memory_types_are_kept() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1
         root 0 t0
         on
         read 0:0.0.0.0
         t3[0] = page d1 other
         read 0:0.0.0.0
         count flush_address",
        "d1 exits=1
         d1 exits=0
         flush_address 1",
    );
}

/// A fault whose cause is gone makes the hardware forget its address, once.
#[test]
fn a_fault_without_a_cause() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0] = page d1
         root 0 t0
         on
         write 0:0.0.0.0
         count flush_address
         spurious 0:0.0.0.0
         count flush_address
         count faults_retried",
        "d1 exits=1
         flush_address 0
         flush_address 1
         faults_retried 1",
    );
}

#[test]
fn marks_are_no_sign_of_a_dead_table() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[0..15] = page d1 old clean
         t4[0] = table t1
         root 0 t0
         on
         write 0:0.0.0.0
         root 0 t4
         write 0:0.0.0.1
         write 0:0.0.0.2
         write 0:0.0.0.3
         write 0:0.0.0.4
         write 0:0.0.0.5
         write 0:0.0.0.6
         write 0:0.0.0.7
         write 0:0.0.0.8
         write 0:0.0.0.9
         count shadows_abandoned
         root 0 t0
         write 0:0.0.0.9",
        "d1 exits=1
         d1 exits=1
         d1 exits=1
         d1 exits=1
         d1 exits=1
         d1 exits=1
         d1 exits=1
         d1 exits=1
         d1 exits=1
         d1 exits=1
         shadows_abandoned 0
         d1 exits=0",
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
         read 9000000
         on
         read 0:0.0.0.0",
        "d1 exits=1
         free 64
         t0 exits=0
         device+0 exits=0
         translation 2 exits=1",
    );
}

#[test]
fn a_fault_fills_what_is_around_it() {
    check(
        "machine around=2
         t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[5] = page d1
         t3[31] = page d2
         t3[33] = page d3
         t3[40] = page d4
         t3[60] = page d5 old
         t3[300] = page d6
         root 0 t0
         on
         read 0:0.0.0.5
         write 0:0.0.0.31
         read 0:0.0.0.6
         read 0:0.0.0.301
         count around_again
         shadow
         read 0:0.0.0.40
         read 0:0.0.0.33
         read 0:0.0.0.60
         read 0:0.0.0.300
         count around_faults
         count around_filled
         count around_again",
        "d1 exits=1
         d2 exits=0
         translation 0 exits=0
         translation 0 exits=0
         around_again 0
         t0@3[0] table t1
         t1@2[0] table t2
         t2@1[0] table t3
         t3@0[5] leaf d1
         t3@0[31] leaf d2
         t3@0[33] unknown
         t3@0[40] unknown
         t3@0[60] unknown
         t3@0[300] unknown
         d4 exits=1
         d3 exits=0
         d5 exits=1
         d6 exits=1
         around_faults 3
         around_filled 5
         around_again 2",
    );
}

#[test]
fn without_fault_around_each_page_is_filled_alone() {
    check(
        "machine without=fault-around
         t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t3[5] = page d1
         t3[6] = page d2
         root 0 t0
         on
         read 0:0.0.0.5
         read 0:0.0.0.6
         read 0:0.0.0.6
         read 0:0.0.0.7
         count around_faults",
        "d1 exits=1
         d2 exits=1
         d2 exits=0
         translation 0 exits=0
         around_faults 0",
    );
}

#[test]
fn what_is_filled_later_is_a_table_by_then() {
    check(
        "machine around=0
         t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t2[1] = table t5
         t3[0] = page d1
         t3[8] = page d2
         t3[9] = page t5
         t3[10] = page d3 clean
         root 0 t0
         on
         read 0:0.0.0.0
         read 0:0.0.1.0
         t3[8] = page d4
         write 0:0.0.0.9 = 0
         write 0:0.0.0.10
         read 0:0.0.0.8
         shadow",
        "d1 exits=1
         translation 0 exits=1
         t5 exits=1
         d3 exits=1
         d4 exits=0
         t0@3[0] table t1
         t1@2[0] table t2
         t2@1[0] table t3
         t2@1[1] table empty
         t3@0[0] leaf d1
         t3@0[8] leaf d4
         t3@0[9] leaf t5 protected
         t3@0[10] leaf d3",
    );
}

#[test]
fn the_parts_of_a_block_are_filled_around_the_fault() {
    check(
        "machine around=0 largest=4k
         t0[0] = table t1
         t1[0] = table t2
         t2[0] = block b1
         root 0 t0
         on
         read 0:0.0.0.9
         read 0:0.0.0.15
         read 0:0.0.0.16
         count around_again",
        "40209000 exits=1
         4020f000 exits=0
         40210000 exits=1
         around_again 1",
    );
}

#[test]
fn a_device_is_recognised_until_its_entry_changes() {
    check(
        "t0[0] = table t1
         t1[0] = table t2
         t2[0] = table t3
         t2[1] = block device
         t3[0] = page device clean
         root 0 t0
         on
         read 0:0.0.0.0
         read 0:0.0.0.0+8
         write 0:0.0.0.0
         peek t3
         write 0:0.0.0.0
         read user 0:0.0.0.0
         t3[0] = page device clean
         write 0:0.0.0.0
         peek t3
         t3[0] = page device ro
         write 0:0.0.0.0
         read 0:0.0.0.0
         t3[0] = page d1
         read 0:0.0.0.0
         read 0:0.0.1.7
         read 0:0.0.1.7
         t1[0] = table t2 nx old
         read 0:0.0.1.7
         peek t1
         t2[1] = block device old
         read 0:0.0.1.7
         peek t2+8
         t1[0] = table t2
         t2[1] = block device user
         read user 0:0.0.1.7
         read user 0:0.0.1.7
         t2[1] = block device
         read user 0:0.0.1.7",
        "device+0 exits=1
         device+8 exits=1
         device+0 exits=1
         accessed dirty
         device+0 exits=1
         permission 0 exits=1
         device+0 exits=1
         accessed dirty
         permission 0 exits=1
         device+0 exits=1
         d1 exits=0
         nothing 9007000 exits=1
         nothing 9007000 exits=1
         nothing 9007000 exits=1
         accessed
         nothing 9007000 exits=1
         accessed dirty
         nothing 9007000 exits=1
         nothing 9007000 exits=1
         permission 1 exits=1",
    );
}
