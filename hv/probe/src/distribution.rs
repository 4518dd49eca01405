//! A distribution in fixed memory: exact moments, and a histogram fine enough for percentiles.
//!
//! Each power of two is cut into eight buckets, so a percentile is at most an eighth too high; sums,
//! extremes and the log2 histogram are exact.

/// Parts of one power of two, log2.
const FINE: u32 = 3;
/// Powers of two that are told apart; larger values count in the last.
const OCTAVES: u32 = 32;
/// Buckets of a histogram.
pub const BUCKETS: usize = ((OCTAVES - FINE + 1) << FINE) as usize;

/// The distribution of one event's durations.
#[derive(Clone, Debug)]
pub struct Distribution {
    samples: u64,
    inclusive: u64,
    exclusive: u64,
    squares: u128,
    min: u64,
    max: u64,
    histogram: [u32; BUCKETS],
}

impl Distribution {
    /// A distribution without samples.
    pub const EMPTY: Self = Self {
        samples: 0,
        inclusive: 0,
        exclusive: 0,
        squares: 0,
        min: u64::MAX,
        max: 0,
        histogram: [0; BUCKETS],
    };

    /// Adds a duration, of which `exclusive` was spent in the function itself.
    pub fn add(&mut self, inclusive: u64, exclusive: u64) {
        self.samples += 1;
        self.inclusive += inclusive;
        self.exclusive += exclusive;
        self.squares += u128::from(inclusive) * u128::from(inclusive);
        self.min = self.min.min(inclusive);
        self.max = self.max.max(inclusive);
        if let Some(bucket) = self.histogram.get_mut(bucket_of(inclusive)) {
            *bucket = bucket.saturating_add(1);
        }
    }

    /// How many durations were added.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// Their sum.
    #[must_use]
    pub const fn inclusive(&self) -> u64 {
        self.inclusive
    }

    /// The sum of what was spent in the function itself.
    #[must_use]
    pub const fn exclusive(&self) -> u64 {
        self.exclusive
    }

    /// The shortest, 0 without samples.
    #[must_use]
    pub const fn min(&self) -> u64 {
        if self.samples == 0 { 0 } else { self.min }
    }

    /// The longest.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The mean in tenths, rounded to the nearest.
    #[must_use]
    pub fn mean_tenths(&self) -> u64 {
        if self.samples == 0 {
            return 0;
        }
        let tenths = (u128::from(self.inclusive) * 10 + u128::from(self.samples / 2))
            / u128::from(self.samples);
        u64::try_from(tenths).unwrap_or(u64::MAX)
    }

    /// The standard deviation (of the whole population) in tenths, rounded down.
    #[must_use]
    pub fn deviation_tenths(&self) -> u64 {
        if self.samples == 0 {
            return 0;
        }
        let samples = u128::from(self.samples);
        let sum = u128::from(self.inclusive);
        let spread = samples.saturating_mul(self.squares).saturating_sub(sum.saturating_mul(sum));
        let tenths = (spread.saturating_mul(100) / (samples * samples)).isqrt();
        u64::try_from(tenths).unwrap_or(u64::MAX)
    }

    /// The value that `percent` of the samples do not exceed: the top of its bucket, and never more
    /// than the longest sample.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> u64 {
        let wanted = (self.samples * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (index, &count) in self.histogram.iter().enumerate() {
            seen += u64::from(count);
            if seen >= wanted {
                return top_of(index).min(self.max);
            }
        }
        self.max
    }

    /// The log2 histogram: for each power of two that has samples, its exponent and how many
    /// samples lie in `[2^exponent, 2^(exponent + 1))`. Exponent 0 holds 0 as well.
    pub fn log2(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        (0..OCTAVES).filter_map(move |exponent| {
            let count: u64 = self
                .histogram
                .iter()
                .enumerate()
                .filter(|&(index, _)| top_of(index).max(1).ilog2() == exponent)
                .map(|(_, &count)| u64::from(count))
                .sum();
            (count > 0).then_some((exponent, count))
        })
    }
}

/// The bucket that holds `value`.
fn bucket_of(value: u64) -> usize {
    if value < 1 << FINE {
        return value as usize;
    }
    let exponent = value.ilog2();
    if exponent >= OCTAVES {
        return BUCKETS - 1;
    }
    let within = (value >> (exponent - FINE)) - (1 << FINE);
    (((exponent - FINE + 1) << FINE) as usize) + within as usize
}

/// The largest value that bucket `index` holds.
fn top_of(index: usize) -> u64 {
    if index < 1 << FINE {
        return index as u64;
    }
    let exponent = (index as u32 >> FINE) + FINE - 1;
    let within = (index as u64) & ((1 << FINE) - 1);
    (((1 << FINE) + within + 1) << (exponent - FINE)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for value in (0..5000).chain([65_535, 65_536, 1 << 31, u64::from(u32::MAX)]) {
            let bucket = bucket_of(value);
            assert!(top_of(bucket) >= value, "{value} above the top of {bucket}");
            assert!(bucket == 0 || top_of(bucket - 1) < value, "{value} below bucket {bucket}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn moments_and_percentiles() {
        let mut distribution = Distribution::EMPTY;
        for value in 1..=100 {
            distribution.add(value, value / 2);
        }
        assert_eq!(distribution.mean_tenths(), 505);
        assert_eq!(distribution.deviation_tenths(), 288);
        assert_eq!((distribution.min(), distribution.max()), (1, 100));
        assert_eq!(distribution.percentile(50), 51);
        assert_eq!(distribution.percentile(99), 100);
        assert_eq!(distribution.log2().map(|(_, count)| count).sum::<u64>(), 100);
        assert_eq!(distribution.log2().next(), Some((0, 1)));
    }

    #[test]
    fn an_empty_distribution_is_all_zero() {
        let empty = Distribution::EMPTY;
        assert_eq!(
            (empty.min(), empty.max(), empty.mean_tenths(), empty.percentile(50)),
            (0, 0, 0, 0)
        );
    }
}
