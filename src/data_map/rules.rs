//! What a data map says, checked as far as that goes without a database.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::address::AddressColumns;
use super::erase::Erase;
use super::grammar::ReferenceAction;
use super::path::OwnerPath;
use super::value::{GhostKeys, NewValue, NewValues};
use super::version::Version;
use crate::purposes::Purposes;

/// A data map.
#[derive(Clone, Debug)]
pub struct DataMap {
    pub(crate) version: Version,
    /// The schemas of the application; `None`: all but the system's and Lethe's.
    pub(crate) schemas: Option<Vec<String>>,
    pub(crate) ghosts: GhostKeys,
    pub(crate) tables: Vec<TableRule>,
    pub(crate) ignored: Vec<IgnoredTable>,
    pub(crate) purposes: Option<Purposes>,
    /// The line of each entry, by table. Counted from 1.
    pub(crate) lines: BTreeMap<String, usize>,
    pub(crate) text_digest: [u8; 32],
}

impl DataMap {
    /// Returns the line of a table's entry, counted from 1, if it has one.
    #[must_use]
    pub fn line_of(&self, table: &str) -> Option<usize> {
        self.lines.get(table).copied()
    }

    /// Returns the language that the map is written in.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

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

    /// Whether rows are found by addresses, which Clerk has to be asked for.
    #[must_use]
    pub fn finds_rows_by_address(&self) -> bool {
        let mut owners = self.tables.iter().flat_map(|rule| &rule.owners);
        owners.any(|owner| matches!(owner.path, OwnerPath::Address { .. }))
    }

    /// Returns the tables that are neither exported nor erased.
    #[must_use]
    pub fn ignored(&self) -> &[IgnoredTable] {
        &self.ignored
    }
}

/// The rule for one table.
#[derive(Clone, Debug, Serialize)]
pub struct TableRule {
    /// Schema and table, exactly as in the catalog, for example `public.posts`.
    pub name: String,
    /// What users read instead of the name.
    pub label: String,
    /// What users read instead of the names of columns.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub column_labels: BTreeMap<String, String>,
    /// Why triggers may change and delete rows of the table while rows of others are erased. Without a reason, an erasure that
    /// does so is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by_triggers: Option<String>,
    /// Whether the table holds the users themselves: an entry `[[subject]]`.
    pub subject: bool,
    /// Columns of a subject with further addresses of the person.
    #[serde(skip_serializing_if = "AddressColumns::is_empty")]
    pub addresses: AddressColumns,
    /// How a row's owners are found. At least one.
    #[serde(rename = "owner", serialize_with = "serialize_owners")]
    pub owners: Vec<Owner>,
    /// What an export contains.
    pub export: ExportRule,
    /// What a deletion does.
    pub erase: Erase,
    /// What happens to other people's rows that reference deleted rows.
    pub references: Vec<Reference>,
    /// Columns that name somebody in rows that aren't theirs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Mention>,
}

impl TableRule {
    /// Returns the columns of the table itself by which owners are found.
    pub fn owner_columns(&self) -> impl Iterator<Item = &String> {
        self.owners.iter().flat_map(|owner| owner.path.columns())
    }

    /// Returns the column that holds the Clerk user id of the only owner, if there is one.
    #[must_use]
    pub fn user_id_column(&self) -> Option<&str> {
        match self.owners.as_slice() {
            [Owner { path: OwnerPath::Column(column), .. }] => Some(column),
            _ => None,
        }
    }

    /// Whether the receipt says of the person's rows that stay that the column stays with them.
    pub(super) fn reports_as_left(&self, column: &str) -> bool {
        self.erase.strategy().reports_as_left(column) || self.owner_columns().any(|owner| owner == column)
    }

    /// Whether the column holds the Clerk user id of an owner.
    pub(super) fn holds_user_id(&self, column: &str) -> bool {
        self.owners.iter().any(|owner| matches!(&owner.path, OwnerPath::Column(name) if name == column))
    }
}

/// One of the owners of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// How the row leads to them.
    pub path: OwnerPath,
    /// The values, by column, for which the path counts; empty for all rows.
    #[serde(rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub filter: BTreeMap<String, Vec<String>>,
    /// The new values of columns when this owner leaves and the row stays with others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub forget: NewValues,
}

/// Columns that name somebody in rows that aren't theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mention {
    /// How the row leads to whom it names.
    pub path: OwnerPath,
    /// What their export contains of the row; `None`: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<ExportRule>,
    /// What happens to the row, or to the column, when they are erased.
    pub action: MentionAction,
    /// The new values of further columns that are about them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub forget: NewValues,
}

impl Mention {
    /// Returns the column, or the columns, as plan and receipt name them.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.path {
            OwnerPath::Within { .. } => self.path.to_string(),
            path => path.columns().join(", "),
        }
    }
}

/// What happens to a mention of somebody who is erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MentionAction {
    /// The column gets a new value.
    Overwrite(NewValue),
    /// The row is deleted, unless it is the person's own.
    Delete,
    /// The mention stays.
    Keep {
        /// Why, and on what legal basis.
        reason: String,
    },
    /// The application never creates such rows. Where one is found all the same, nothing is erased.
    #[serde(rename = "none")]
    Forbid,
}

/// The form is part of [`PlanHash`](super::PlanHash), so that of a single owner must stay as it is.
fn serialize_owners<S: Serializer>(owners: &[Owner], serializer: S) -> Result<S::Ok, S::Error> {
    match owners {
        [Owner { path, filter, forget }] if filter.is_empty() && forget.is_empty() => path.serialize(serializer),
        owners => owners.serialize(serializer),
    }
}

/// What an export contains of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

impl ExportRule {
    /// Whether it has the column.
    pub(super) fn contains(&self, column: &String) -> bool {
        match self {
            Self::All => true,
            Self::Only(columns) => columns.contains(column),
            Self::Except { columns, .. } => !columns.contains(column),
            Self::Nothing { .. } => false,
        }
    }
}

/// What happens to other people's rows that reference deleted rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// The referencing column.
    pub column: String,
    /// What happens to the rows.
    #[serde(rename = "others")]
    pub action: ReferenceAction,
    /// Why that is right.
    pub reason: String,
}

/// Tables that are neither exported nor erased.
#[derive(Clone, Debug, Serialize)]
pub struct IgnoredTable {
    /// Schema and table. In maps of the second language `*` stands for any text.
    pub name: String,
    /// Why they hold no personal data.
    pub reason: String,
}

/// Returns the label of a table whose entry has none: `Api keys` for `public.api_keys`.
pub(super) fn default_label(name: &str) -> String {
    let table = name.rsplit_once('.').map_or(name, |(_, table)| table).replace('_', " ");
    let mut letters = table.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
