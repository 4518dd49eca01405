//! What the modelled runs of the guest say, for one access.

use serde::Serialize;
use serde_json::{Value, json};

use super::cost::{Costs, Counts, Step};
use super::defaults::Defaults;
use super::{GUEST, Settings};
use crate::arch::Arch;
use crate::cli::Paging;
use crate::lab::Mode;
use crate::page::cells::{computer, distinct};
use crate::results::{Modelled, Results};
use crate::run::ResultLine;

/// The rows and their names, in the order in which they are offered.
const ROWS: [(&str, &str); 4] = [
    ("chase-4k", "chase-4k: pages of 4 KiB"),
    ("chase-2m", "chase-2m: pages of 2 MiB"),
    ("mixed-64", "mixed-64: a change in 64 accesses"),
    ("mixed-1024", "mixed-1024: a change in 1,024 accesses"),
];
/// The row and the block that are shown at first, if they are there.
const FIRST: (&str, u32) = ("mixed-1024", 12);
/// Bytes of a page, which sizes are counted in.
const PAGE: f64 = 4096.0;

/// A working set, and what is counted for one access to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Point {
    pages: u64,
    instructions: f64,
    exits: f64,
    /// Table reads without and with walk caches.
    reads: [f64; 2],
}

/// What one mode takes over all sizes.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Curve {
    place: String,
    row: &'static str,
    /// The block of nested paging, log2; none under shadow paging.
    block: Option<u32>,
    points: Vec<Point>,
}

/// A computer that has curves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its word.
    pub(super) word: String,
    /// Its name.
    pub(super) name: String,
    /// Its instruction set.
    pub(super) arch: Arch,
}

/// All curves, and what can be chosen among them.
#[derive(Clone, Debug)]
pub(super) struct Data {
    /// The computers.
    pub(super) places: Vec<Place>,
    curves: Vec<Curve>,
}

impl Point {
    /// The point that a line of a run's results tells of.
    fn of(model: &Modelled, line: &ResultLine) -> Option<Self> {
        let fields = &line.fields;
        let (row, pages) = (fields.text("row").ok()?, fields.number("size").ok()?);
        let (ops, ticks) = (fields.number("ops").ok()?, fields.number("ticks").ok()?);
        let part = model.output.part(&format!("{row}-{pages}"))?;
        if ops == 0 || pages == 0 {
            return None;
        }
        let each = |count: u64| count as f64 / ops as f64;
        let programs = [&part.guest, &part.hypervisor];
        let reads = [
            programs.map(|counts| counts.plain.reads.total()).iter().sum(),
            programs.map(|counts| counts.cached.reads.total()).iter().sum(),
        ];
        let (instructions, exits) = (each(ticks), each(part.exits));
        Some(Self { pages, instructions, exits, reads: reads.map(each) })
    }

    /// The bytes of the working set.
    pub(super) fn bytes(&self) -> f64 {
        self.pages as f64 * PAGE
    }

    /// What is counted, without or with walk caches.
    pub(super) fn counts(&self, cached: bool) -> Counts {
        let Self { instructions, exits, reads, .. } = *self;
        Counts { instructions, exits, reads: reads[usize::from(cached)] }
    }
}

impl Curve {
    /// The curve of a row in a modelled run.
    fn of(model: &Modelled, place: &str, row: &'static str) -> Self {
        let is = |line: &&ResultLine| line.fields.text("row").is_ok_and(|of| of == row);
        let lines = model.lines.iter().filter(is);
        let mut points: Vec<_> = lines.filter_map(|line| Point::of(model, line)).collect();
        points.sort_by_key(|point| point.pages);
        Self { place: place.to_owned(), row, block: model.block, points }
    }
}

impl Data {
    /// Those of the results.
    pub(super) fn of(results: &Results) -> Self {
        let mut data = Self { places: Vec::new(), curves: Vec::new() };
        let cells = results.cells.iter().filter(|cell| cell.guest == GUEST);
        let cells = cells.filter(|cell| cell.place.mode != Mode::Native && cell.error().is_none());
        for cell in cells {
            let shadow = cell.place.mode == Mode::Under(Paging::Shadow);
            let models = cell
                .models
                .iter()
                .filter(|model| model.output.refused.is_none() && model.block.is_none() == shadow);
            let word = &cell.place.computer;
            let curves = models.flat_map(|model| ROWS.map(|(row, _)| Curve::of(model, word, row)));
            data.curves.extend(curves.filter(|curve| !curve.points.is_empty()));
            let name = computer(&cell.place);
            let place = Place { word: word.clone(), name, arch: cell.place.arch };
            if !data.places.contains(&place) {
                data.places.push(place);
            }
        }
        let has_both = |place: &Place| {
            let curves = data.curves.iter().filter(|curve| curve.place == place.word);
            distinct(curves.map(|curve| curve.block.is_some())).len() == 2
        };
        data.places.retain(has_both);
        data
    }

    /// The rows that there are.
    pub(super) fn rows(&self) -> Vec<(&'static str, &'static str)> {
        let is_there = |row: &str| self.curves.iter().any(|curve| curve.row == row);
        ROWS.into_iter().filter(|(row, _)| is_there(row)).collect()
    }

    /// The blocks of nested paging that there are.
    pub(super) fn blocks(&self) -> Vec<u32> {
        let mut blocks = distinct(self.curves.iter().filter_map(|curve| curve.block));
        blocks.sort_unstable();
        blocks
    }

    /// What is set at first; nothing where nothing can be compared.
    pub(super) fn first(&self, defaults: &Defaults) -> Option<Settings> {
        let place = self.places.first()?;
        let (rows, blocks) = (self.rows(), self.blocks());
        let row = rows.iter().find(|(row, _)| *row == FIRST.0).or_else(|| rows.last())?.0;
        let block = blocks.iter().find(|&&block| block == FIRST.1).or_else(|| blocks.first())?;
        let costs = defaults.costs(place.arch);
        let (place, row) = (place.word.clone(), row.to_owned());
        Some(Settings { place, row, block: *block, cached: true, costs })
    }

    /// The sizes that ran in both modes, and what they cost.
    pub(super) fn steps(&self, settings: &Settings) -> Vec<Step> {
        let Settings { place, row, block, cached, costs } = settings;
        let points = |block: Option<u32>| {
            let is =
                |curve: &&Curve| curve.place == *place && curve.row == row && curve.block == block;
            self.curves.iter().find(is).map_or(&[][..], |curve| &curve.points)
        };
        let shadow = points(None);
        let pairs = points(Some(*block)).iter().filter_map(|nested| {
            Some([nested, shadow.iter().find(|shadow| shadow.pages == nested.pages)?])
        });
        pairs.map(|pair| Step::new(pair, *cached, costs)).collect()
    }

    /// The same for the script.
    pub(super) fn json(&self, defaults: &Defaults) -> Value {
        let exit = |place: &Place| {
            let Costs { exit, .. } = defaults.costs(place.arch);
            (place.word.clone(), json!(exit))
        };
        let exits: serde_json::Map<_, _> = self.places.iter().map(exit).collect();
        json!({ "exits": exits, "curves": self.curves })
    }
}
