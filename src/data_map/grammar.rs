//! The grammar of the map's file: what serde accepts, before anything is checked. Unknown keys are refused, so that a
//! typo isn't a silent gap. The keys of `erase` are beside the strategies, in `erase`.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::entry::KeywordOr;
use super::erase::EraseEntry;
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
