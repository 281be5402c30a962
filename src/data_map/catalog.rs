//! Reads tables, columns, keys and foreign keys from `pg_catalog`, for every schema except the system's and Lethe's.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use sqlx::types::Json;

use super::column_names;
use super::index::{ForeignKeyIndex, IndexedVec, Position, RelationIndex};
use super::sql::quote_identifier;
use super::version::Version;

/// The part of `pg_catalog` that a data map is checked against.
pub(crate) struct PgCatalog {
    pub(super) relations: IndexedVec<RelationIndex, Relation>,
    pub(super) foreign_keys: IndexedVec<ForeignKeyIndex, ForeignKey>,
    by_name: BTreeMap<String, Vec<RelationIndex>>,
}

/// A table, materialized view or foreign table.
pub(crate) struct Relation {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) kind: RelationKind,
    pub(super) columns: Vec<Column>,
    pub(super) primary_key: Vec<String>,
    /// Columns that have a unique index of their own, without a condition.
    pub(super) unique_columns: Vec<String>,
    /// The columns of each unique index without a condition, the primary key's among them.
    pub(super) unique_keys: Vec<Vec<String>>,
    /// Every unique index, those with conditions and expressions too.
    pub(super) unique_indexes: Vec<UniqueIndex>,
    /// Whether row-level security may hide rows from Lethe's role.
    pub(super) row_security: bool,
    /// The privileges of Lethe's role.
    pub(super) privileges: Privileges,
    /// `COMMENT ON TABLE`, or a security label of `postgresql_anonymizer`.
    pub(super) comment: Option<String>,
}

/// A unique index.
#[derive(serde::Deserialize)]
pub(super) struct UniqueIndex {
    pub(super) name: String,
    /// The columns that it depends on, those of its expressions and its condition too.
    pub(super) columns: Vec<String>,
    /// Those of them that it compares as they are.
    pub(super) key_columns: Vec<String>,
    /// Whether NULL counts as a value: NULLS NOT DISTINCT.
    pub(super) null_is_value: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RelationKind {
    Table,
    MaterializedView,
    ForeignTable,
}

impl RelationKind {
    /// Returns what a sentence calls it.
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::MaterializedView => "materialized view",
            Self::ForeignTable => "foreign table",
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Privileges {
    pub(super) select: bool,
    pub(super) update: bool,
    pub(super) delete: bool,
}

pub(crate) struct Column {
    pub(super) name: String,
    /// As `format_type` writes it, for a CAST.
    pub(super) type_name: String,
    /// The type's name without length; for a domain that of its base type.
    pub(super) base_type: String,
    pub(super) nullable: bool,
    /// Whether the database generates it, so that no statement may write it.
    pub(super) generated: bool,
    /// `COMMENT ON COLUMN`, or a security label of `postgresql_anonymizer`.
    pub(super) comment: Option<String>,
}

/// A foreign key from `child` to `parent`.
pub(super) struct ForeignKey {
    pub(super) name: String,
    pub(super) child: RelationIndex,
    pub(super) columns: Vec<String>,
    pub(super) parent: RelationIndex,
    pub(super) parent_columns: Vec<String>,
    pub(super) on_delete: OnDelete,
    pub(super) deferrable: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDelete {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

impl Relation {
    /// Schema and table, as the map writes them.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    /// Schema and table, quoted.
    pub(super) fn quoted_name(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.table))
    }

    /// Returns columns that tell rows apart: the primary key, or those of a unique index, all NOT NULL. Empty if there are none.
    pub(super) fn row_key(&self) -> &[String] {
        let is_not_null = |name: &String| self.column(name).is_some_and(|column| !column.nullable);
        let unique = || self.unique_keys.iter().find(|key| key.iter().all(is_not_null)).map_or(&[][..], Vec::as_slice);
        if self.primary_key.is_empty() { unique() } else { &self.primary_key }
    }

