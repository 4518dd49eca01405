//! Pages mapped on demand, and touched again, while what is mapped grows to 1 GiB.
//!
//! Of each 16 MiB the second half maps the frames of the first once more, so that a machine with
//! 1 GiB of RAM is enough.

use rt::quick::{self, Handler};
use rt::space::{self, Access, FRAME, Space, USER};
use rt::{check, entry};

use crate::{mark, marked, marks, row};

/// How much is mapped at each measurement, in MiB: its name, and that of its phases.
const SIZES: [(u64, [&str; 2]); 4] = [
    (16, ["map-16", "touch-16"]),
    (64, ["map-64", "touch-64"]),
    (256, ["map-256", "touch-256"]),
    (1024, ["map-1024", "touch-1024"]),
];
/// Pages of a MiB.
const MIB: u64 = (1 << 20) / FRAME;
/// Pages that are mapped in a row and measured together: 16 MiB.
const PART: u64 = 16 * MIB;
/// Frames of a part, each of which is mapped twice.
const FRAMES: u64 = PART / 2;
/// Pages of a leaf table.
const TABLE: u64 = 512;
/// A step through the pages that comes by each of a power of two of them, near and far in turn.
const STRIDE: u64 = 0x9e37_79b1;

/// The pages that are mapped so far.
struct Mapped {
    space: Space,
    /// The first frame.
    first: space::Frame,
    pages: u64,
}

pub(crate) fn rows() {
    let parts = SIZES.iter().map(|(size, _)| size * MIB / PART).max().unwrap_or_default();
    let mut mapped = Mapped { first: marked(parts * FRAMES), space: Space::new(1), pages: 0 };
    mapped.space.activate();
    for (size, [map, touch]) in SIZES {
        while mapped.pages + PART < size * MIB {
            mapped.grow();
        }
        row("map", map, size, PART, || mapped.grow());
        row("touch", touch, size, PART, || mapped.touch());
    }
    mapped.space.destroy();
}

impl Mapped {
    /// Maps the next part, each page when it is touched.
    fn grow(&mut self) {
        let frame = self.pages / 2;
        for _ in 0..PART / FRAMES {
            self.demand(frame);
            let sum = (self.pages..self.pages + FRAMES)
                .fold(0, |sum: u64, page| sum.wrapping_add(self.read(page)));
            quick::remove();
            check!(sum == marks(frame, FRAMES), "{} pages mapped: sum {sum:#x}", self.pages);
            self.pages += FRAMES;
        }
    }

    /// Makes the leaf tables of the next pages, and has each mapped, from `frame` on, when it faults.
    fn demand(&mut self, frame: u64) {
        let start = USER + self.pages * FRAME;
        let entries = self.space.entry(start);
        for page in (0..FRAMES).step_by(TABLE as usize) {
            let expected = entries.wrapping_add(page as usize);
            let found = self.space.entry(start + page * FRAME);
            check!(found == expected, "leaf tables are not in a row");
        }
        let first = entry::page(self.first.plus(frame), Access::ReadWrite);
        let region = quick::Region { start, entries, first, asid: self.space.asid() };
        // SAFETY: entries and frames are this space's.
        unsafe { quick::install(Handler::Demand, &region) };
    }

    /// Touches as many pages as a part has, here and there among all that are mapped.
    fn touch(&self) {
        for step in 0..PART {
            let page = step.wrapping_mul(STRIDE) % self.pages;
            let (part, within) = (page / PART, page % FRAMES);
            let (read, expected) = (self.read(page), mark(part * FRAMES + within));
            check!(read == expected, "page {page} reads {read:#x}");
        }
    }

    /// Reads a page that is mapped, or becomes so.
    #[inline(always)]
    fn read(&self, page: u64) -> u64 {
        // SAFETY: by the caller of `quick::install`, or of `touch`.
        unsafe { ((USER + page * FRAME) as *const u64).read_volatile() }
    }
}
