//! Samples: the ticks of each operation of a row, and the line that sums them up.

use alloc::vec::Vec;

/// What was measured. Room is made at the start, so that adding one allocates nothing.
pub struct Samples(Vec<u32>);

impl Samples {
    /// None yet, room for `count`.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds one.
    #[inline(always)]
    pub fn add(&mut self, ticks: u64) {
        self.0.push(ticks.min(u32::MAX.into()) as u32);
    }

    /// Prints `@ <guest> row=<row> name=<name> ops= min= median= mean=`.
    pub fn print(mut self, guest: &str, row: &str, name: &str) {
        self.0.sort_unstable();
        let count = self.0.len() as u64;
        let (Some(min), Some(median)) = (self.0.first(), self.0.get(self.0.len() / 2)) else {
            crate::println!("@ {guest} row={row} name={name} ops=0");
            return;
        };
        let sum: u64 = self.0.iter().map(|ticks| u64::from(*ticks)).sum();
        let tenths = (sum * 10 + count / 2) / count;
        let (whole, tenth) = (tenths / 10, tenths % 10);
        crate::println!(
            "@ {guest} row={row} name={name} ops={count} min={min} median={median} mean={whole}.{tenth}"
        );
    }
}
