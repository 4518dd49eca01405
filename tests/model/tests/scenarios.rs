//! The shadow engine, by example.

use model::scenario::{check, run};

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
