//! The hypervisor's report, read from its records.
//!
//! A record is a kind and `key=value` pairs. Kinds and keys that are not known are skipped, so that an
//! old reader can read a new report; a version that is not known is refused.

mod identities;
mod record;

use anyhow::{Context as _, Result, bail};
use hv_abi::record::VERSION;
use serde::{Deserialize, Serialize};

pub(crate) use self::record::{Fields, Record};

/// How the one record begins whose value is a sentence.
const ERROR: &str = "umbra error message=";

/// A whole report.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Report {
    /// How the hypervisor was built.
    pub(crate) build: Fields,
    /// What it ran.
    pub(crate) machine: Fields,
    /// What was measured with.
    pub(crate) clock: Fields,
    /// All exits together.
    pub(crate) exits: Totals,
    /// Exits by reason.
    pub(crate) reasons: Vec<Row>,
    /// The hypervisor's functions.
    pub(crate) functions: Vec<Row>,
    /// What calls of functions came to.
    pub(crate) outcomes: Vec<Row>,
    /// What is only counted.
    pub(crate) counters: Vec<Counter>,
    /// The guest's phases, in order.
    pub(crate) phases: Vec<Phase>,
    /// What memory was used for, in bytes.
    pub(crate) memory: Fields,
    /// Where a stopped guest stood.
    pub(crate) vcpu: Option<Fields>,
    /// How it ended.
    pub(crate) verdict: Option<Verdict>,
    /// Why the hypervisor gave up, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Whether the last record came.
    pub(crate) complete: bool,
}

/// All exits together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Totals {
    /// How many there were.
    pub(crate) total: u64,
    /// How many were measured.
    pub(crate) samples: u64,
    /// What the measured ones took.
    pub(crate) time: u64,
}

/// An event: how often, and how long.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) name: String,
    /// The function that an outcome is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function: Option<String>,
    /// How often it happened.
    pub(crate) count: u64,
    /// How long it took, where that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<Time>,
    /// log2 of a duration, and how many were at least as long as that and shorter than its double.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) histogram: Vec<(u32, u64)>,
}

/// A distribution of durations.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Time {
    /// How many were measured.
    pub(crate) samples: u64,
    /// Their sum.
    pub(crate) inclusive: u64,
    /// The same without what was spent in events within.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exclusive: Option<u64>,
    /// Mean.
    pub(crate) mean: f64,
    /// Standard deviation.
    pub(crate) stddev: f64,
    /// Shortest.
    pub(crate) min: u64,
    /// Longest.
    pub(crate) max: u64,
    /// Median.
    pub(crate) p50: u64,
    /// 90th percentile.
    pub(crate) p90: u64,
    /// 99th percentile.
    pub(crate) p99: u64,
}

/// Something that is only counted.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Counter {
    /// Its name.
    pub(crate) name: String,
    /// How often.
    pub(crate) value: u64,
}

/// A part of the guest's work.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Phase {
    /// Its name.
    pub(crate) name: String,
    /// How many operations it made.
    pub(crate) ops: u64,
    /// How many exits there were in it.
    pub(crate) exits: u64,
    /// What those took, where that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<u64>,
}

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Verdict {
    /// `exit`, `off`, `stopped` or `killed`.
    pub(crate) kind: String,
    /// Its exit status.
    pub(crate) code: u64,
    /// Why, in a word.
    pub(crate) reason: String,
}

impl Verdict {
    /// The exit status that a process gives for it. One that did not end by itself is no success.
    pub(crate) fn status(&self) -> u8 {
        let by_itself = matches!(self.kind.as_str(), "exit" | "off");
        match (self.code & 0xff) as u8 {
            0 if !by_itself => 1,
            status => status,
        }
    }
}

impl Report {
    /// Reads a report out of its records.
    pub(crate) fn parse(lines: &[String]) -> Result<Self> {
        let mut report = Self::default();
        for line in lines {
            if let Some(message) = line.strip_prefix(ERROR) {
                report.error = Some(message.trim_matches('"').to_owned());
                continue;
            }
            let Some(record) = Record::parse(line) else { continue };
            report.take(&record).with_context(|| format!("the record `{line}` cannot be read"))?;
        }
        Ok(report)
    }

    fn take(&mut self, record: &Record) -> Result<()> {
        let fields = &record.fields;
        match record.kind.as_str() {
            "begin" if fields.number("version")? != u64::from(VERSION) => {
                bail!("this tool reads reports of version {VERSION}")
            }
            "build" => self.build = fields.clone(),
            "machine" => self.machine = fields.clone(),
            "clock" => self.clock = fields.clone(),
            "exits" => {
                self.exits = Totals {
                    total: fields.number("total")?,
                    samples: fields.number_or_zero("samples"),
                    time: fields.number_or_zero("time"),
                };
            }
            "exit" => self.reasons.push(row(fields)?),
            "fn" => self.functions.push(row(fields)?),
            "outcome" => self.outcomes.push(row(fields)?),
            "hist" => self.histogram(fields)?,
            "counter" => self.counters.push(Counter {
                name: fields.text("name")?.to_owned(),
                value: fields.number("value")?,
            }),
            "phase" => self.phases.push(Phase {
                name: fields.text("name")?.to_owned(),
                ops: fields.number("ops")?,
                exits: fields.number_or_zero("exits"),
                time: fields.number("time").ok(),
            }),
            "memory" => self.memory = fields.clone(),
            "vcpu" => self.vcpu = Some(fields.clone()),
            "verdict" => {
                self.verdict = Some(Verdict {
                    kind: fields.text("kind")?.to_owned(),
                    code: fields.number("code")?,
                    reason: fields.text("reason").unwrap_or("none").to_owned(),
                });
            }
            "end" => self.complete = true,
            _ => {}
        }
        Ok(())
    }

