//! The machine's RAM, where the emulator has it.

use std::fs;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use mmu_model::config::{BACKEND_KIND, Ram as Place};
use mmu_model::memory::Physical;
use paging::addr::Hpa;

/// The machine's RAM.
pub(crate) struct Ram {
    /// The emulator's mapping of it.
    mapping: Range<usize>,
    places: Vec<Place>,
}

impl Ram {
    /// Finds the mapping among the emulator's own.
    pub(crate) fn find(places: &[Place]) -> Result<Self, String> {
        let size: u64 = places.iter().map(|place| place.size).sum();
        let maps = fs::read_to_string("/proc/self/maps")
            .map_err(|why| format!("the emulator's mappings cannot be read: {why}"))?;
        let mapping = maps.lines().filter(|line| line.contains(BACKEND_KIND)).find_map(|line| {
            let (start, end) = line.split_whitespace().next()?.split_once('-')?;
            let address = |text| usize::from_str_radix(text, 16).ok();
            let mapping = address(start)?..address(end)?;
            (mapping.len() as u64 == size).then_some(mapping)
        });
        let mapping = mapping.ok_or("the machine's RAM is not where it should be")?;
        Ok(Self { mapping, places: places.to_vec() })
    }

    /// The physical address of a byte of the emulator's memory, if it is of the machine's.
    pub(crate) fn physical(&self, host: usize) -> Option<Hpa> {
        let offset = host.checked_sub(self.mapping.start)? as u64;
        let place = self
            .places
            .iter()
            .find(|place| (place.offset..place.offset + place.size).contains(&offset))?;
        Some(Hpa::from_bits(place.base + (offset - place.offset)))
    }
}

impl Physical for Ram {
    fn read(&self, at: Hpa) -> Option<u64> {
        let at = at.bits();
        let place = self.places.iter().find(|place| {
            at.checked_sub(place.base).is_some_and(|inside| inside + 8 <= place.size)
        })?;
        let address = self.mapping.start as u64 + place.offset + (at - place.base);
        if !address.is_multiple_of(8) {
            return None;
        }
        // SAFETY: the 8 bytes lie in the mapping, which stays as long as the machine; who else writes them are
        // the vCPU and devices, so they are read as something shared.
        let word = unsafe { &*(address as *const AtomicU64) };
        Some(word.load(Ordering::Relaxed))
    }
}
