//! Simulated memory: a pool of tables that the TLB watches, and RAM that exists where it is touched.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell};

use crate::addr::{ENTRIES, Frame, GuestPhys, HostPhys, Index};
use crate::layout::Layout;
use crate::mem::{self, Entries};
use crate::pool::PageId;
use crate::sim::hardware::{POOL, Tlb};

/// A frame of the pool.
#[derive(Debug)]
pub struct Table {
    page: PageId,
    tlb: Tlb,
}

impl Entries for Table {
    fn get(&self, at: Index) -> u64 {
        self.tlb.word(self.page, at)
    }

    fn set(&self, at: Index, raw: u64) {
        self.tlb.write(self.page, at, raw);
    }
}

/// A frame of RAM.
#[derive(Debug)]
pub struct GuestFrame(Box<[Cell<u64>; ENTRIES]>);

impl Entries for GuestFrame {
    fn get(&self, at: Index) -> u64 {
        self.0[at.get()].get()
    }

    fn set(&self, at: Index, raw: u64) {
        self.0[at.get()].set(raw);
    }
}

/// Tables and RAM. A frame of RAM is zero until it is touched.
#[derive(Debug)]
pub struct Memory {
    layout: Layout,
    tables: Vec<Table>,
    ram: Vec<OnceCell<GuestFrame>>,
}

impl Memory {
    pub(super) fn new(layout: Layout, frames: u32, tlb: &Tlb) -> Self {
        let page = |number| PageId::new(number).map(|page| Table { page, tlb: tlb.clone() });
        Self {
            layout,
            tables: (1..=frames).filter_map(page).collect(),
            ram: (0..layout.frames()).map(|_| OnceCell::new()).collect(),
        }
    }

    /// The layout of the RAM.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The frames of RAM that were touched.
    pub fn touched(&self) -> impl Iterator<Item = (Frame<GuestPhys>, &GuestFrame)> {
        let first = self.layout.ram().number();
        self.ram.iter().enumerate().filter_map(move |(index, cell)| {
            Some((Frame::from_number(first + index as u64), cell.get()?))
        })
    }
}

impl mem::Memory for Memory {
    type Table = Table;
    type Guest = GuestFrame;

    fn table(&self, page: PageId) -> &Table {
        &self.tables[page.number() as usize - 1]
    }

    fn frame_of(&self, page: PageId) -> Frame<HostPhys> {
        Frame::from_number(POOL + u64::from(page.number()))
    }

    fn page_of(&self, frame: Frame<HostPhys>) -> Option<PageId> {
        let number = frame.number().checked_sub(POOL)?;
        (number <= self.tables.len() as u64).then(|| PageId::new(number as u32)).flatten()
    }

    fn hand_out(&self, page: PageId) {
        self.tables[page.number() as usize - 1].tlb.hand_out(page);
    }

    fn guest(&self, frame: Frame<GuestPhys>) -> Option<&GuestFrame> {
        let index = self.layout.ram_index(frame)?;
        Some(
            self.ram[index].get_or_init(|| GuestFrame(Box::new([const { Cell::new(0) }; ENTRIES]))),
        )
    }
}
