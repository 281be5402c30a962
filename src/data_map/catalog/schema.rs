//! Tables, columns, keys and foreign keys.

use std::collections::BTreeMap;

use super::trigger::Trigger;
use crate::data_map::column_names;
use crate::data_map::index::{ForeignKeyIndex, IndexedVec, RelationIndex};
use crate::data_map::sql::quote_identifier;
use crate::data_map::version::Version;

/// The part of `pg_catalog` that a data map is checked against.
pub(crate) struct PgCatalog {
    pub(in crate::data_map) relations: IndexedVec<RelationIndex, Relation>,
    pub(in crate::data_map) foreign_keys: IndexedVec<ForeignKeyIndex, ForeignKey>,
    pub(in crate::data_map) triggers: Vec<Trigger>,
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
    /// The tables, with their schemas, whose rows these are among: all from which a table inherits, directly or not.
    pub(in crate::data_map) inherits_from: Vec<String>,
    /// Whether the map treats its rows as rows of that table, see [`PgCatalog::merge_inheriting`].
    pub(in crate::data_map) is_part_of_parent: bool,
    /// Rules (CREATE RULE) that replace or extend an UPDATE or a DELETE.
    pub(in crate::data_map) rewrite_rules: Vec<String>,
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
    /// The columns that it depends on. Those of its condition are among them only if it has expressions.
    pub(in crate::data_map) columns: Vec<String>,
    /// Those of them that it compares as they are.
    pub(in crate::data_map) key_columns: Vec<String>,
    /// Whether NULL counts as a value: NULLS NOT DISTINCT.
    pub(in crate::data_map) null_is_value: bool,
    /// The condition that its rows satisfy, as SQL, if it has one.
    pub(in crate::data_map) predicate: Option<String>,
    /// The expressions that it compares, as SQL, if it has any.
    pub(in crate::data_map) expressions: Option<String>,
}

impl UniqueIndex {
    /// Whether NULL in the column can be a value in it: by NULLS NOT DISTINCT, or by an expression that replaces NULL.
    pub(in crate::data_map) fn takes_null_for_a_value(&self, column: &str) -> bool {
        let replaces_null =
            |sql: &String| ["COALESCE(", "CASE ", "IS NULL"].iter().any(|part| sql.to_uppercase().contains(part));
        let is_in_expression = !self.key_columns.iter().any(|name| name == column);
        self.null_is_value || is_in_expression && self.expressions.as_ref().is_some_and(replaces_null)
    }
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

    /// Whether no two rows have the same values in the columns that the index compares, other than `column`.
    pub(in crate::data_map) fn has_key_within(&self, index: &UniqueIndex, column: Option<&str>) -> bool {
        let compared = |name: &String| index.key_columns.contains(name) && column != Some(name.as_str());
        self.unique_keys.iter().any(|key| key.iter().all(compared))
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
        self.is_text()
            || matches!(self.base_type.as_str(), "json" | "jsonb" | "_text" | "_varchar" | "bpchar" | "xml" | "hstore")
            || matches!(self.base_type.as_str(), "_json" | "_jsonb" | "_bpchar" | "_citext")
    }

    /// Whether its values contain texts, whatever the type: arrays, composite types and search vectors too.
    pub(in crate::data_map) fn contains_text(&self) -> bool {
        const WITHOUT: [&str; 20] = [
            "int2",
            "int4",
            "int8",
            "float4",
            "float8",
            "numeric",
            "money",
            "bool",
            "date",
            "time",
            "timetz",
            "timestamp",
            "timestamptz",
            "interval",
            "uuid",
            "bytea",
            "oid",
            "inet",
            "cidr",
            "bit",
        ];
        let element = self.base_type.strip_prefix('_').unwrap_or(&self.base_type);
        !WITHOUT.contains(&element)
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
    /// Returns what it would do to rows of the person that stay.
    pub(in crate::data_map) const fn consequence_for_own_rows(self) -> &'static str {
        match self {
            Self::NoAction | Self::Restrict => "would block the deletion",
            Self::Cascade => "would silently delete them (ON DELETE CASCADE)",
            Self::SetNull | Self::SetDefault => "would silently change them",
        }
    }

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
    /// Makes tables that inherit from another one parts of it: statements on that one reach their rows. Not if one of its heirs has an
    /// entry of its own, further columns, or inherits from another table with an entry, too: then each needs one.
    pub(in crate::data_map) fn merge_inheriting(&mut self, has_entry: impl Fn(&str) -> bool) {
        let mut parts = BTreeMap::new();
        for (index, parent) in self.relations.enumerate().filter(|(_, parent)| has_entry(&parent.name())) {
            let name = parent.name();
            let is_part = |heir: &Relation| {
                heir.columns.iter().all(|column| parent.column(&column.name).is_some())
                    && !has_entry(&heir.name())
                    && heir.inherits_from.iter().all(|other| *other == name || !has_entry(other))
            };
            let heirs = || self.relations.enumerate().filter(|(_, heir)| heir.inherits_from.contains(&name));
            if heirs().all(|(_, heir)| is_part(heir)) {
                parts.extend(heirs().map(|(heir, _)| (heir, index)));
            }
        }
        let whole = |index: &mut RelationIndex| {
            if let Some(parent) = parts.get(index) {
                *index = *parent;
            }
        };
        for key in self.foreign_keys.iter_mut() {
            whole(&mut key.child);
            whole(&mut key.parent);
        }
        for trigger in &mut self.triggers {
            if let Some(index) = self.by_name.get(&trigger.table).and_then(|indices| indices.first())
                && let Some(parent) = parts.get(index)
            {
                trigger.table = self.relations[*parent].name();
            }
        }
        for index in parts.keys() {
            self.relations[*index].is_part_of_parent = true;
        }
    }

    /// Whether a table inherits from this one and has rules of its own.
    pub(in crate::data_map) fn has_separate_heirs(&self, parent: &Relation) -> bool {
        let name = parent.name();
        let mut heirs = self.relations.iter().filter(|heir| heir.inherits_from.contains(&name));
        heirs.any(|heir| !heir.is_part_of_parent)
    }

    /// Returns the tables to which a trigger adds rows.
    pub(in crate::data_map) fn tables_with_new_rows<'a>(
        &'a self,
        trigger: &'a Trigger,
    ) -> impl Iterator<Item = RelationIndex> + 'a {
        let written = trigger.written_tables().filter(|(privilege, _)| *privilege == "INSERT");
        written.filter_map(|(_, written)| self.find_written(trigger, &written))
    }

    /// Returns the tables whose rows a trigger changes or deletes.
    pub(in crate::data_map) fn tables_with_changes<'a>(
        &'a self,
        trigger: &'a Trigger,
    ) -> impl Iterator<Item = RelationIndex> + 'a {
        let written = trigger.written_tables().filter(|(privilege, _)| *privilege != "INSERT");
        written.filter_map(|(_, written)| self.find_written(trigger, &written))
    }

    /// Finds a table by the name that a trigger's source has. Without a schema, the trigger's own comes first.
    pub(in crate::data_map) fn find_written(&self, trigger: &Trigger, written: &str) -> Option<RelationIndex> {
        let schema = trigger.table.split_once('.').map_or("", |(schema, _)| schema);
        let named = |relation: &Relation| relation.name() == written || relation.table == written;
        let all = || self.relations.enumerate().filter(|(_, relation)| named(relation));
        let beside = all().find(|(_, relation)| relation.schema == schema);
        beside.or_else(|| all().next()).map(|(index, _)| index)
    }

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
