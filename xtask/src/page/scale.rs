//! From figures to places in a drawing.

use crate::table::number;

/// What a tick takes of an axis, with its text.
const TICK: f64 = 44.0;

/// Figures from 0 on, in even steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linear {
    /// Where 0 is, and where [`Linear::end`] is.
    range: (f64, f64),
    step: f64,
    end: f64,
}

impl Linear {
    /// A scale to `range` that reaches `max` at least, and ends at a round figure.
    pub(super) fn new(max: f64, range: (f64, f64)) -> Self {
        let max = if max.is_finite() && max > 0.0 { max } else { 1.0 };
        let rough = max / ((range.1 - range.0).abs() / TICK).clamp(2.0, 5.0).floor();
        let power = 10_f64.powf(rough.log10().floor());
        let round = [1.0, 2.0, 2.5, 5.0].into_iter().find(|round| round * power >= rough);
        let step = round.unwrap_or(10.0) * power;
        // What floating-point division leaves over is no step.
        Self { range, step, end: (max / step - 1e-9).ceil() * step }
    }

    /// Where a figure is.
    pub(super) fn at(&self, value: f64) -> f64 {
        let (from, to) = self.range;
        from + (to - from) * (value / self.end).clamp(0.0, 1.0)
    }

    /// The figures that are marked.
    pub(super) fn ticks(&self) -> impl Iterator<Item = f64> {
        let step = self.step;
        (0..=(self.end / step).round() as u32).map(move |tick| f64::from(tick) * step)
    }
}

/// Figures of which each step is the double of the one before, by their log2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log2 {
    range: (f64, f64),
    first: f64,
    last: f64,
}

impl Log2 {
    /// A scale from `first` to `last`, both log2, to `range`.
    pub(super) fn new((first, last): (f64, f64), range: (f64, f64)) -> Self {
        Self { range, first, last: last.max(first + 1.0) }
    }

    /// Where the figure with this log2 is.
    pub(super) fn at(&self, log2: f64) -> f64 {
        let (from, to) = self.range;
        let share = (log2 - self.first) / (self.last - self.first);
        from + (to - from) * share.clamp(0.0, 1.0)
    }
}

/// A figure as short as a drawing wants it, with at most so many decimals.
pub(super) fn short(value: f64, most: usize) -> String {
    let (value, unit) = match value {
        1e9.. => (value / 1e9, " G"),
        1e6.. => (value / 1e6, " M"),
        1e4.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    format!("{}{unit}", decimals(value, most))
}

/// A figure with its thousands parted, and one decimal.
pub(super) fn tenths(value: f64) -> String {
    fixed(value, 1)
}

/// The same with so many decimals.
pub(super) fn fixed(value: f64, places: u32) -> String {
    let scale = 10_u64.pow(places);
    let all = (value * scale as f64).round() as u64;
    format!("{}.{:0width$}", number(all / scale), all % scale, width = places as usize)
}

/// A figure with at most so many decimals, and no zero at their end.
pub(super) fn decimals(value: f64, most: usize) -> String {
    let text = format!("{value:.most$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(max: f64) -> Vec<f64> {
        Linear::new(max, (0.0, 4.0 * TICK)).ticks().collect()
    }

    #[test]
    fn an_axis_ends_at_a_round_figure() {
        assert_eq!(ticks(3.9), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(ticks(4.0), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(ticks(9.0), [0.0, 2.5, 5.0, 7.5, 10.0]);
        assert_eq!(ticks(1100.0), [0.0, 500.0, 1000.0, 1500.0]);
        assert!((1..10_000).all(|max| ticks(f64::from(max)).len() <= 6));
    }

    #[test]
    fn nothing_at_all_has_an_axis() {
        assert_eq!(ticks(0.0).len(), 5);
        assert_eq!(ticks(f64::NAN).len(), 5);
        assert!(Log2::new((3.0, 3.0), (0.0, 1.0)).at(3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(short(0.0, 2), "0");
        assert_eq!(short(2.5, 2), "2.5");
        assert_eq!(short(2500.0, 2), "2500");
        assert_eq!(short(150_000.0, 2), "150 k");
        assert_eq!(short(1_250_000.0, 1), "1.2 M");
        assert_eq!(decimals(100.0, 0), "100");
        assert_eq!(tenths(1234.56), "1,234.6");
        assert_eq!(fixed(1.03, 4), "1.0300");
    }
}
