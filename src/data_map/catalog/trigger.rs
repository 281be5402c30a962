//! Triggers, and what the functions that they run write.

use sqlx::PgConnection;

/// A trigger that runs when rows of a table are changed or deleted.
#[derive(sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "a row of the catalog: each is a fact of its own")]
pub(in crate::data_map) struct Trigger {
    /// Schema and table.
    pub(in crate::data_map) table: String,
    pub(in crate::data_map) name: String,
    /// Schema and name.
    pub(in crate::data_map) function: String,
    /// Whether the function has the rights of its owner, not those of the role that changes the rows.
    pub(in crate::data_map) is_security_definer: bool,
    pub(in crate::data_map) runs_on_update: bool,
    pub(in crate::data_map) runs_on_delete: bool,
    /// The statements that write in its source and in that of the functions that it calls: `insert into audit.log`. Those that it
    /// puts together aren't found.
    pub(in crate::data_map) writes: Vec<String>,
    /// Whether they run statements that they put together.
    pub(in crate::data_map) has_dynamic_sql: bool,
}

/// Bits of `pg_trigger.tgtype`: 8 for DELETE, 16 for UPDATE. A function that another one calls is found by its name in the source.
const TRIGGERS: &str = r#"
    WITH RECURSIVE written AS (
        SELECT p.oid, p.proname, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) AS source
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
        WHERE l.lanname IN ('sql', 'plpgsql') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            AND NOT EXISTS (
                SELECT FROM pg_depend d
                WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
            )
    ), called AS (
        SELECT t.tgfoid AS root, t.tgfoid AS function FROM pg_trigger t WHERE NOT t.tgisinternal
        UNION
        SELECT called.root, callee.oid
        FROM called JOIN written AS caller ON caller.oid = called.function
        JOIN written AS callee ON strpos(lower(caller.source), lower(callee.proname)) > 0
            AND caller.source ~* ('\m' || regexp_replace(callee.proname, '([^[:alnum:]_])', '\\\1', 'g') || '"?\s*\(')
    )
    SELECT n.nspname || '.' || c.relname AS "table", t.tgname::text AS name, f.nspname || '.' || p.proname AS function,
        p.prosecdef AS is_security_definer, (t.tgtype & 16) <> 0 AS runs_on_update, (t.tgtype & 8) <> 0 AS runs_on_delete,
        ARRAY(
            SELECT DISTINCT lower(regexp_replace(match[1], '\s+', ' ', 'g')) || ' ' || match[2]
            FROM called JOIN written ON written.oid = called.function, regexp_matches(
                written.source,
                '\m(insert\s+into|update|delete\s+from)\s+((?:[[:alpha:]_][[:alnum:]_]*|"[^"]+")(?:\.(?:[[:alpha:]_][[:alnum:]_]*|"[^"]+"))?)',
                'gi'
            ) AS match
            WHERE called.root = t.tgfoid ORDER BY 1
        ) AS writes,
        EXISTS (
            SELECT FROM called JOIN written ON written.oid = called.function
            WHERE called.root = t.tgfoid AND written.source ~* '\mexecute\M'
        ) AS has_dynamic_sql
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = coalesce(pg_partition_root(t.tgrelid), t.tgrelid)::oid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace f ON f.oid = p.pronamespace
    WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled <> 'D'
    ORDER BY 1, 2"#;

pub(in crate::data_map) async fn read(connection: &mut PgConnection) -> sqlx::Result<Vec<Trigger>> {
    sqlx::query_as(TRIGGERS).fetch_all(connection).await
}

impl Trigger {
    /// Whether changes or deletions of rows run it.
    pub(in crate::data_map) const fn runs_in_erasures(&self) -> bool {
        self.runs_on_update || self.runs_on_delete
    }

    /// Returns what it writes: the privilege, and the table as its source names it, without quotes.
    pub(in crate::data_map) fn written_tables(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.writes.iter().filter_map(|statement| {
            let privileges = [("insert into ", "INSERT"), ("update ", "UPDATE"), ("delete from ", "DELETE")];
            let (table, privilege) = privileges
                .into_iter()
                .find_map(|(keyword, privilege)| Some((statement.strip_prefix(keyword)?, privilege)))?;
            Some((privilege, table.replace('"', "")))
        })
    }
}