    /// Whether these columns are those of a unique index, in any order.
    pub(super) fn is_unique_key(&self, columns: &[String]) -> bool {
        let is_same =
            |key: &Vec<String>| key.len() == columns.len() && columns.iter().all(|column| key.contains(column));
        self.unique_keys.iter().any(is_same)
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Column {
    /// Whether it can hold a Clerk user id.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.base_type.as_str(), "text" | "varchar" | "citext")
    }

    /// The same with the names that the language of a map knows: the second knows their endings.
    pub(super) fn may_hold_user_id_in(&self, version: Version) -> bool {
        match version {
            Version::First => self.may_hold_user_id(),
            Version::Second => self.is_text() && column_names::is_key_of_person(&self.name),
        }
    }

    /// Whether its values can be searched for what they say: a text, an array, or JSON.
    pub(super) fn may_hold_text(&self) -> bool {
        self.is_text() || matches!(self.base_type.as_str(), "json" | "jsonb" | "_text" | "_varchar")
    }

    /// Whether its type can hold a credential: not a number, a time or a truth value.
    pub(super) fn may_hold_credential(&self) -> bool {
        self.may_hold_text() || matches!(self.base_type.as_str(), "bytea" | "bpchar" | "uuid")
    }

    /// Returns how many characters it holds, where its type limits them.
    pub(super) fn max_length(&self) -> Option<usize> {
        let length = self.type_name.strip_prefix("character varying(")?.strip_suffix(')')?;
        length.parse().ok()
    }

    /// Whether type and name suggest that it holds a Clerk user id.
    pub(super) fn may_hold_user_id(&self) -> bool {
        self.is_text() && column_names::may_hold_user_id(&self.name)
    }

    /// Whether it can hold a time.
    pub(super) fn is_time(&self) -> bool {
        matches!(self.base_type.as_str(), "timestamptz" | "timestamp" | "date")
    }
}

impl OnDelete {
    /// Returns what it would do to other people's rows.
    pub(super) const fn consequence(self) -> &'static str {
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
    pub(super) fn relations_named(&self, name: &str) -> &[RelationIndex] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the foreign keys of `child`.
    pub(super) fn foreign_keys_of(&self, child: RelationIndex) -> impl Iterator<Item = &ForeignKey> {
        self.foreign_keys.iter().filter(move |key| key.child == child)
    }

    /// Whether a foreign key references the column.
    pub(super) fn is_referenced(&self, relation: RelationIndex, column: &str) -> bool {
        let mut foreign_keys = self.foreign_keys.iter();
        foreign_keys.any(|key| key.parent == relation && key.parent_columns.iter().any(|parent| parent == column))
    }
}

#[derive(sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "a row of facts, not a state")]
struct RelationRow {
    oid: i64,
    schema: String,
    name: String,
    kind: String,
    primary_key: Vec<String>,
    uniques: Vec<String>,
    unique_keys: Json<Vec<Vec<String>>>,
    unique_indexes: Json<Vec<UniqueIndex>>,
    policies: bool,
    may_select: bool,
    may_update: bool,
    may_delete: bool,
    comment: Option<String>,
}

/// Partitions are covered by their table; tables of extensions are left out.
const RELATIONS: &str = "
    SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
        ARRAY(
            SELECT a.attname::text FROM pg_index i
            CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, ordinal)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
            WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.ordinal
        ) AS primary_key,
        ARRAY(
            SELECT a.attname::text FROM pg_index i
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = (i.indkey::smallint[])[0]
            WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
                AND i.indpred IS NULL AND i.indexprs IS NULL
            ORDER BY a.attnum
        ) AS uniques,
        coalesce((
            SELECT json_agg((
                SELECT json_agg(a.attname ORDER BY k.ordinal)
                FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, ordinal)
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                WHERE k.ordinal <= i.indnkeyatts
            ))
            FROM pg_index i
            WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        ), '[]') AS unique_keys,
        coalesce((
            SELECT json_agg(json_build_object(
                'name', x.relname,
                'columns', ARRAY(
                    SELECT a.attname FROM pg_attribute a
                    WHERE a.attrelid = c.oid AND a.attnum > 0 AND (
                        a.attnum = ANY (i.indkey::smallint[]) OR EXISTS (
                            SELECT FROM pg_depend d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum
                        )
                    )
                ),
                'key_columns', ARRAY(
                    SELECT a.attname FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, ordinal)
                    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number WHERE k.ordinal <= i.indnkeyatts
                ),
                'null_is_value', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
            ))
            FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
            WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
        ), '[]') AS unique_indexes,
        row_security_active(c.oid) AS policies,
        has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS may_select,
        has_table_privilege(c.oid, 'UPDATE') AS may_update,
        has_table_privilege(c.oid, 'DELETE') AS may_delete,
        (
            SELECT string_agg(note, '; ') FROM (
                SELECT obj_description(c.oid, 'pg_class') AS note
                UNION ALL
                SELECT l.label FROM pg_seclabel l WHERE l.classoid = 'pg_class'::regclass AND l.objoid = c.oid AND l.objsubid = 0
            ) AS notes
        ) AS comment
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'lethe', 'lethe_jobs')
        AND n.nspname !~ '^pg_(toast|temp)'
        AND NOT EXISTS (
            SELECT FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        )
    ORDER BY n.nspname, c.relname";

#[derive(sqlx::FromRow)]
struct ColumnRow {
    relation: i64,
    name: String,
    type_name: String,
    base_type: String,
    nullable: bool,
    generated: bool,
    comment: Option<String>,
}

