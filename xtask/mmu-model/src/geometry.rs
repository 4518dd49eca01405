//! What a TLB is made of: a file that a person can write, checked before anything is built of it.

use std::{fmt, mem};

use paging::addr::Level as TableLevel;
use serde::{Deserialize, Serialize};

/// Something that a structure can hold, as a word: `4k`, `64k`, `2m`, `1g` (any power of two from 4 KiB to
/// 1 GiB) for translations of that size; `ipa-2m` and so on for those of stage 2 alone; `stage-1-tables`,
/// `stage-1-leaf-tables`, `stage-2-tables` for where tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Held {
    /// Translations of this size, log2, and pieces of larger ones.
    Translations(u32),
    /// Where the next table of stage 1 is, in the machine's memory: a stage 1 walk cache.
    Stage1Tables,
    /// The same for tables of pages alone.
    Stage1LeafTables,
    /// Where the next table of stage 2 is: a stage 2 walk cache.
    Stage2Tables,
    /// Translations of stage 2 alone of this size, and pieces of larger ones: an IPA cache.
    Ipas(u32),
}

/// The words for tables.
const TABLES: [(&str, Held); 3] = [
    ("stage-1-tables", Held::Stage1Tables),
    ("stage-1-leaf-tables", Held::Stage1LeafTables),
    ("stage-2-tables", Held::Stage2Tables),
];
/// What precedes a size that belongs to stage 2 alone.
const IPA: &str = "ipa-";
/// The units of sizes, log2 of bytes.
const UNITS: [(char, u32); 3] = [('k', 10), ('m', 20), ('g', 30)];

/// The size that a word names, log2.
fn size(word: &str) -> Option<u32> {
    let unit = word.chars().next_back()?;
    let shift = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    let number: u32 = word.strip_suffix(unit)?.parse().ok()?;
    let size = shift + number.checked_ilog2()?;
    let fits = (TableLevel::PAGE.shift()..=TableLevel::BLOCK_1G.shift()).contains(&size);
    (number.is_power_of_two() && fits).then_some(size)
}

/// The word for a size.
fn word(size: u32) -> String {
    let unit = UNITS.iter().rev().find(|(_, shift)| *shift <= size);
    unit.map_or_else(String::new, |(name, shift)| format!("{}{name}", 1_u64 << (size - shift)))
}

impl TryFrom<String> for Held {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let table = TABLES.iter().find(|(known, _)| *known == name).map(|(_, held)| *held);
        let ipas = || name.strip_prefix(IPA).and_then(size).map(Self::Ipas);
        table.or_else(ipas).or_else(|| size(&name).map(Self::Translations)).ok_or_else(|| {
            let tables = TABLES.map(|(known, _)| known).join("`, `");
            format!(
                "`{name}` cannot be held; a size (`4k` to `1g`), `ipa-` and a size, `{tables}` can"
            )
        })
    }
}

impl From<Held> for String {
    fn from(held: Held) -> Self {
        match held {
            Held::Translations(size) => word(size),
            Held::Ipas(size) => IPA.to_owned() + &word(size),
            table => {
                let known = TABLES.iter().find(|(_, held)| *held == table);
                known.map_or_else(Self::new, |(name, _)| (*name).to_owned())
            }
        }
    }
}

impl Held {
    /// Whether it is what an access asks for, and not what a walk does.
    #[must_use]
    pub const fn is_translation(self) -> bool {
        matches!(self, Self::Translations(_))
    }
}

/// One array of entries.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// How many entries it has.
    pub entries: u32,
    /// How many of them an address can stand in; as many as there are entries: fully associative.
    pub ways: u32,
    /// What stands in them.
    pub holds: Vec<Held>,
    /// Whether what is larger than all that the level holds stands there in pieces, or not at all.
    #[serde(default = "yes")]
    pub pieces: bool,
    /// Where the figures come from.
    #[serde(default)]
    pub source: String,
}

const fn yes() -> bool {
    true
}

/// All structures of a processor. Within each, the least recently used entry makes room.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Geometry {
    /// Its name.
    pub name: String,
    /// What a person should know about it.
    #[serde(default)]
    pub about: String,
    /// What an instruction fetch asks first.
    pub l1_instruction: Vec<Structure>,
    /// What a data access asks first.
    pub l1_data: Vec<Structure>,
    /// What both ask then. It may hold what walks want, too.
    #[serde(default)]
    pub l2: Vec<Structure>,
    /// What fetches ask then instead, where there is such.
    #[serde(default)]
    pub l2_instruction: Vec<Structure>,
    /// What walks ask.
    #[serde(default)]
    pub walk_caches: Vec<Structure>,
}

