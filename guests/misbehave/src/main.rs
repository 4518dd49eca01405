//! `misbehave`: what no guest should do. The first argument says what.
//!
//! A hypervisor must outlive all of it: some of it is the guest's own affair, some of it ends the
//! guest with a report, and some of it ends only when somebody asks.
#![no_std]
#![no_main]

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

mod addresses;
mod calls;

use rt::println;

rt::entry!(main);

/// What may be asked for, and what does it.
type Deed = (&'static str, fn());

/// What every machine may be asked for.
const DEEDS: &[Deed] = &[
    ("status", status),
    ("panic", || panic!("as asked")),
    ("calls", calls::absurd),
    ("phases", calls::phases),
    ("lists", calls::lists),
    ("spin", spin),
    ("nowhere", addresses::nowhere),
    ("beyond", addresses::beyond),
    ("table-beyond", addresses::table_beyond),
    ("table-device", addresses::table_device),
];

fn main() {
    let asked = rt::args().next().unwrap_or_default();
    let deeds = || DEEDS.iter().chain(arch::DEEDS);
    let Some((name, deed)) = deeds().find(|(name, _)| *name == asked) else {
        println!("misbehave: the argument is one of:");
        deeds().for_each(|(name, _)| println!("  {name}"));
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

/// Does nothing, for ever.
fn spin() {
    loop {
        core::hint::spin_loop();
    }
}
