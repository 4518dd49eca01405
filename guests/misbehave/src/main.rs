//! `misbehave`: what no guest should do. The first argument says what.
//!
//! A hypervisor must outlive all of it: some of it is the guest's own affair, some of it ends the
//! guest with a report, and some of it ends only when somebody asks.
#![no_std]
#![no_main]

mod addresses;
mod calls;
mod processor;

use rt::println;

rt::entry!(main);

/// What may be asked for, and what does it.
const DEEDS: &[(&str, fn())] = &[
    ("status", status),
    ("panic", || panic!("as asked")),
    ("calls", calls::absurd),
    ("phases", calls::phases),
    ("smc", calls::smc),
    ("garbage", processor::garbage),
    ("fault-loop", processor::fault_loop),
    ("spin", processor::spin),
    ("sleep", processor::sleep),
    ("privilege", processor::privilege),
    ("granule", processor::granule),
    ("nowhere", addresses::nowhere),
    ("beyond", addresses::beyond),
    ("table-beyond", addresses::table_beyond),
    ("table-device", addresses::table_device),
    ("root-beyond", addresses::root_beyond),
    ("device-pair", addresses::device_pair),
    ("device-code", addresses::device_code),
];

fn main() {
    let asked = rt::args().next().unwrap_or_default();
    let Some((name, deed)) = DEEDS.iter().find(|(name, _)| *name == asked) else {
        println!("misbehave: the argument is one of:");
        DEEDS.iter().for_each(|(name, _)| println!("  {name}"));
        rt::exit(rt::status::UNSUITABLE);
    };
    println!("@ misbehave deed={name}");
    deed();
    println!("@ misbehave outlived={name}");
}

/// Ends with the status that the second argument names, 42 if there is none.
fn status() {
    let status = rt::args().nth(1).and_then(|text| text.parse().ok());
    rt::exit(status.unwrap_or(42));
}
