//! What a data map says, checked as far as that goes without a database.

use super::erase::Erase;
use super::grammar::ReferenceAction;
use crate::purposes::Purposes;

/// A data map.
#[derive(Clone, Debug)]
pub struct DataMap {
    pub(crate) tables: Vec<TableRule>,
    pub(crate) ignored: Vec<IgnoredTable>,
    pub(crate) purposes: Option<Purposes>,
    pub(crate) text_digest: [u8; 32],
}

impl DataMap {
    /// Returns the SHA-256 digest of the text that the map was read from.
    #[must_use]
    pub const fn text_digest(&self) -> [u8; 32] {
        self.text_digest
    }

    /// Returns the purposes that the map defines, or `None` where it leaves them to the defaults.
    #[must_use]
    pub const fn purposes(&self) -> Option<&Purposes> {
        self.purposes.as_ref()
    }

    /// Returns the rules in the order of the file, subjects first.
    #[must_use]
    pub fn tables(&self) -> &[TableRule] {
        &self.tables
    }

    /// Returns the tables that are neither exported nor erased.
    #[must_use]
    pub fn ignored(&self) -> &[IgnoredTable] {
        &self.ignored
    }
}

/// The rule for one table.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TableRule {
    /// Schema and table, exactly as in the catalog, for example `public.posts`.
    pub name: String,
    /// What users read instead of the name.
    pub label: String,
    /// Whether the table holds the users themselves: an entry `[[subject]]`.
    pub subject: bool,
    /// How a row's owner is found.
    pub owner: Owner,
    /// What an export contains.
    pub export: ExportRule,
    /// What a deletion does.
    pub erase: Erase,
    /// What happens to other people's rows that reference deleted rows.
    pub references: Vec<Reference>,
}

/// How a row's owner is found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The column holds the Clerk user id.
    Column(String),
    /// The column references a row of another table, whose owner owns this row too.
    Path {
        /// The referencing column, in this table.
        column: String,
        /// The referenced table.
        table: String,
    },
}

impl Owner {
    /// Returns the column of the table itself.
    #[must_use]
    pub fn column(&self) -> &str {
        match self {
            Self::Column(column) | Self::Path { column, .. } => column,
        }
    }
}

/// What an export contains of a table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportRule {
    /// Every column, also those that are added later.
    All,
    /// These columns.
    Only(Vec<String>),
    /// Every column except these.
    Except {
        /// The columns that are left out.
        columns: Vec<String>,
        /// Why they are left out.
        reason: String,
    },
    /// No row.
    Nothing {
        /// Why the table is left out.
        reason: String,
    },
}

/// What happens to other people's rows that reference deleted rows.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reference {
    /// The referencing column.
    pub column: String,
    /// What happens to the rows.
    #[serde(rename = "others")]
    pub action: ReferenceAction,
    /// Why that is right.
    pub reason: String,
}

/// A table that is neither exported nor erased.
#[derive(Clone, Debug, serde::Serialize)]
pub struct IgnoredTable {
    /// Schema and table.
    pub name: String,
    /// Why it holds no personal data.
    pub reason: String,
}

/// Returns the label of a table whose entry has none: `Api keys` for `public.api_keys`.
pub(super) fn default_label(name: &str) -> String {
    let table = name.rsplit_once('.').map_or(name, |(_, table)| table).replace('_', " ");
    let mut letters = table.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
