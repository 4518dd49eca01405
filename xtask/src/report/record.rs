//! One record: a kind, and fields in their order.

use anyhow::{Context as _, Result};
use hv_abi::record::WORD;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// What it tells.
    pub(crate) kind: String,
    /// Its fields.
    pub(crate) fields: Fields,
}

/// Keys and values, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Record {
    /// Reads a record without its mark.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix(WORD)?.strip_prefix(' ')?;
        let (kind, fields) = rest.split_once(' ').unwrap_or((rest, ""));
        Some(Self { kind: kind.to_owned(), fields: Fields::parse(fields) })
    }
}

impl Fields {
    /// Reads `key=value` pairs parted by spaces.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of `key`.
    pub(crate) fn text(&self, key: &str) -> Result<&str> {
        self.iter()
            .find_map(|(name, value)| (name == key).then_some(value))
            .with_context(|| format!("there is no `{key}`"))
    }

    /// The value of `key` as a number, which may be hexadecimal.
    pub(crate) fn number(&self, key: &str) -> Result<u64> {
        let text = self.text(key)?;
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.with_context(|| format!("`{key}` is `{text}`, no number"))
    }

    /// The same, where a missing key means nothing was counted.
    pub(crate) fn number_or_zero(&self, key: &str) -> u64 {
        self.number(key).unwrap_or(0)
    }

    /// The value of `key` as a number with decimals.
    pub(crate) fn decimal(&self, key: &str) -> Result<f64> {
        let text = self.text(key)?;
        text.parse().with_context(|| format!("`{key}` is `{text}`, no number"))
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.iter() {
            match value.parse::<u64>() {
                Ok(number) => map.serialize_entry(key, &number)?,
                Err(_) => map.serialize_entry(key, value)?,
            }
        }
        map.end()
    }
}
