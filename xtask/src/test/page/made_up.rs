//! Results of a model that nobody ran: figures by formula, to look at a page with.
//!
//! They are of the right shape and size and nothing more. An access takes some instructions; a TLB of
//! 1,280 entries misses in proportion to what does not fit; a walk reads a fixed number of entries; a change
//! of a mapping costs shadow paging two exits and 2,400 instructions.

use mmu_model::counts::{ByStages, Counts, Output, Part, SCHEMA, VERSION, Walks};

use crate::cli::Paging;
use crate::computer::{Accel, Computer, Model};
use crate::lab::{Mode, Place};
use crate::results::{Cell, Modelled, Results, Source};
use crate::run;

/// The geometry that is named.
const GEOMETRY: &str = "cortex-a76";
/// The guest.
const GUEST: &str = "tlb-chase";
/// Rows: the size of their pages, log2, and after how many accesses a mapping changes.
const ROWS: [(&str, u32, Option<u64>); 4] = [
    ("chase-4k", 12, None),
    ("chase-2m", 21, None),
    ("mixed-64", 12, Some(64)),
    ("mixed-1024", 12, Some(1024)),
];
/// Accesses of a row.
const OPS: u64 = 65_536;
/// Entries of the TLB.
const ENTRIES: u64 = 1280;
/// What nested paging has: a block, log2, and the reads of a walk without and with walk caches.
const NESTED: [(u32, [u64; 2]); 3] = [(12, [24, 4]), (21, [19, 3]), (30, [14, 2])];
/// The reads of a walk of one table.
const SINGLE: [u64; 2] = [4, 1];
/// Instructions and exits of a change under shadow paging, and instructions of one under any other.
const CHANGE: (u64, u64, u64) = (2400, 2, 60);

/// All of them.
pub(crate) fn results() -> Results {
    let umbra = Source { version: "0.0.0".to_owned(), commit: None, dirty: None };
    let mut results = Results {
        complete: true,
        geometry: mmu_model::presets::named(GEOMETRY),
        ..Results::new(umbra, Vec::new(), std::iter::empty())
    };
    for (computer, instructions) in [(Computer::Virt, 4), (Computer::Q35(Accel::Tcg), 3)] {
        let cells = Mode::ALL.map(|mode| cell(Place { computer, mode }, instructions));
        results.cells.extend(cells);
    }
    let computer = Computer::Bochs(Model::SKYLAKE);
    results.cells.extend(Mode::ALL.map(|mode| Cell {
        ran: Some(1_000_000),
        unmodelled: Some("Bochs has no plugins".to_owned()),
        ..Cell::new(GUEST, Place { computer, mode }, "instructions")
    }));
    results
}

fn cell(place: Place, instructions: u64) -> Cell {
    let blocks = match place.mode {
        Mode::Under(Paging::Nested) => NESTED.map(|(block, _)| Some(block)).to_vec(),
        Mode::Under(Paging::Shadow) | Mode::Native => vec![None],
    };
    let models: Vec<_> =
        blocks.into_iter().map(|block| model(place.mode, block, instructions)).collect();
    Cell {
        ran: models.first().and_then(|model| model.ran),
        exits: models.first().map(|model| model.output.whole().exits),
        models,
        ..Cell::new(GUEST, place, "instructions")
    }
}

fn model(mode: Mode, block: Option<u32>, instructions: u64) -> Modelled {
    let (mut console, mut parts, mut ran) = (String::new(), Vec::new(), 0);
    for (row, page, rate) in ROWS {
        for pages in (4..=12).chain([14, 16]).map(|log2| 1_u64 << log2) {
            let changes = rate.map_or(0, |rate| OPS / rate);
            let is_shadow = mode == Mode::Under(Paging::Shadow);
            let (each, exits) = if is_shadow { (CHANGE.0, CHANGE.1) } else { (CHANGE.2, 0) };
            let ticks = OPS * instructions + changes * each;
            console +=
                &format!("@ chase row={row} size={pages} ops={OPS} ticks={ticks} per_op=0.0\n");
            parts.push(part(format!("{row}-{pages}"), mode, block, pages, page, changes * exits));
            ran += ticks;
        }
    }
    let output = Output {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        geometry: GEOMETRY.to_owned(),
        refused: None,
        parts,
        unseen: Vec::new(),
        check: None,
    };
    Modelled { block, ran: Some(ran), lines: run::results(&console), output }
}

fn part(phase: String, mode: Mode, block: Option<u32>, pages: u64, page: u32, exits: u64) -> Part {
    // What the TLB holds is as large as the smaller of the two stages' leaves.
    let leaf = block.map_or(page, |block| block.min(page));
    let entries = (pages >> (leaf - 12)).max(1);
    let missed = OPS * entries.saturating_sub(ENTRIES) / entries;
    let reads =
        NESTED.iter().find(|(of, _)| Some(*of) == block).map_or(SINGLE, |(_, reads)| *reads);
    let [plain, cached] = reads.map(|reads| Walks {
        walks: by_stages(block.is_some(), missed),
        reads: by_stages(block.is_some(), missed * reads),
    });
    let guest = Counts { loads: OPS, l1_data_misses: missed, plain, cached, ..Counts::default() };
    let hypervisor = match mode {
        Mode::Native => Counts::default(),
        Mode::Under(_) => Counts { loads: 200 * exits, fetches: 1 + exits, ..Counts::default() },
    };
    Part { phase, exits, guest, hypervisor }
}

fn by_stages(is_nested: bool, count: u64) -> ByStages {
    match is_nested {
        true => ByStages { two_dimensional: count, ..ByStages::default() },
        false => ByStages { one_dimensional: count, ..ByStages::default() },
    }
}
