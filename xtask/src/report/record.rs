//! One record: a kind, and fields in their order.

use std::fmt;

use anyhow::{Context as _, Result};
use hv_abi::record::WORD;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

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

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

/// Takes the entries of a map as they stand.
struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers and words by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            let value = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                _ => return Err(A::Error::custom(format!("`{key}` is neither number nor word"))),
            };
            fields.push((key, value));
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_survive_json_in_their_order() {
        let fields = Fields::parse("zebra=1 ant=0x10 bee=1.50");
        let text = serde_json::to_string(&fields).unwrap();
        assert_eq!(text, r#"{"zebra":1,"ant":"0x10","bee":"1.50"}"#);
        assert_eq!(serde_json::from_str::<Fields>(&text).unwrap(), fields);
        assert!(serde_json::from_str::<Fields>(r#"{"a":[]}"#).is_err());
    }
}
