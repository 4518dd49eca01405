//! The cells in the order and under the names in which the page shows them.

use crate::cli::Paging;
use crate::computer::{Accel, Computer, Model};
use crate::lab::Mode;
use crate::report::Report;
use crate::results::{Cell, Place, Results};

/// The modes in which a hypervisor is under the guest.
pub(super) const UNDER: [Mode; 2] = [Mode::Under(Paging::Nested), Mode::Under(Paging::Shadow)];

/// The guests, in the order in which they ran.
pub(super) fn guests(results: &Results) -> Vec<&str> {
    distinct(results.cells.iter().map(|cell| cell.guest.as_str()))
}

/// The computers that a guest ran on under the hypervisor, in the order in which it did.
pub(super) fn computers<'a>(results: &'a Results, guest: &str) -> Vec<&'a Place> {
    let places = results.cells.iter().filter(|cell| cell.guest == guest).map(|cell| &cell.place);
    let mut found = Vec::<&Place>::new();
    for place in places.filter(|place| place.mode != Mode::Native) {
        if !found.iter().any(|known| is_same_computer(known, place)) {
            found.push(place);
        }
    }
    found
}

fn is_same_computer(one: &Place, other: &Place) -> bool {
    (one.arch, &one.computer, &one.emulator) == (other.arch, &other.computer, &other.emulator)
}

/// The cell of a guest on a computer in a mode.
pub(super) fn find<'a>(
    results: &'a Results,
    guest: &str,
    computer: &Place,
    mode: Mode,
) -> Option<&'a Cell> {
    results.cells.iter().find(|cell| {
        cell.guest == guest && cell.place.mode == mode && is_same_computer(&cell.place, computer)
    })
}

/// The cells of a guest on a computer, natively, under nested and under shadow paging.
pub(super) fn modes<'a>(
    results: &'a Results,
    guest: &str,
    computer: &Place,
) -> [Option<&'a Cell>; 3] {
    let [nested, shadow] = UNDER.map(|mode| find(results, guest, computer, mode));
    let native = [nested, shadow].into_iter().flatten().find_map(|cell| results.native_of(cell));
    [native, nested, shadow]
}

/// The cells that have a report, each with it.
pub(super) fn reported(results: &Results) -> impl Iterator<Item = (&Cell, &Report)> {
    results.cells.iter().filter_map(|cell| Some((cell, cell.report.as_ref()?)))
}

/// What a person calls a computer.
pub(super) fn computer(place: &Place) -> String {
    let known = [
        (Computer::Virt, "Arm, QEMU"),
        (Computer::Q35(Accel::Tcg), "x86 SVM, QEMU"),
        (Computer::Bochs(Model::SKYLAKE), "x86 VT-x, Bochs"),
        (Computer::Bochs(Model::PENRYN), "x86 VT-x without EPT, Bochs"),
    ];
    let known = known.into_iter().find(|(computer, _)| {
        (computer.arch(), computer.word()) == (place.arch, place.computer.as_str())
    });
    known.map_or_else(
        || format!("{}, {} {}", place.arch.name(), place.emulator, place.computer),
        |(_, name)| name.to_owned(),
    )
}

/// The same with its mode.
pub(super) fn place(place: &Place) -> String {
    format!("{}, {}", computer(place), place.mode.name())
}

/// Each once, in the order in which they come first.
pub(super) fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for item in items {
        if !found.contains(&item) {
            found.push(item);
        }
    }
    found
}
