//! Tables, columns, keys and foreign keys.

use std::collections::BTreeMap;

use crate::data_map::column_names;
use crate::data_map::index::{ForeignKeyIndex, IndexedVec, RelationIndex};
use crate::data_map::sql::quote_identifier;
use crate::data_map::version::Version;

/// The part of `pg_catalog` that a data map is checked against.
pub(crate) struct PgCatalog {
    pub(in crate::data_map) relations: IndexedVec<RelationIndex, Relation>,
    pub(in crate::data_map) foreign_keys: IndexedVec<ForeignKeyIndex, ForeignKey>,
    pub(super) by_name: BTreeMap<String, Vec<RelationIndex>>,
}

/// A table, materialized view or foreign table.
pub(crate) struct Relation {
    pub(in crate::data_map) schema: String,
    pub(in crate::data_map) table: String,
    pub(in crate::data_map) kind: RelationKind,
    pub(in crate::data_map) columns: Vec<Column>,
    pub(in crate::data_map) primary_key: Vec<String>,
    /// Columns that have a unique index of their own, without a condition.
    pub(in crate::data_map) unique_columns: Vec<String>,
    /// The columns of each unique index without a condition, the primary key's among them.
    pub(in crate::data_map) unique_keys: Vec<Vec<String>>,
    /// Every unique index, those with conditions and expressions too.
    pub(in crate::data_map) unique_indexes: Vec<UniqueIndex>,
    /// Whether row-level security may hide rows from Lethe's role.
    pub(in crate::data_map) row_security: bool,
    /// The privileges of Lethe's role.
    pub(in crate::data_map) privileges: Privileges,
    /// `COMMENT ON TABLE`, or a security label of `postgresql_anonymizer`.
    pub(in crate::data_map) comment: Option<String>,
}

/// A unique index.
#[derive(serde::Deserialize)]
pub(in crate::data_map) struct UniqueIndex {
    pub(in crate::data_map) name: String,
    /// The columns that it depends on, those of its expressions and its condition too.
    pub(in crate::data_map) columns: Vec<String>,
    /// Those of them that it compares as they are.
    pub(in crate::data_map) key_columns: Vec<String>,
    /// Whether NULL counts as a value: NULLS NOT DISTINCT.
    pub(in crate::data_map) null_is_value: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::data_map) enum RelationKind {
    Table,
    MaterializedView,
    ForeignTable,
}

impl RelationKind {
    /// Returns what a sentence calls it.
    pub(in crate::data_map) const fn describe(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::MaterializedView => "materialized view",
            Self::ForeignTable => "foreign table",
        }
    }
}

#[derive(Clone, Copy)]
pub(in crate::data_map) struct Privileges {
    pub(in crate::data_map) select: bool,
    pub(in crate::data_map) update: bool,
    pub(in crate::data_map) delete: bool,
}

pub(crate) struct Column {
    pub(in crate::data_map) name: String,
    /// As `format_type` writes it, for a CAST.
    pub(in crate::data_map) type_name: String,
    /// The type's name without length; for a domain that of its base type.
    pub(in crate::data_map) base_type: String,
    pub(in crate::data_map) nullable: bool,
    /// Whether the database generates it, so that no statement may write it.
    pub(in crate::data_map) generated: bool,
    /// `COMMENT ON COLUMN`, or a security label of `postgresql_anonymizer`.
    pub(in crate::data_map) comment: Option<String>,
}

