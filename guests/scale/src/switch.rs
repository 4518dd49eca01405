//! Switches among address spaces, each with tables of its own on four levels and 16 touched pages.

use alloc::vec::Vec;

use rt::check;
use rt::space::{self, Access, FRAME, Frame, Space, USER};

use crate::{marked, marks, row};

/// How many spaces there are at each measurement, and the names of its phases.
const SIZES: [(u64, [&str; 2]); 3] = [
    (16, ["switch-16", "switch-cold-16"]),
    (64, ["switch-64", "switch-cold-64"]),
    (256, ["switch-256", "switch-cold-256"]),
];
/// Pages that each space has and reads.
const PAGES: u64 = 16;
/// Switches of a measurement.
const SWITCHES: u64 = 4096;

pub(crate) fn rows() {
    let most = SIZES.iter().map(|(size, _)| *size).max().unwrap_or_default();
    let first = marked(most * PAGES);
    let mut spaces = Vec::with_capacity(most as usize);
    for (size, [warm, cold]) in SIZES {
        let known = spaces.len();
        spaces.extend((known as u64..size).map(|number| made(number, first)));
        row("switch-cold", cold, size, size - known as u64, || round(&spaces, known));
        round(&spaces, 0);
        row("switch", warm, size, SWITCHES, || {
            (0..SWITCHES / size).for_each(|_| round(&spaces, 0));
        });
    }
    space::activate_kernel();
    spaces.into_iter().for_each(Space::destroy);
}

/// A space with its pages mapped.
fn made(number: u64, first: Frame) -> Space {
    let mut space = Space::new(1 + number as u16);
    for page in 0..PAGES {
        // SAFETY: a frame of ours, which nothing writes now.
        unsafe {
            space.map(USER + page * FRAME, first.plus(number * PAGES + page), Access::ReadWrite);
        }
    }
    space
}

/// Switches to each space from the one with the number `first` on, and reads its pages.
fn round(spaces: &[Space], first: usize) {
    for (number, space) in (0..).zip(spaces).skip(first) {
        space.activate();
        let sum = (0..PAGES).fold(0, |sum: u64, page| {
            // SAFETY: the pages are mapped.
            let word = unsafe { ((USER + page * FRAME) as *const u64).read_volatile() };
            sum.wrapping_add(word)
        });
        check!(sum == marks(number * PAGES, PAGES), "space {number} reads {sum:#x}");
    }
}
