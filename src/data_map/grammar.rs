//! The grammar of the map's file: what serde accepts, before anything is checked. Unknown keys are refused, so that a
//! typo isn't a silent gap. The keys of `erase` are beside the strategies, in `erase`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use toml::Spanned;

use super::address::AddressColumns;
use super::entry::KeywordOr;
use super::erase::EraseEntry;
use super::value::ValueEntry;
use crate::purposes::Purpose;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapFile {
    pub(super) version: Option<u32>,
    pub(super) scope: Option<ScopeEntry>,
    /// The key of the ghost row, by table.
    #[serde(default)]
    pub(super) ghost: BTreeMap<String, BTreeMap<String, String>>,
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
pub(super) struct ScopeEntry {
    pub(super) schemas: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubjectEntry {
    pub(super) table: String,
    pub(super) key: String,
    #[serde(default)]
    pub(super) addresses: AddressColumns,
    pub(super) label: Option<String>,
    /// What users read instead of the names of columns.
    #[serde(default)]
    pub(super) column_labels: BTreeMap<String, String>,
    /// Why triggers may change and delete rows of the table while others are erased.
    pub(super) changed_by_triggers: Option<String>,
    pub(super) export: KeywordOr<ExportEntry>,
    pub(super) erase: KeywordOr<EraseEntry>,
    #[serde(default)]
    pub(super) reference: Vec<ReferenceEntry>,
    #[serde(default)]
    pub(super) mention: Vec<MentionEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableEntry {
    pub(super) name: Option<String>,
    /// Several tables with the same rule.
    #[serde(default)]
    pub(super) names: Vec<String>,
    pub(super) owner: OwnerEntries,
    pub(super) label: Option<String>,
    /// What users read instead of the names of columns.
    #[serde(default)]
    pub(super) column_labels: BTreeMap<String, String>,
    /// Why triggers may change and delete rows of the table while others are erased.
    pub(super) changed_by_triggers: Option<String>,
    pub(super) export: KeywordOr<ExportEntry>,
    pub(super) erase: KeywordOr<EraseEntry>,
    #[serde(default)]
    pub(super) reference: Vec<ReferenceEntry>,
    #[serde(default)]
    pub(super) mention: Vec<MentionEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IgnoreEntry {
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) names: Vec<String>,
    pub(super) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReferenceEntry {
    pub(super) column: Option<String>,
    /// Several columns with the same decision.
    #[serde(default)]
    pub(super) columns: Vec<String>,
    pub(super) others: ReferenceAction,
    pub(super) reason: String,
}

/// One of the owners of a row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnerEntry {
    pub(super) path: Option<String>,
    /// A column with an e-mail address.
    pub(super) email: Option<String>,
    /// A column with a phone number.
    pub(super) phone: Option<String>,
    #[serde(default, rename = "where")]
    pub(super) filter: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) forget: BTreeMap<String, KeywordOr<ValueEntry>>,
}

/// One path in quotes, one table with a path, or several tables.
pub(super) struct OwnerEntries(pub(super) Vec<OwnerEntry>);

impl<'de> Deserialize<'de> for OwnerEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OwnerVisitor;
        impl<'de> Visitor<'de> for OwnerVisitor {
            type Value = OwnerEntries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter
                    .write_str("a path in quotes, { path = \"..\" }, { email = \"..\" } or several [[table.owner]]")
            }

            fn visit_str<E>(self, path: &str) -> Result<Self::Value, E> {
                let (filter, forget) = (BTreeMap::new(), BTreeMap::new());
                let path = Some(path.to_owned());
                Ok(OwnerEntries(vec![OwnerEntry { path, email: None, phone: None, filter, forget }]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                OwnerEntry::deserialize(MapAccessDeserializer::new(map)).map(|entry| OwnerEntries(vec![entry]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(sequence)).map(OwnerEntries)
            }
        }
        deserializer.deserialize_any(OwnerVisitor)
    }
}

/// Columns that name somebody in rows that aren't theirs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MentionEntry {
    pub(super) columns: Vec<String>,
    pub(super) export: Option<KeywordOr<ExportEntry>>,
    pub(super) erase: KeywordOr<MentionEraseEntry>,
    #[serde(default)]
    pub(super) forget: BTreeMap<String, KeywordOr<ValueEntry>>,
    pub(super) reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MentionEraseEntry {
    pub(super) value: Option<String>,
    pub(super) unique: Option<String>,
    pub(super) keep: Option<String>,
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
