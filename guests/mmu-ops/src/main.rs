//! `mmu-ops`: what one operation on page tables costs, operation by operation.
//!
//! The rows, their order and their parameters are those of the project's reference definition, which
//! has the figures of other hypervisors for the same operations. A row's figures are ticks of
//! the clock around each operation, the clock's own excluded; what a row sets up or checks is outside
//! of them, and each row is a phase, so that the report has its exits too.
#![no_std]
#![no_main]

mod region;
mod rows;
mod spaces;

use region::Region;
use rt::{frames, println};

rt::entry!(main);

/// Pages of the region.
const PAGES: u64 = 4096;
/// Rounds of the rows b and c.
const ROUNDS: usize = 3;

fn main() {
    frames::require(PAGES + 1024);
    rt::batch::ask();
    let cost = rt::clock::cost();
    println!("@ mmu-ops clock_cost={cost} frequency={}", rt::clock::frequency());
    rows::null_exits(cost);
    let mut region = Region::new(PAGES);
    rows::demand_and_unmap(&mut region, cost);
    rows::true_fault(&region, cost);
    rows::access_flag(&mut region, cost);
    region.map_all();
    rows::warm(&region, cost);
    rows::protect(&mut region, cost);
    rows::protect_many(&mut region, cost);
    spaces::fork_and_exit(&region, cost);
    spaces::switch(&region, cost);
}
