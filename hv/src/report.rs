//! Every line that a program will read.
//!
//! One line a fact, in a fixed order, so that two reports can be compared as text. What the records
//! mean is listed in the README, "The records". They are printed when the guest is over, outside everything
//! that is measured.

use core::fmt::{self, Write};

use arch::{Mmu, Platform};
use hv_abi::record::{MARK, VERSION, WORD};
use paging::addr::PAGE_SIZE;
use paging::mem::Env;
use paging::pool::Pool;
use paging::switch::SwitchSet;
use probe::{Clock, Counts, Distribution, Event, Full, Kind, Off, Probe};

use crate::machine::{End, Line, Machine};
use crate::phase::Phases;

/// What a probe has to say.
pub trait Report: Probe {
    /// The name of its kind.
    const NAME: &'static str;

    /// Prepares for a run in which one exit in `rate` is measured; returns the probe's own cost.
    fn prepare(&mut self, rate: u32) -> u64;
    /// How often `event` happened, if that was counted.
    fn count_of(&self, event: Event) -> Option<u64>;
    /// Its durations, if they were measured.
    fn distribution_of(&self, event: Event) -> Option<&Distribution>;
    /// One exit in how many was measured; 0: none.
    fn rate_of(&self) -> u32;
}

impl Report for Off {
    const NAME: &'static str = "off";

    fn prepare(&mut self, _rate: u32) -> u64 {
        0
    }
    fn count_of(&self, _event: Event) -> Option<u64> {
        None
    }
    fn distribution_of(&self, _event: Event) -> Option<&Distribution> {
        None
    }
    fn rate_of(&self) -> u32 {
        0
    }
}

impl Report for Counts {
    const NAME: &'static str = "counts";

    fn prepare(&mut self, _rate: u32) -> u64 {
        0
    }
    fn count_of(&self, event: Event) -> Option<u64> {
        Some(self.of(event))
    }
    fn distribution_of(&self, _event: Event) -> Option<&Distribution> {
        None
    }
    fn rate_of(&self) -> u32 {
        0
    }
}

impl<C: Clock> Report for Full<C> {
    const NAME: &'static str = "full";

    fn prepare(&mut self, rate: u32) -> u64 {
        self.sample(rate);
        self.own_cost()
    }
    fn count_of(&self, event: Event) -> Option<u64> {
        Some(Full::count_of(self, event))
    }
    fn distribution_of(&self, event: Event) -> Option<&Distribution> {
        Some(self.distribution(event))
    }
    fn rate_of(&self) -> u32 {
        self.rate()
    }
}

/// What was known before the guest started.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The instruction set.
    pub arch: &'a str,
    /// The virtualization hardware.
    pub hardware: &'a str,
    /// The steps of shadow paging that the build has.
    pub switches: SwitchSet,
    /// The machine's name, padded with zeros.
    pub machine: &'a [u8],
    /// The image's name, padded with zeros.
    pub image: &'a [u8],
    /// Bytes of guest RAM.
    pub ram: u64,
    /// The largest leaf that may map it, log2.
    pub block_shift: u32,
    /// The clock's name.
    pub clock: &'a str,
    /// What one of its ticks is.
    pub unit: &'a str,
    /// Ticks in a second.
    pub frequency: u64,
    /// What an empty measurement seems to take.
    pub probe_cost: u64,
    /// Bytes of the hypervisor's image in memory, its stack included.
    pub image_bytes: u64,
    /// Bytes of its heap in use, without the records.
    pub heap_bytes: u64,
}

/// Text as a value: no spaces.
struct Name<'a>(&'a [u8]);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.split(|&byte| byte == 0).next().unwrap_or_default();
        if text.is_empty() {
            return f.write_char('-');
        }
        text.iter().try_for_each(|&byte| {
            f.write_char(if byte.is_ascii_graphic() { byte as char } else { '_' })
        })
    }
}

/// A number of tenths, with its decimal point.
struct Tenths(u64);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// Prints one record.
macro_rules! record {
    ($line:expr, $kind:literal $(, $format:literal $(, $value:expr)*)?) => {
        write!($line, "{}{} {}", MARK as char, WORD, $kind)
            $(.and_then(|()| write!($line, concat!(" ", $format) $(, $value)*)))?
            .and_then(|()| $line.write_char('\n'))
    };
}

impl<P: Platform<Env: Env<Probe: Report>>, B, L: Line> Machine<P, B, L> {
    /// Prints everything there is to say about the run that came to `end`.
    ///
    /// # Errors
    ///
    /// Those of the line.
    pub fn report(&mut self, facts: &Facts<'_>, end: End) -> fmt::Result {
        let Self { console, shared, mmu, phases, vcpu, .. } = self;
        let line: &mut dyn Write = &mut console.line;
        let run = Run {
            facts,
            mode: P::Mmu::NAME,
            phases,
            records: mmu.record_bytes(),
            pool: &shared.pool,
        };
        run.print(line, &*shared.probe)?;
        if matches!(end, End::Asked | End::Killed(_)) {
            write!(line, "{}{} vcpu ", MARK as char, WORD)?;
            arch::Vcpu::describe(vcpu, &mut &mut *line)?;
            if let Some(last) = phases.last() {
                write!(line, " phase={}", Name(last))?;
            }
            line.write_char('\n')?;
        }
        finish(line, end)
    }
}

