//! The queries on `pg_catalog`.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use sqlx::types::Json;

use super::schema::{Column, ForeignKey, OnDelete, PgCatalog, Privileges, Relation, RelationKind, UniqueIndex};
use super::trigger;
use crate::data_map::index::{IndexedVec, Position, RelationIndex};

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
    inherits_from: Vec<String>,
    rewrite_rules: Vec<String>,
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
                        a.attnum = ANY (i.indkey::smallint[]) OR i.indexprs IS NOT NULL AND EXISTS (
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
                'null_is_value', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false),
                'predicate', pg_get_expr(i.indpred, i.indrelid),
                'expressions', pg_get_expr(i.indexprs, i.indrelid)
            ))
            FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
            WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion) AND i.indisvalid
        ), '[]') AS unique_indexes,
        row_security_active(c.oid) AS policies,
        ARRAY(
            SELECT r.rulename::text FROM pg_rewrite r
            WHERE r.ev_class = c.oid AND r.ev_type IN ('2', '4') AND r.ev_enabled <> 'D' ORDER BY 1
        ) AS rewrite_rules,
        ARRAY(
            WITH RECURSIVE ancestor AS (
                SELECT h.inhparent FROM pg_inherits h WHERE h.inhrelid = c.oid
                UNION SELECT h.inhparent FROM pg_inherits h JOIN ancestor a ON h.inhrelid = a.inhparent
            )
            SELECT pn.nspname || '.' || p.relname
            FROM ancestor a JOIN pg_class p ON p.oid = a.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
        ) AS inherits_from,
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

/// The base type of a domain over a domain is that of the innermost.
const COLUMNS: &str = "
    WITH RECURSIVE domain AS (
        SELECT oid, typbasetype FROM pg_type WHERE typtype = 'd'
        UNION ALL
        SELECT domain.oid, inner_domain.typbasetype FROM domain
        JOIN pg_type inner_domain ON inner_domain.oid = domain.typbasetype AND inner_domain.typtype = 'd'
    )
    SELECT a.attrelid::bigint AS relation, a.attname::text AS name,
        format_type(a.atttypid, a.atttypmod) AS type_name,
        coalesce(base.typname, t.typname)::text AS base_type,
        NOT (a.attnotnull OR t.typnotnull) AS nullable,
        a.attgenerated <> '' OR a.attidentity = 'a' AS generated,
        comments.text AS comment
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN (
        SELECT domain.oid, innermost.typname FROM domain
        JOIN pg_type innermost ON innermost.oid = domain.typbasetype AND innermost.typtype <> 'd'
    ) AS base ON base.oid = a.atttypid
    LEFT JOIN (
        SELECT objoid, objsubid, string_agg(note, '; ' ORDER BY is_label, note) AS text FROM (
            SELECT objoid, objsubid, description AS note, false AS is_label
            FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid = ANY ($1::bigint[]::oid[])
            UNION ALL
            SELECT objoid, objsubid, label, true
            FROM pg_seclabel WHERE classoid = 'pg_class'::regclass AND objoid = ANY ($1::bigint[]::oid[])
        ) AS notes GROUP BY objoid, objsubid
    ) AS comments ON comments.objoid = a.attrelid AND comments.objsubid = a.attnum
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

/// The copies of a foreign key on partitions have a `conparentid`. Those of a partition alone, or to one, count for its table.
const FOREIGN_KEYS: &str = "
    SELECT k.conname::text AS name, coalesce(pg_partition_root(k.conrelid), k.conrelid)::oid::bigint AS child,
        coalesce(pg_partition_root(k.confrelid), k.confrelid)::oid::bigint AS parent,
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
        AND coalesce(pg_partition_root(k.conrelid), k.conrelid)::oid = ANY ($1::bigint[]::oid[])
        AND coalesce(pg_partition_root(k.confrelid), k.confrelid)::oid = ANY ($1::bigint[]::oid[])
    ORDER BY k.conrelid, k.conname";

pub(in crate::data_map) async fn read(connection: &mut PgConnection) -> sqlx::Result<PgCatalog> {
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
    Ok(PgCatalog { relations, foreign_keys, triggers: trigger::read(connection).await?, by_name })
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
        inherits_from: row.inherits_from,
        is_part_of_parent: false,
        rewrite_rules: row.rewrite_rules,
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
