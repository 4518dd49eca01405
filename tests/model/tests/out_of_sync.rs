//! Leaf tables that are set aside, by example, on both architectures.

use model::scenario;
use paging::format::vmsa_stage1::Stage1;
use paging::format::x64::X64;

/// A way to the leaf table t3.
const WAY: &str = "t0[0] = table t1
     t1[0] = table t2
     t2[0] = table t3
     root 0 t0
     on
     ";

/// The same on both architectures.
fn check(fixture: &str, expect: &str) {
    check_each(fixture, expect, expect);
}

/// A right that was given is told to no TLB on x86, where it costs a fault at most.
fn check_each(fixture: &str, arm: &str, x86: &str) {
    let fixture = format!("{WAY}{fixture}");
    scenario::check::<Stage1>(&fixture, arm);
    scenario::check::<X64>(&fixture, x86);
}

#[test]
fn a_table_that_is_stored_to_again_and_again_costs_one_exit_at_its_next_use() {
    check(
        "t3[0..511] = page d0
         read 0:0.0.0.0
         t3[0..255] = page d1
         count tables_unsynced
         read 0:0.0.0.5
         write 0:0.0.0.6
         t3[7] = page d2
         read 0:0.0.0.7
         read 0:0.0.1.0
         count tables_resynced
         count entries_resynced
         count unsync_wrong",
        "d0 exits=1
         tables_unsynced 1
         d1 exits=1
         d1 exits=0
         d2 exits=0
         translation 1 exits=0
         tables_resynced 1
         entries_resynced 240
         unsync_wrong 0",
    );
}

#[test]
fn without_the_step_every_store_is_carried_out() {
    check(
        "machine without=out-of-sync
         t3[0] = page d0
         read 0:0.0.0.0
         t3[0..511] = page d1
         count tables_unsynced
         read 0:0.0.0.5",
        "d0 exits=1
         tables_unsynced 0
         d1 exits=0",
    );
}

/// A table above the leaf tables, and a root, stay where they are.
#[test]
fn only_leaf_tables_are_set_aside() {
    check(
        "t3[0] = page d0
         read 0:0.0.0.0
         t2[1..400] = table t3
         t0[1..400] = table t1
         count tables_unsynced
         read 0:0.0.9.0
         write 0:9.0.0.0",
        "d0 exits=1
         tables_unsynced 0
         d0 exits=0
         d0 exits=0",
    );
}

/// Every way to it is cut, and each is made known at its own next use.
#[test]
fn several_ways_lead_to_one_table() {
    check(
        "t3[0] = page d0
         t2[1] = table t3
         read 0:0.0.0.0
         read 0:0.0.1.0
         t3[0..63] = page d1
         count tables_unsynced
         read 0:0.0.0.0
         read 0:0.0.1.0
         read 0:0.0.1.1
         count tables_resynced",
        "d0 exits=1
         d0 exits=1
         tables_unsynced 1
         d1 exits=1
         d1 exits=1
         d1 exits=0
         tables_resynced 1",
    );
}

/// The frame of a table that is set aside is written like any other, and by the next use of the table it
/// holds something else.
#[test]
fn the_frame_is_no_table_meanwhile() {
    check_each(
        "t2[1] = table t4
         t4[0] = page t3
         t3[0] = page d0
         read 0:0.0.0.0
         read 0:0.0.1.1
         t3[0..63] = page d1
         write 0:0.0.1.0 = page d2
         write 0:0.0.1.0+8 = page d3
         read 0:0.0.0.0
         write 0:0.0.1.0 = page d4
         read 0:0.0.0.0
         read 0:0.0.0.1
         count tables_resynced",
        "d0 exits=1
         translation 0 exits=1
         t3 exits=0
         t3+8 exits=0
         d2 exits=1
         t3 exits=1
         d4 exits=0
         d3 exits=0
         tables_resynced 1",
        "d0 exits=1
         translation 0 exits=1
         t3 exits=1
         t3+8 exits=0
         d2 exits=1
         t3 exits=1
         d4 exits=0
         d3 exits=0
         tables_resynced 1",
    );
}

/// What is mapped by a table set aside becomes a table, and is none any more.
#[test]
fn leaves_of_a_table_set_aside_are_protected_like_others() {
    check_each(
        "t3[0] = page t5
         t3[1] = page t6
         t2[1] = table t6
         read 0:0.0.0.0
         read 0:0.0.1.0
         t3[8..71] = page d1
         t2[2] = table t5
         read 0:0.0.2.0
         t2[1] = 0
         count tables_unsynced
         count tables_resynced
         write 0:0.0.0.0
         write 0:0.0.0.0
         write 0:0.0.0.1",
        "t5 exits=1
         translation 0 exits=1
         translation 0 exits=1
         tables_unsynced 1
         tables_resynced 0
         t5 exits=2
         t5 exits=1
         t6 exits=0",
        "t5 exits=1
         translation 0 exits=1
         translation 0 exits=1
         tables_unsynced 1
         tables_resynced 0
         t5 exits=1
         t5 exits=1
         t6 exits=0",
    );
}