/// What there is to say of a run, on whatever processor.
struct Run<'a> {
    facts: &'a Facts<'a>,
    /// The paging mode.
    mode: &'a str,
    phases: &'a Phases,
    /// Bytes of the records that the mode keeps.
    records: usize,
    pool: &'a Pool,
}

impl Run<'_> {
    /// Prints how it was built, what was measured, and what memory was used for.
    #[inline(never)]
    fn print<R: Report>(&self, line: &mut dyn Write, probe: &R) -> fmt::Result {
        let Self { facts, mode, phases, records, pool } = *self;
        // Whatever the guest printed last, records begin on a line of their own.
        line.write_char('\n')?;
        record!(line, "begin", "version={}", VERSION)?;
        record!(
            line,
            "build",
            "version={} arch={} virt={} paging={} probes={} on={}",
            env!("CARGO_PKG_VERSION"),
            facts.arch,
            facts.hardware,
            mode,
            R::NAME,
            facts.switches
        )?;
        record!(
            line,
            "machine",
            "name={} image={} ram={} block={} cpus=1",
            Name(facts.machine),
            Name(facts.image),
            facts.ram,
            facts.block_shift
        )?;
        record!(
            line,
            "clock",
            "name={} unit={} hz={} probe_cost={} sample={}",
            facts.clock,
            facts.unit,
            facts.frequency,
            facts.probe_cost,
            probe.rate_of()
        )?;
        if R::RECORDS {
            events(line, probe)?;
        }
        for phase in phases.done() {
            write!(line, "{}{} phase", MARK as char, WORD)?;
            write!(line, " name={} ops={}", Name(&phase.name), phase.operations)?;
            if R::RECORDS {
                write!(line, " exits={}", phase.exits)?;
            }
            if probe.rate_of() > 0 {
                write!(line, " time={}", phase.time)?;
            }
            line.write_char('\n')?;
        }
        let own = facts.image_bytes + facts.heap_bytes;
        record!(
            line,
            "memory",
            "image={} own={} records={} tables={} pool={}",
            facts.image_bytes,
            own,
            records,
            pool.peak() * PAGE_SIZE as usize,
            pool.size() * PAGE_SIZE as usize
        )
    }
}

/// Prints how a run ended.
#[inline(never)]
fn finish(line: &mut dyn Write, end: End) -> fmt::Result {
    let (kind, code, reason) = match end {
        End::Exit(code) => ("exit", code, "exit"),
        End::Off => ("off", 0, "off"),
        End::Asked => ("stopped", 1, "asked"),
        End::Killed(stop) => ("killed", 1, stop.name()),
    };
    record!(line, "verdict", "kind={} code={} reason={}", kind, code, reason)?;
    record!(line, "end")
}

/// Prints what the probe recorded of every event.
fn events(line: &mut dyn Write, probe: &impl Report) -> fmt::Result {
    let exits = || Event::ALL.iter().copied().filter(|event| event.kind() == Kind::Exit);
    let samples: u64 =
        exits().filter_map(|event| probe.distribution_of(event)).map(Distribution::samples).sum();
    record!(line, "exits", "total={} samples={} time={}", probe.exits(), samples, probe.time())?;
    for &event in Event::ALL {
        let Some(count) = probe.count_of(event).filter(|&count| count > 0) else { continue };
        let name = event.name();
        let (kind, function) = match event.kind() {
            Kind::Counter => {
                record!(line, "counter", "name={} value={}", name, count)?;
                continue;
            }
            Kind::Exit => ("exit", None),
            Kind::Function => ("fn", None),
            Kind::Outcome(of) => ("outcome", Some(of.name())),
        };
        write!(line, "{}{} {}", MARK as char, WORD, kind)?;
        if let Some(function) = function {
            write!(line, " fn={function}")?;
        }
        write!(line, " name={name} count={count}")?;
        if let Some(times) = probe.distribution_of(event) {
            durations(line, event, times)?;
        }
        line.write_char('\n')?;
        if let Some(times) = probe.distribution_of(event).filter(|times| times.samples() > 0) {
            write!(line, "{}{} hist kind={}", MARK as char, WORD, kind)?;
            if let Some(function) = function {
                write!(line, " fn={function}")?;
            }
            write!(line, " name={name} log2=")?;
            for (place, (exponent, count)) in times.log2().enumerate() {
                let comma = if place == 0 { "" } else { "," };
                write!(line, "{comma}{exponent}:{count}")?;
            }
            line.write_char('\n')?;
        }
    }
    Ok(())
}

/// Prints the moments and percentiles of an event's durations.
fn durations(line: &mut dyn Write, event: Event, times: &Distribution) -> fmt::Result {
    write!(line, " samples={}", times.samples())?;
    if event.kind() == Kind::Function {
        write!(line, " incl={} excl={}", times.inclusive(), times.exclusive())?;
    } else if event.kind() == Kind::Exit {
        write!(line, " sum={} excl={}", times.inclusive(), times.exclusive())?;
    } else {
        write!(line, " sum={}", times.inclusive())?;
    }
    write!(
        line,
        " mean={} stddev={} min={} max={} p50={} p90={} p99={}",
        Tenths(times.mean_tenths()),
        Tenths(times.deviation_tenths()),
        times.min(),
        times.max(),
        times.percentile(50),
        times.percentile(90),
        times.percentile(99)
    )
}
