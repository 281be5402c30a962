//! What a data map says, checked as far as that goes without a database.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Error, Period, file};
use crate::purposes::Purposes;

/// A whole data map.
#[derive(Clone, Debug)]
pub struct DataMap {
    pub(crate) tables: Vec<TableRule>,
    pub(crate) ignored: Vec<IgnoredTable>,
    pub(crate) purposes: Option<Purposes>,
}

impl DataMap {
    /// Reads a map from TOML, strictly: an unknown key is an error, so that a typo is no silent gap.
    pub fn parse(toml: &str) -> Result<Self, Error> {
        file::parse(toml)
    }

    /// Reads a map from a file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// The purposes that the map names; `None` where it leaves them to the defaults.
    #[must_use]
    pub const fn purposes(&self) -> Option<&Purposes> {
        self.purposes.as_ref()
    }

    /// The rule of every table, in the order of the file, subjects first.
    #[must_use]
    pub fn tables(&self) -> &[TableRule] {
        &self.tables
    }

    /// The tables that are left alone, with the reasons.
    #[must_use]
    pub fn ignored(&self) -> &[IgnoredTable] {
        &self.ignored
    }
}

/// What becomes of one table.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TableRule {
    /// Schema and table, exactly as the catalog has them, for example `public.posts`.
    pub name: String,
    /// What people read in its place.
    pub label: String,
    /// Whether people are found here: an entry `[[subject]]`.
    pub subject: bool,
    /// How a row is found to be a person's.
    pub owner: Owner,
    /// What the person gets of it.
    pub export: ExportRule,
    /// What a deletion does.
    pub erase: Erase,
    /// What happens to other people's rows that point to rows which go.
    pub references: Vec<Reference>,
}

/// How a row is found to be a person's.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The column holds the Clerk user id.
    Column(String),
    /// The column points to a row of another table, whose owner owns this row too.
    Path {
        /// The column of this table.
        column: String,
        /// The other table.
        table: String,
    },
}

impl Owner {
    /// The column of the table itself.
    #[must_use]
    pub fn column(&self) -> &str {
        match self {
            Self::Column(column) | Self::Path { column, .. } => column,
        }
    }
}

/// What the person gets of a table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportRule {
    /// Every column, also those that are added later.
    All,
    /// These columns.
    Only(Vec<String>),
    /// Every column but these.
    Except {
        /// What is left out.
        columns: Vec<String>,
        /// Why.
        reason: String,
    },
    /// Nothing.
    Nothing {
        /// Why.
        reason: String,
    },
}

/// What a deletion does with a table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Erase {
    /// The rows go.
    Delete,
    /// The rows are marked, and go later where a period is given.
    Stamp {
        /// Columns that get the time. The first is the mark: it is empty until then.
        columns: Vec<String>,
        /// After which the marked rows go.
        purge_after: Option<Period>,
    },
    /// Columns are emptied or overwritten; the rows stay.
    Scrub {
        /// What each gets.
        columns: BTreeMap<String, Scrub>,
        /// Columns that get the time; the first is the mark.
        stamp: Vec<String>,
        /// Columns that stay as they are.
        leave: Vec<String>,
        /// Why they stay.
        reason: Option<String>,
    },
    /// The rows stay.
    Keep {
        /// Why, and on what basis.
        reason: String,
        /// How long; for ever where the map doesn't say.
        period: Option<Period>,
    },
}

/// What a scrubbed column gets.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scrub {
    /// NULL.
    Null,
    /// This value, written as Postgres reads it.
    Value(String),
}

/// What happens to rows of other people that point to rows which go.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reference {
    /// The column that points.
    pub column: String,
    /// What happens.
    #[serde(rename = "others")]
    pub action: ReferenceAction,
    /// Why.
    pub reason: String,
}

/// What happens to other people's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceAction {
    /// The pointing column becomes NULL.
    Detach,
    /// They go too.
    Delete,
    /// There are none: the application never makes such rows. Where one is found all the same,
    /// nothing is erased and a person must decide.
    #[serde(rename = "none")]
    Forbid,
}

/// A table that is left alone.
#[derive(Clone, Debug, serde::Serialize)]
pub struct IgnoredTable {
    /// Schema and table.
    pub name: String,
    /// Why.
    pub reason: String,
}