/// A table that maps itself is taken back at each store through it: every exit still gets the guest further, and
/// soon it is left alone.
#[test]
fn a_table_that_maps_itself_does_not_bounce() {
    let mut fixture = "t3[0] = page t3\n".to_owned();
    for store in 0..256 {
        fixture += &format!("write 0:0.0.0.0+{:x} = page d1\n", 8 * (1 + store % 9));
    }
    fixture += "count tables_unsynced\ncount unsync_wrong\n";
    for said in [
        scenario::run::<Stage1>(&format!("{WAY}{fixture}")),
        scenario::run::<X64>(&format!("{WAY}{fixture}")),
    ] {
        let counted: Vec<_> = said.lines().skip(256).collect();
        assert_eq!(counted, ["tables_unsynced 3", "unsync_wrong 3"]);
        let exits: u32 =
            said.lines().filter_map(|line| line.split_once("exits=")?.1.parse::<u32>().ok()).sum();
        assert!(exits <= 256 + 2 + 3, "{exits} exits");
    }
}

/// A wrong guess makes the next one need a longer run.
#[test]
fn a_wrong_guess_is_not_repeated_at_once() {
    let store = "t3[9] = page d1\n".repeat(16);
    check(
        &format!(
            "t3[0] = page d0
             read 0:0.0.0.0
             {store}
             read 0:0.0.0.0
             count unsync_wrong
             {store}
             count tables_unsynced
             {store}
             {store}
             count tables_unsynced"
        ),
        "d0 exits=1
         d0 exits=1
         unsync_wrong 1
         tables_unsynced 1
         tables_unsynced 2",
    );
}

/// Of what a guest does between its stores, faults that exit end a run.
#[test]
fn a_run_ends_with_another_fault() {
    let mut fixture = "t3[0] = page d0\nt2[1..99] = table t4\nread 0:0.0.0.0\n".to_owned();
    for entry in 1..99 {
        fixture += &format!("t3[{entry}..{}] = page d1\nread 0:0.0.{entry}.0\n", entry + 3);
    }
    fixture += "count tables_unsynced\n";
    for said in [
        scenario::run::<Stage1>(&format!("{WAY}{fixture}")),
        scenario::run::<X64>(&format!("{WAY}{fixture}")),
    ] {
        assert_eq!(said.lines().last(), Some("tables_unsynced 0"));
    }
}

#[test]
fn a_table_set_aside_becomes_one_of_tables() {
    check(
        "t3[0] = page d0
         read 0:0.0.0.0
         t3[0..63] = page d1
         t1[1] = table t3
         t3[0] = table t4
         t4[3] = page d2
         read 0:0.1.0.3
         read 0:0.0.0.1
         count tables_unsynced
         count tables_resynced",
        "d0 exits=1
         d2 exits=1
         d1 exits=1
         tables_unsynced 1
         tables_resynced 0",
    );
}

/// Blocks stay split while a table in them is set aside, and are joined when it goes.
#[test]
fn blocks_are_not_joined_for_a_while() {
    check(
        "machine ram=8M
         t2[1] = block b0
         t3[0] = page d1
         read 0:0.0.0.0
         read 0:0.0.1.256
         count blocks_joined
         t3[0..63] = page d2
         count tables_unsynced
         count blocks_joined
         read 0:0.0.1.256",
        "d1 exits=1
         d0 exits=1
         blocks_joined 0
         tables_unsynced 1
         blocks_joined 0
         d0 exits=0",
    );
}

#[test]
fn a_reset_gives_up_tables_set_aside() {
    check(
        "t3[0] = page d0
         read 0:0.0.0.0
         t3[0..63] = page d1
         off
         free
         on
         read 0:0.0.0.3",
        "d0 exits=1
         free 64
         d1 exits=1",
    );
}

/// Devices, refused entries and entries without their accessed flag are taken back as they are.
#[test]
fn entries_of_every_kind_are_taken_back() {
    check_each(
        "t3[0..511] = page d0
         read 0:0.0.0.0
         t3[0..79] = page d1 ro
         t3[80] = page device
         t3[81] = page 200000000000
         t3[82] = page t0
         t3[83] = page t3
         t3[84..120] = 0
         read 0:0.0.0.3
         write 0:0.0.0.3
         read 0:0.0.0.80
         write 0:0.0.0.82+808
         write 0:0.0.0.83+ff8
         read 0:0.0.0.84
         read 0:0.0.0.200",
        "d0 exits=1
         d1 exits=1
         permission 0 exits=0
         device+0 exits=1
         t0+808 exits=1
         t3+ff8 exits=1
         translation 0 exits=0
         d0 exits=0",
        "d0 exits=1
         d1 exits=1
         permission 0 exits=1
         device+0 exits=1
         t0+808 exits=1
         t3+ff8 exits=1
         translation 0 exits=0
         d0 exits=0",
    );
}

/// While XD is a reserved bit, a page with it is refused however its table came to be shadowed.
#[test]
fn a_refused_page_is_refused_in_a_table_that_was_stored_to() {
    let fixture = format!(
        "machine nxe=no
         {WAY}
         t3[0..63] = page d0
         read 0:0.0.0.0
         t3[0..63] = page d1 nx
         t3[64] = page d2
         count tables_unsynced
         read 0:0.0.0.64
         read 0:0.0.0.40"
    );
    scenario::check::<X64>(
        &fixture,
        "d0 exits=1
         tables_unsynced 0
         d2 exits=0
         reserved 0 exits=1",
    );
}
