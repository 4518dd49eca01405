//! Telling the guest's console from the hypervisor's records.
//!
//! They share one serial line. A record begins with its mark, wherever that stands, since a guest's
//! own mark is replaced before it gets here; it ends at the newline.

use std::mem;

use hv_abi::record::MARK;

/// Splits what comes over the serial line, piece by piece.
pub(super) struct Splitter {
    records_come: bool,
    record: Option<Vec<u8>>,
    /// All of the console so far.
    pub(super) console: Vec<u8>,
    /// All complete records so far.
    pub(super) records: Vec<String>,
}

impl Splitter {
    /// Nothing has come yet. Without a hypervisor there are no records, and the mark is a byte like
    /// any other.
    pub(super) const fn new(records_come: bool) -> Self {
        Self { records_come, record: None, console: Vec::new(), records: Vec::new() }
    }

    /// Takes in the next piece and returns what of it is the console's.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let before = self.console.len();
        for &byte in bytes {
            match (&mut self.record, byte) {
                (Some(record), b'\n') => {
                    let line = mem::take(record);
                    self.records.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                    self.record = None;
                }
                (Some(record), byte) => record.push(byte),
                (None, MARK) if self.records_come => self.record = Some(Vec::new()),
                (None, byte) => self.console.push(byte),
            }
        }
        self.console[before..].to_vec()
    }

    /// Whether the console's last line is complete.
    pub(super) fn at_line_start(&self) -> bool {
        self.console.last().is_none_or(|&byte| byte == b'\n')
    }

    /// What is missing to end the console's last line.
    pub(super) fn rest(&self) -> Option<Vec<u8>> {
        (!self.at_line_start()).then(|| b"\n".to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_taken_out_wherever_they_are_cut() {
        let line = b"a\n\x1eumbra begin version=1\nb\x1eumbra end\r\nc";
        for cut in 0..line.len() {
            let mut splitter = Splitter::new(true);
            let mut console = splitter.feed(&line[..cut]);
            console.extend(splitter.feed(&line[cut..]));
            assert_eq!(console, b"a\nbc");
            assert_eq!(splitter.records, ["umbra begin version=1", "umbra end"]);
        }
    }

    #[test]
    fn without_a_hypervisor_there_are_no_records() {
        let mut splitter = Splitter::new(false);
        assert_eq!(splitter.feed(b"\x1eumbra end\n"), b"\x1eumbra end\n");
        assert!(splitter.records.is_empty());
    }
}