    fn histogram(&mut self, fields: &Fields) -> Result<()> {
        let rows = match fields.text("kind")? {
            "exit" => &mut self.reasons,
            "fn" => &mut self.functions,
            "outcome" => &mut self.outcomes,
            _ => return Ok(()),
        };
        let name = fields.text("name")?;
        let function = fields.text("fn").ok();
        let wanted = |row: &&mut Row| row.name == name && row.function.as_deref() == function;
        if let Some(row) = rows.iter_mut().find(wanted) {
            row.histogram = buckets(fields.text("log2")?)?;
        }
        Ok(())
    }

    /// The value of a counter; one that is not there never counted.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.counters.iter().find(|counter| counter.name == name).map_or(0, |counter| counter.value)
    }

    /// The unit of its durations.
    pub(crate) fn unit(&self) -> &str {
        self.clock.text("unit").unwrap_or("ticks")
    }
}

fn row(fields: &Fields) -> Result<Row> {
    Ok(Row {
        name: fields.text("name")?.to_owned(),
        function: fields.text("fn").ok().map(str::to_owned),
        count: fields.number("count")?,
        time: fields.text("samples").is_ok().then(|| time(fields)).transpose()?,
        histogram: Vec::new(),
    })
}

fn time(fields: &Fields) -> Result<Time> {
    Ok(Time {
        samples: fields.number("samples")?,
        inclusive: fields.number("incl").or_else(|_| fields.number("sum"))?,
        exclusive: fields.number("excl").ok(),
        mean: fields.decimal("mean")?,
        stddev: fields.decimal("stddev")?,
        min: fields.number("min")?,
        max: fields.number("max")?,
        p50: fields.number("p50")?,
        p90: fields.number("p90")?,
        p99: fields.number("p99")?,
    })
}

fn buckets(text: &str) -> Result<Vec<(u32, u64)>> {
    let pair = |part: &str| {
        let (log2, count) =
            part.split_once(':').with_context(|| format!("`{part}` is no bucket"))?;
        Ok((log2.parse()?, count.parse()?))
    };
    text.split(',').filter(|part| !part.is_empty()).map(pair).collect()
}

/// A report of every kind of record, for tests.
#[cfg(test)]
pub(crate) fn small_report() -> Report {
    tests::parse(tests::SMALL).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of every kind of record.
    pub(super) const SMALL: &str = "\
umbra begin version=1
umbra build version=0.1.0 arch=aarch64 paging=shadow probes=full
umbra clock name=pmccntr_el0 unit=instructions hz=1000000000 probe_cost=4 sample=1
umbra exits total=3 samples=3 time=300
umbra exit name=hypercall count=1 samples=1 sum=100 excl=100 mean=100.0 stddev=0.0 min=100 max=100 p50=100 p90=100 p99=100
umbra exit name=data_abort count=2 samples=2 sum=200 excl=50 mean=100.0 stddev=1.5 min=99 max=101 p50=99 p90=101 p99=101
umbra hist kind=exit name=data_abort log2=6:2
umbra fn name=sh_page_fault count=2 samples=2 incl=150 excl=150 mean=75.0 stddev=0.0 min=75 max=75 p50=75 p90=75 p99=75
umbra outcome fn=sh_page_fault name=fault_fixed count=1 samples=1 sum=75 mean=75.0 stddev=0.0 min=75 max=75 p50=75 p90=75 p99=75
umbra outcome fn=sh_page_fault name=mmio count=1 samples=1 sum=75 mean=75.0 stddev=0.0 min=75 max=75 p50=75 p90=75 p99=75
umbra hist kind=outcome fn=sh_page_fault name=mmio log2=6:1
umbra novelty key=value
umbra counter name=flush_all value=1
umbra phase name=boot ops=1 exits=3 time=300
umbra memory image=100000 own=1000
umbra verdict kind=exit code=7 reason=none
umbra end";

    pub(super) fn parse(text: &str) -> Result<Report> {
        Report::parse(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn every_kind_of_record_is_read() {
        let report = parse(SMALL).unwrap();
        assert!(report.complete);
        assert_eq!(report.exits, Totals { total: 3, samples: 3, time: 300 });
        assert_eq!(report.reasons[1].histogram, [(6, 2)]);
        assert_eq!(report.outcomes[1].histogram, [(6, 1)]);
        assert!(report.outcomes[0].histogram.is_empty());
        assert_eq!(report.functions[0].count, 2);
        assert_eq!(report.phases[0].time, Some(300));
        assert_eq!(report.verdict.map(|verdict| verdict.status()), Some(7));
    }

    #[test]
    fn the_hypervisors_own_error_is_a_sentence() {
        let report = parse("umbra error message=\"too little memory\"").unwrap();
        assert_eq!(report.error.as_deref(), Some("too little memory"));
    }

    #[test]
    fn another_version_is_refused() {
        assert!(parse("umbra begin version=2").is_err());
    }

    #[test]
    fn a_guest_that_was_stopped_is_no_success() {
        let verdict =
            |kind: &str, code| Verdict { kind: kind.to_owned(), code, reason: String::new() };
        assert_eq!(verdict("killed", 0).status(), 1);
        assert_eq!(verdict("killed", 3).status(), 3);
        assert_eq!(verdict("stopped", 256).status(), 1);
        assert_eq!(verdict("off", 0).status(), 0);
    }
}