const COLUMNS: &str = "
    SELECT a.attrelid::bigint AS relation, a.attname::text AS name,
        format_type(a.atttypid, a.atttypmod) AS type_name,
        coalesce(base.typname, t.typname)::text AS base_type,
        NOT (a.attnotnull OR t.typnotnull) AS nullable,
        a.attgenerated <> '' OR a.attidentity = 'a' AS generated,
        (
            SELECT string_agg(note, '; ') FROM (
                SELECT col_description(a.attrelid, a.attnum) AS note
                UNION ALL
                SELECT l.label FROM pg_seclabel l
                WHERE l.classoid = 'pg_class'::regclass AND l.objoid = a.attrelid AND l.objsubid = a.attnum
            ) AS notes
        ) AS comment
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type base ON t.typtype = 'd' AND base.oid = t.typbasetype
    WHERE a.attrelid = ANY ($1::bigint[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum";

#[derive(sqlx::FromRow)]
struct ForeignKeyRow {
    name: String,
    child: i64,
    columns: Vec<String>,
    parent: i64,
    parent_columns: Vec<String>,
    on_delete: String,
    deferrable: bool,
}

/// The copies of a foreign key on partitions have a `conparentid`.
const FOREIGN_KEYS: &str = "
    SELECT k.conname::text AS name, k.conrelid::bigint AS child, k.confrelid::bigint AS parent,
        ARRAY(
            SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS c (number, ordinal)
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.number ORDER BY c.ordinal
        ) AS columns,
        ARRAY(
            SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS c (number, ordinal)
            JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.number ORDER BY c.ordinal
        ) AS parent_columns,
        k.confdeltype::text AS on_delete, k.condeferrable AS deferrable
    FROM pg_constraint k
    WHERE k.contype = 'f' AND k.conparentid = 0
        AND k.conrelid = ANY ($1::bigint[]::oid[]) AND k.confrelid = ANY ($1::bigint[]::oid[])
    ORDER BY k.conrelid, k.conname";

pub(super) async fn read(connection: &mut PgConnection) -> sqlx::Result<PgCatalog> {
    let rows: Vec<RelationRow> = sqlx::query_as(RELATIONS).fetch_all(&mut *connection).await?;
    let oids: Vec<i64> = rows.iter().map(|row| row.oid).collect();
    let columns: Vec<ColumnRow> = sqlx::query_as(COLUMNS).bind(&oids).fetch_all(&mut *connection).await?;
    let keys: Vec<ForeignKeyRow> = sqlx::query_as(FOREIGN_KEYS).bind(&oids).fetch_all(&mut *connection).await?;

    let index_by_oid: BTreeMap<i64, RelationIndex> =
        oids.iter().enumerate().map(|(position, oid)| (*oid, RelationIndex::new(position))).collect();
    let mut relations: Vec<Relation> = rows.into_iter().map(relation_from_row).collect();
    for row in columns {
        let ColumnRow { relation, name, type_name, base_type, nullable, generated, comment } = row;
        let columns = &mut relations[index_by_oid[&relation].get()].columns;
        columns.push(Column { name, type_name, base_type, nullable, generated, comment });
    }
    let relations: IndexedVec<RelationIndex, Relation> = relations.into_iter().collect();
    let foreign_keys = keys
        .into_iter()
        .map(|row| ForeignKey {
            name: row.name,
            child: index_by_oid[&row.child],
            columns: row.columns,
            parent: index_by_oid[&row.parent],
            parent_columns: row.parent_columns,
            on_delete: on_delete_from_code(&row.on_delete),
            deferrable: row.deferrable,
        })
        .collect();
    let mut by_name: BTreeMap<String, Vec<RelationIndex>> = BTreeMap::new();
    for (index, relation) in relations.enumerate() {
        by_name.entry(relation.name()).or_default().push(index);
    }
    Ok(PgCatalog { relations, foreign_keys, by_name })
}

fn relation_from_row(row: RelationRow) -> Relation {
    let kind = match row.kind.as_str() {
        "m" => RelationKind::MaterializedView,
        "f" => RelationKind::ForeignTable,
        _ => RelationKind::Table,
    };
    Relation {
        schema: row.schema,
        table: row.name,
        kind,
        columns: Vec::new(),
        primary_key: row.primary_key,
        unique_columns: row.uniques,
        unique_keys: row.unique_keys.0,
        unique_indexes: row.unique_indexes.0,
        row_security: row.policies,
        privileges: Privileges { select: row.may_select, update: row.may_update, delete: row.may_delete },
        comment: row.comment,
    }
}

/// Translates `pg_constraint.confdeltype`.
fn on_delete_from_code(code: &str) -> OnDelete {
    match code {
        "r" => OnDelete::Restrict,
        "c" => OnDelete::Cascade,
        "n" => OnDelete::SetNull,
        "d" => OnDelete::SetDefault,
        _ => OnDelete::NoAction,
    }
}