/// A foreign key from `child` to `parent`.
pub(in crate::data_map) struct ForeignKey {
    pub(in crate::data_map) name: String,
    pub(in crate::data_map) child: RelationIndex,
    pub(in crate::data_map) columns: Vec<String>,
    pub(in crate::data_map) parent: RelationIndex,
    pub(in crate::data_map) parent_columns: Vec<String>,
    pub(in crate::data_map) on_delete: OnDelete,
    pub(in crate::data_map) deferrable: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::data_map) enum OnDelete {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

impl Relation {
    /// Schema and table, as the map writes them.
    pub(in crate::data_map) fn name(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    /// Schema and table, quoted.
    pub(in crate::data_map) fn quoted_name(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.table))
    }

    /// Returns columns that tell rows apart: the primary key, or those of a unique index, all NOT NULL. Empty if there are none.
    pub(in crate::data_map) fn row_key(&self) -> &[String] {
        let is_not_null = |name: &String| self.column(name).is_some_and(|column| !column.nullable);
        let unique = || self.unique_keys.iter().find(|key| key.iter().all(is_not_null)).map_or(&[][..], Vec::as_slice);
        if self.primary_key.is_empty() { unique() } else { &self.primary_key }
    }

    /// Whether these columns are those of a unique index, in any order.
    pub(in crate::data_map) fn is_unique_key(&self, columns: &[String]) -> bool {
        let is_same =
            |key: &Vec<String>| key.len() == columns.len() && columns.iter().all(|column| key.contains(column));
        self.unique_keys.iter().any(is_same)
    }

    pub(in crate::data_map) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Column {
    /// Whether it can hold a Clerk user id.
    pub(in crate::data_map) fn is_text(&self) -> bool {
        matches!(self.base_type.as_str(), "text" | "varchar" | "citext")
    }

    /// The same with the names that the language of a map knows: the second knows their endings.
    pub(in crate::data_map) fn may_hold_user_id_in(&self, version: Version) -> bool {
        match version {
            Version::First => self.may_hold_user_id(),
            Version::Second => self.is_text() && column_names::is_key_of_person(&self.name),
        }
    }

    /// Whether its values can be searched for what they say: a text, an array, or JSON.
    pub(in crate::data_map) fn may_hold_text(&self) -> bool {
        self.is_text() || matches!(self.base_type.as_str(), "json" | "jsonb" | "_text" | "_varchar")
    }

    /// Whether its type can hold a credential: not a number, a time or a truth value.
    pub(in crate::data_map) fn may_hold_credential(&self) -> bool {
        self.may_hold_text() || matches!(self.base_type.as_str(), "bytea" | "bpchar" | "uuid")
    }

    /// Returns how many characters it holds, where its type limits them.
    pub(in crate::data_map) fn max_length(&self) -> Option<usize> {
        let length = self.type_name.strip_prefix("character varying(")?.strip_suffix(')')?;
        length.parse().ok()
    }

    /// Whether type and name suggest that it holds a Clerk user id.
    pub(in crate::data_map) fn may_hold_user_id(&self) -> bool {
        self.is_text() && column_names::may_hold_user_id(&self.name)
    }

    /// Whether it can hold a time.
    pub(in crate::data_map) fn is_time(&self) -> bool {
        matches!(self.base_type.as_str(), "timestamptz" | "timestamp" | "date")
    }
}

impl OnDelete {
    /// Returns what it would do to other people's rows.
    pub(in crate::data_map) const fn consequence(self) -> &'static str {
        match self {
            Self::NoAction | Self::Restrict => "would block the deletion",
            Self::Cascade => "would silently delete other people's rows (ON DELETE CASCADE)",
            Self::SetNull => "would silently detach other people's rows (ON DELETE SET NULL)",
            Self::SetDefault => "would silently point other people's rows elsewhere (ON DELETE SET DEFAULT)",
        }
    }
}

impl PgCatalog {
    /// Returns the relations with this name: more than one only where dots in names make it ambiguous.
    pub(in crate::data_map) fn relations_named(&self, name: &str) -> &[RelationIndex] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the foreign keys of `child`.
    pub(in crate::data_map) fn foreign_keys_of(&self, child: RelationIndex) -> impl Iterator<Item = &ForeignKey> {
        self.foreign_keys.iter().filter(move |key| key.child == child)
    }

    /// Whether a foreign key references the column.
    pub(in crate::data_map) fn is_referenced(&self, relation: RelationIndex, column: &str) -> bool {
        let mut foreign_keys = self.foreign_keys.iter();
        foreign_keys.any(|key| key.parent == relation && key.parent_columns.iter().any(|parent| parent == column))
    }
}
