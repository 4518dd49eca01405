//! The probes: nothing, counts, counts and time, and marks for tests.

use core::marker::PhantomData;

use crate::{Clock, Distribution, Event, Kind, Probe, Span};

/// Records nothing and costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Off;

impl Probe for Off {
    const STAMPED: bool = false;
    const RECORDS: bool = false;
    type Stamp = ();

    #[inline(always)]
    fn enter(&mut self, _stamp: u64) -> Span<()> {
        Span(())
    }
    #[inline(always)]
    fn start(&mut self) -> Span<()> {
        Span(())
    }
    #[inline(always)]
    fn stop(&mut self, _event: Event, _span: Span<()>) {}
    #[inline(always)]
    fn stop_as(&mut self, _event: Event, _outcome: Event, _span: Span<()>) {}
    #[inline(always)]
    fn count(&mut self, _event: Event, _times: u64) {}
    fn exits(&self) -> u64 {
        0
    }
    fn time(&self) -> u64 {
        0
    }
}

/// Counts events and reads no clock.
#[derive(Clone, Debug)]
pub struct Counts {
    counts: [u64; Event::COUNT],
    exits: u64,
}

impl Counts {
    /// Nothing counted yet.
    pub const NEW: Self = Self { counts: [0; Event::COUNT], exits: 0 };

    /// How often `event` happened.
    #[must_use]
    pub const fn of(&self, event: Event) -> u64 {
        self.counts[event.index()]
    }
}

impl Probe for Counts {
    const STAMPED: bool = false;
    const RECORDS: bool = true;
    type Stamp = ();

    #[inline]
    fn enter(&mut self, _stamp: u64) -> Span<()> {
        self.exits += 1;
        Span(())
    }
    #[inline]
    fn start(&mut self) -> Span<()> {
        Span(())
    }
    #[inline]
    fn stop(&mut self, event: Event, _span: Span<()>) {
        self.counts[event.index()] += 1;
    }
    #[inline]
    fn stop_as(&mut self, event: Event, outcome: Event, _span: Span<()>) {
        self.counts[event.index()] += 1;
        self.counts[outcome.index()] += 1;
    }
    #[inline]
    fn count(&mut self, event: Event, times: u64) {
        self.counts[event.index()] += times;
    }
    fn exits(&self) -> u64 {
        self.exits
    }
    fn time(&self) -> u64 {
        0
    }
}

/// Counts every event and measures those of the sampled exits.
#[derive(Debug)]
pub struct Full<C> {
    counts: Counts,
    distributions: [Distribution; Event::COUNT],
    /// What the events within the innermost open span have taken so far.
    nested: u64,
    /// Whether this exit is measured.
    sampled: bool,
    /// One exit in how many is measured, on average.
    rate: u32,
    /// Exits until the next measured one.
    countdown: u32,
    /// State of the pseudo-random sequence that spaces the samples.
    random: u32,
    clock: PhantomData<C>,
}

/// When a span began, and what its caller's nested events had taken by then.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    since: u64,
    outer: u64,
}

impl<C: Clock> Full<C> {
    /// Nothing measured yet; every exit is a sample.
    pub const NEW: Self = Self {
        counts: Counts::NEW,
        distributions: [Distribution::EMPTY; Event::COUNT],
        nested: 0,
        sampled: false,
        rate: 1,
        countdown: 1,
        random: 0x9e37_79b9,
        clock: PhantomData,
    };

    /// From now on one exit in `rate` is measured, the distance between two of them pseudo-random
    /// with that mean. 0 means 1.
    pub const fn sample(&mut self, rate: u32) {
        self.rate = if rate == 0 { 1 } else { rate };
        self.countdown = 1;
    }

    /// One exit in how many is measured.
    #[must_use]
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// How often `event` happened, measured or not.
    #[must_use]
    pub const fn count_of(&self, event: Event) -> u64 {
        self.counts.of(event)
    }

    /// The durations of `event` in the measured exits.
    #[must_use]
    pub const fn distribution(&self, event: Event) -> &Distribution {
        &self.distributions[event.index()]
    }

    /// What an empty span seems to take: the probe's own cost, to be read beside every figure.
    /// Leaves nothing behind.
    pub fn own_cost(&mut self) -> u64 {
        let mut cost = u64::MAX;
        self.sampled = true;
        for _ in 0..16 {
            let before = C::now();
            let span = self.start();
            self.stop(Event::ExitOther, span);
            cost = cost.min(C::now() - before);
        }
        self.counts.counts[Event::ExitOther.index()] = 0;
        self.distributions[Event::ExitOther.index()] = Distribution::EMPTY;
        self.sampled = false;
        self.nested = 0;
        cost
    }

    /// Decides whether the exit that begins is a sample.
    #[inline]
    const fn choose(&mut self) {
        self.countdown -= 1;
        self.sampled = self.countdown == 0;
        if self.sampled {
            self.countdown = if self.rate == 1 {
                1
            } else {
                self.random ^= self.random << 13;
                self.random ^= self.random >> 17;
                self.random ^= self.random << 5;
                1 + self.random % (2 * self.rate - 1)
            };
        }
    }

