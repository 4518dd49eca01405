//! What passed and what failed.

use std::time::Instant;

use anyhow::Result;

/// The cases so far.
pub(super) struct Tally {
    filter: Option<String>,
    passed: u32,
    failed: Vec<String>,
    begun: Instant,
}

impl Tally {
    /// Nothing ran yet; cases whose names do not contain `filter` are left out.
    pub(super) fn new(filter: Option<String>) -> Self {
        Self { filter, passed: 0, failed: Vec::new(), begun: Instant::now() }
    }

    /// Whether a case of this name is to run.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }

    /// Runs a case, if it is to run.
    pub(super) fn case(&mut self, name: &str, case: impl FnOnce() -> Result<()>) {
        if self.wants(name) {
            let result = case();
            self.note(name, result);
        }
    }

    /// Notes how a case went.
    pub(super) fn note(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => self.add_passed(name, 1),
            Err(error) => self.fail(name, &format!("{error:#}")),
        }
    }

    /// Notes that cases passed.
    pub(super) fn add_passed(&mut self, name: &str, count: u32) {
        self.passed += count;
        match count {
            1 => println!("ok    {name}"),
            _ => println!("ok    {name} ({count})"),
        }
    }

    /// Notes a case that failed.
    pub(super) fn fail(&mut self, name: &str, why: &str) {
        println!("FAIL  {name}: {why}");
        self.failed.push(name.to_owned());
    }

    /// Prints the closing line; the status is 0 if nothing failed.
    pub(super) fn close(self) -> u8 {
        println!("in {} s", self.begun.elapsed().as_secs());
        if !self.failed.is_empty() {
            println!("failed: {}", self.failed.join(", "));
        }
        println!("{} passed, {} failed", self.passed, self.failed.len());
        u8::from(!self.failed.is_empty())
    }
}
