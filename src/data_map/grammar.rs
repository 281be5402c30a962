//! The grammar of the map's file: what serde accepts, before anything is checked. Unknown keys are refused,
//! so that a typo isn't a silent gap.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use toml::Spanned;

use super::period::Period;
use crate::purposes::Purpose;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapFile {
    #[serde(default)]
    pub(super) subject: Vec<Spanned<SubjectEntry>>,
    #[serde(default)]
    pub(super) table: Vec<Spanned<TableEntry>>,
    #[serde(default)]
    pub(super) ignore: Vec<Spanned<IgnoreEntry>>,
    #[serde(default)]
    pub(super) purpose: Vec<Spanned<Purpose>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubjectEntry {
    pub(super) table: String,
    pub(super) key: String,
    pub(super) label: Option<String>,
    pub(super) export: KeywordOr<ExportEntry>,
    pub(super) erase: KeywordOr<EraseEntry>,
    #[serde(default)]
    pub(super) reference: Vec<ReferenceEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableEntry {
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) label: Option<String>,
    pub(super) export: KeywordOr<ExportEntry>,
    pub(super) erase: KeywordOr<EraseEntry>,
    #[serde(default)]
    pub(super) reference: Vec<ReferenceEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IgnoreEntry {
    pub(super) name: String,
    pub(super) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReferenceEntry {
    pub(super) column: String,
    pub(super) others: ReferenceAction,
    pub(super) reason: String,
}

/// What happens to other people's rows that reference rows which are deleted. In the map's file: `others`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceAction {
    /// The referencing column becomes NULL.
    Detach,
    /// They are deleted too.
    Delete,
    /// The application never creates such rows. Where one is found all the same, nothing is erased, and an
    /// operator must decide.
    #[serde(rename = "none")]
    Forbid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportEntry {
    pub(super) only: Option<Vec<String>>,
    pub(super) except: Option<Vec<String>>,
    pub(super) none: Option<bool>,
    pub(super) reason: Option<String>,
}

/// The keys of every erase strategy. Each strategy takes its own out; what is left over doesn't belong there.
#[derive(Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EraseEntry {
    pub(super) stamp: Option<Vec<String>>,
    pub(super) purge_after: Option<String>,
    pub(super) scrub: Option<BTreeMap<String, KeywordOr<ValueEntry>>>,
    pub(super) leave: Option<Vec<String>>,
    pub(super) reason: Option<String>,
    pub(super) keep: Option<String>,
    #[serde(rename = "for")]
    pub(super) period: Option<String>,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ValueEntry {
    pub(super) value: String,
}

/// A keyword in quotes, or a table with more keys. Unlike an untagged enum it keeps the table's own error.
#[derive(PartialEq, Eq)]
pub(super) enum KeywordOr<Table> {
    Keyword(String),
    Table(Table),
}

impl<'de, Table: Deserialize<'de>> Deserialize<'de> for KeywordOr<Table> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeywordOrVisitor<Table>(PhantomData<Table>);
        impl<'de, Table: Deserialize<'de>> Visitor<'de> for KeywordOrVisitor<Table> {
            type Value = KeywordOr<Table>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a word in quotes or a table in braces")
            }

            fn visit_str<E>(self, keyword: &str) -> Result<Self::Value, E> {
                Ok(KeywordOr::Keyword(keyword.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(KeywordOr::Table)
            }
        }
        deserializer.deserialize_any(KeywordOrVisitor(PhantomData))
    }
}

/// An error in one entry, before its line is known.
pub(super) struct EntryError {
    pub(super) message: String,
    pub(super) remedy: String,
}

impl EntryError {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into() }
    }
}

pub(super) fn parse_period(text: &str) -> Result<Period, EntryError> {
    text.parse().map_err(|message: String| EntryError::new(message, "Correct the period"))
}

pub(super) fn non_empty_reason(reason: String, key: &str) -> Result<String, EntryError> {
    if reason.trim().is_empty() {
        return Err(EntryError::new(
            format!("the reason of {key} is empty"),
            "Write the reason in a sentence; users read it too",
        ));
    }
    Ok(reason)
}