    #[inline]
    fn close(&mut self, span: Span<Stamp>) -> (u64, u64) {
        let inclusive = C::now() - span.0.since;
        let exclusive = inclusive - self.nested;
        self.nested = span.0.outer + inclusive;
        (inclusive, exclusive)
    }
}

impl<C: Clock> Probe for Full<C> {
    const STAMPED: bool = true;
    const RECORDS: bool = true;
    type Stamp = Stamp;

    #[inline]
    fn enter(&mut self, stamp: u64) -> Span<Stamp> {
        self.counts.exits += 1;
        self.choose();
        self.nested = 0;
        Span(Stamp { since: stamp, outer: 0 })
    }

    #[inline]
    fn start(&mut self) -> Span<Stamp> {
        if !self.sampled {
            return Span(Stamp { since: 0, outer: 0 });
        }
        let outer = self.nested;
        self.nested = 0;
        Span(Stamp { since: C::now(), outer })
    }

    #[inline]
    fn stop(&mut self, event: Event, span: Span<Stamp>) {
        self.counts.count(event, 1);
        if self.sampled {
            let (inclusive, exclusive) = self.close(span);
            self.distributions[event.index()].add(inclusive, exclusive);
        }
    }

    #[inline]
    fn stop_as(&mut self, event: Event, outcome: Event, span: Span<Stamp>) {
        self.counts.count(event, 1);
        self.counts.count(outcome, 1);
        if self.sampled {
            let (inclusive, exclusive) = self.close(span);
            self.distributions[event.index()].add(inclusive, exclusive);
            self.distributions[outcome.index()].add(inclusive, exclusive);
        }
    }

    #[inline]
    fn count(&mut self, event: Event, times: u64) {
        self.counts.count(event, times);
    }

    fn exits(&self) -> u64 {
        self.counts.exits
    }

    fn time(&self) -> u64 {
        let exits = Event::ALL.iter().filter(|event| event.kind() == Kind::Exit);
        exits.map(|&event| self.distribution(event).inclusive()).sum()
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    std::thread_local! {
        static TIME: Cell<u64> = const { Cell::new(0) };
    }

    /// Ticks once for each reading.
    struct Ticks;
    impl Clock for Ticks {
        fn now() -> u64 {
            TIME.with(|time| time.replace(time.get() + 1))
        }
    }

    fn exit(probe: &mut Full<Ticks>) {
        let exit = probe.enter(Ticks::now());
        let fault = probe.start();
        for _ in 0..3 {
            let walk = probe.start();
            probe.stop(Event::GuestWalkTables, walk);
        }
        probe.stop_as(Event::ShPageFault, Event::FaultFixed, fault);
        let second = probe.start();
        probe.stop(Event::GetPage, second);
        probe.stop(Event::ExitData, exit);
    }

    fn sums(probe: &Full<Ticks>) -> (u64, u64) {
        let of = |wanted: fn(Kind) -> bool, time: fn(&Distribution) -> u64| {
            Event::ALL
                .iter()
                .filter(|event| wanted(event.kind()))
                .map(|&event| time(probe.distribution(event)))
                .sum()
        };
        (
            of(|kind| kind == Kind::Exit, Distribution::inclusive),
            of(|kind| matches!(kind, Kind::Exit | Kind::Function), Distribution::exclusive),
        )
    }

    #[test]
    fn exclusive_times_sum_to_the_time_of_all_exits() {
        let mut probe = Full::<Ticks>::NEW;
        for _ in 0..5 {
            exit(&mut probe);
        }
        let (exits, exclusive) = sums(&probe);
        assert_eq!(exits, exclusive);
        assert_eq!(probe.distribution(Event::GuestWalkTables).samples(), 15);
        assert_eq!(probe.distribution(Event::ShPageFault).exclusive(), 5 * 4);
    }

    #[test]
    fn sampling_keeps_counts_exact_and_the_identity() {
        let mut probe = Full::<Ticks>::NEW;
        probe.sample(10);
        for _ in 0..1000 {
            exit(&mut probe);
        }
        let samples = probe.distribution(Event::ExitData).samples();
        assert!((50..200).contains(&samples), "{samples} samples of 1000 at a rate of 10");
        assert_eq!(probe.count_of(Event::ExitData), 1000);
        assert_eq!(probe.count_of(Event::GuestWalkTables), 3000);
        assert_eq!(probe.distribution(Event::GuestWalkTables).samples(), 3 * samples);
        let (exits, exclusive) = sums(&probe);
        assert_eq!(exits, exclusive);
    }

    #[test]
    fn the_own_cost_leaves_no_trace() {
        let mut probe = Full::<Ticks>::NEW;
        assert!(probe.own_cost() > 0);
        assert_eq!(probe.count_of(Event::ExitOther), 0);
        assert_eq!(probe.distribution(Event::ExitOther).samples(), 0);
    }
}