/// The most entries of a structure.
const MOST_ENTRIES: u32 = 1 << 15;

/// Why a geometry is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeometryError {
    /// The file does not have the form.
    Form(String),
    /// A structure has no entries, or too many.
    Entries(&'static str, u32),
    /// Its entries cannot be divided into ways.
    Ways(&'static str, u32, u32),
    /// It holds nothing, or holds something twice.
    Holds(&'static str),
    /// It holds what is not asked for there.
    Misplaced(&'static str),
    /// There is no room for a 4 KiB translation.
    NoPages(&'static str),
    /// Two structures of a level hold the same.
    Twice(&'static str),
    /// An L2 holds translations of this size, log2, in smaller pieces than its L1.
    Smaller(&'static str, u32),
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(why) => write!(f, "it does not have the form of a geometry: {why}"),
            Self::Entries(of, entries) => {
                write!(f, "{of}: {entries} entries; there are 1 to {MOST_ENTRIES}")
            }
            Self::Ways(of, entries, ways) => {
                write!(f, "{of}: {entries} entries do not divide into {ways} ways")
            }
            Self::Holds(of) => write!(f, "{of}: `holds` must name something, each thing once"),
            Self::Misplaced(of) => write!(
                f,
                "{of}: only l2 and walk-caches hold tables and IPAs, and walk-caches nothing else"
            ),
            Self::NoPages(of) => write!(f, "{of}: no structure holds `4k`"),
            Self::Twice(of) => write!(f, "{of}: two structures hold the same"),
            Self::Smaller(of, size) => {
                write!(
                    f,
                    "{of}: it holds pieces of `{}` that are smaller than an L1's",
                    word(*size)
                )
            }
        }
    }
}

impl std::error::Error for GeometryError {}

impl Geometry {
    /// Reads a geometry from TOML.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, GeometryError> {
        let geometry: Self =
            toml::from_str(text).map_err(|why| GeometryError::Form(why.message().to_owned()))?;
        geometry.check()?;
        Ok(geometry)
    }

    /// Whether it can be built.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), GeometryError> {
        let levels: [(&'static str, &[Structure]); 5] = [
            ("l1-instruction", &self.l1_instruction),
            ("l1-data", &self.l1_data),
            ("l2", &self.l2),
            ("l2-instruction", &self.l2_instruction),
            ("walk-caches", &self.walk_caches),
        ];
        for (name, structures) in levels {
            structures.iter().try_for_each(|structure| structure.check(name))?;
            let held: Vec<_> = structures.iter().flat_map(|structure| &structure.holds).collect();
            if held.iter().enumerate().any(|(place, held_there)| held[..place].contains(held_there))
            {
                return Err(GeometryError::Twice(name));
            }
            let fits = |held: &&Held| match name {
                "l2" => true,
                "walk-caches" => !held.is_translation(),
                _ => held.is_translation(),
            };
            if !held.iter().all(fits) {
                return Err(GeometryError::Misplaced(name));
            }
            let wants_pages =
                name != "walk-caches" && !(name.starts_with("l2") && structures.is_empty());
            if wants_pages && !held.contains(&&Held::Translations(TableLevel::PAGE.shift())) {
                return Err(GeometryError::NoPages(name));
            }
        }
        let sorts = |structures: &[Structure]| -> Vec<_> {
            let held = structures.iter().flat_map(|structure| structure.holds.clone());
            held.filter(|held| !held.is_translation())
                .map(|held| mem::discriminant(&held))
                .collect()
        };
        let second = sorts(&self.l2);
        if sorts(&self.walk_caches).iter().any(|sort| second.contains(sort)) {
            return Err(GeometryError::Twice("l2 and walk-caches"));
        }
        let of_fetches = match self.l2_instruction.as_slice() {
            [] => ("l2", self.l2.as_slice()),
            own => ("l2-instruction", own),
        };
        outlives(&self.l1_data, ("l2", &self.l2))?;
        outlives(&self.l1_instruction, of_fetches)
    }

    /// The same processor without what walks ask.
    #[must_use]
    pub fn without_walk_caches(&self) -> Self {
        let mut without = self.clone();
        without.walk_caches.clear();
        for structure in &mut without.l2 {
            structure.holds.retain(|held| held.is_translation());
        }
        without.l2.retain(|structure| !structure.holds.is_empty());
        without
    }
}

/// The size of the pieces in which a level holds a leaf, log2, if it does.
fn piece(structures: &[Structure], leaf: u32) -> Option<u32> {
    let fitting = structures.iter().filter_map(|structure| {
        let sizes = structure.holds.iter().filter_map(|held| match held {
            Held::Translations(size) if *size <= leaf => Some(*size),
            _ => None,
        });
        sizes.max().filter(|size| *size == leaf || structure.pieces)
    });
    fitting.max()
}

/// Fails if an L2 gives an L1 less than a walk would, so that what stands in the L1 would hang on the L2.
fn outlives(
    l1: &[Structure],
    (name, l2): (&'static str, &[Structure]),
) -> Result<(), GeometryError> {
    let leaves =
        [TableLevel::PAGE, TableLevel::BLOCK_2M, TableLevel::BLOCK_1G].map(TableLevel::shift);
    let smaller = leaves.into_iter().find(|&leaf| {
        piece(l2, leaf).is_some_and(|second| piece(l1, leaf).is_some_and(|first| second < first))
    });
    smaller.map_or(Ok(()), |leaf| Err(GeometryError::Smaller(name, leaf)))
}

impl Structure {
    fn check(&self, name: &'static str) -> Result<(), GeometryError> {
        let Self { entries, ways, ref holds, .. } = *self;
        if entries == 0 || entries > MOST_ENTRIES {
            return Err(GeometryError::Entries(name, entries));
        }
        if ways == 0 || !entries.is_multiple_of(ways) {
            return Err(GeometryError::Ways(name, entries, ways));
        }
        let twice = holds.iter().enumerate().any(|(place, held)| holds[..place].contains(held));
        if holds.is_empty() || twice {
            return Err(GeometryError::Holds(name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const L1: &str =
        "name = \"test\"\nl1-instruction = [{ entries = 4, ways = 4, holds = [\"4k\", \"2m\"] }]\n";

    fn error(rest: &str) -> String {
        Geometry::parse(&format!("{L1}{rest}"))
            .map_or_else(|why| why.to_string(), |_| String::new())
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let data = |entries: u32, ways: u32, holds: &str| {
            format!("l1-data = [{{ entries = {entries}, ways = {ways}, holds = [{holds}] }}]\n")
        };
        let right = data(4, 4, "\"4k\", \"2m\"");
        assert_eq!(error(&right), "");
        assert!(error("").contains("missing field `l1-data`"));
        assert!(error(&data(15, 2, "\"4k\"")).contains("15 entries do not divide into 2 ways"));
        assert!(error(&data(4, 0, "\"4k\"")).contains("do not divide into 0 ways"));
        assert!(error(&data(0, 1, "\"4k\"")).contains("0 entries; there are 1 to"));
        assert!(error(&data(65536, 1, "\"4k\"")).contains("65536 entries"));
        assert!(error(&data(4, 4, "")).contains("must name something"));
        assert!(error(&data(4, 4, "\"4k\", \"4k\"")).contains("each thing once"));
        assert!(error(&data(4, 4, "\"2m\"")).contains("no structure holds `4k`"));
        assert!(error(&data(4, 4, "\"3k\"")).contains("`3k` cannot be held"));
        assert!(error(&data(4, 4, "\"4k\", \"ipa-4k\"")).contains("only l2 and walk-caches"));
        let second = |holds: &str| {
            right.clone() + &format!("l2 = [{{ entries = 8, ways = 2, holds = [{holds}] }}]\n")
        };
        assert_eq!(error(&second("\"4k\", \"2m\", \"ipa-2m\"")), "");
        assert!(error(&second("\"4k\"")).contains("pieces of `2m` that are smaller"));
        let both = second("\"4k\", \"2m\", \"ipa-2m\"")
            + "walk-caches = [{ entries = 8, ways = 2, holds = [\"ipa-4k\"] }]\n";
        assert!(error(&both).contains("l2 and walk-caches: two structures hold the same"));
        assert!(error(&(right.clone() + "l3 = []\n")).contains("unknown field `l3`"));
    }

    #[test]
    fn words_name_what_can_be_held() {
        for word in [
            "4k",
            "64k",
            "1m",
            "2m",
            "512m",
            "1g",
            "ipa-4k",
            "ipa-1g",
            "stage-1-tables",
            "stage-2-tables",
        ] {
            let held = Held::try_from(word.to_owned()).unwrap();
            assert_eq!(String::from(held), word);
        }
        for word in ["2k", "2g", "k", "4", "ipa-", "stage-3-tables"] {
            assert!(Held::try_from(word.to_owned()).is_err(), "{word}");
        }
    }
}
