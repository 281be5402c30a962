//! Copies of rows that an erasure doesn't reach, and indexes by which it finds rows. Read for warnings; nothing is refused because
//! of them.

use sqlx::PgConnection;

/// A table whose changes are published to other databases.
#[derive(sqlx::FromRow)]
pub(in crate::data_map) struct Publication {
    pub(in crate::data_map) name: String,
    /// Schema and table.
    pub(in crate::data_map) table: String,
    /// Whether changes and deletions of rows are published.
    pub(in crate::data_map) is_complete: bool,
}

/// A materialized view that has rows of a table.
#[derive(sqlx::FromRow)]
pub(in crate::data_map) struct StoredCopy {
    /// Schema and name of the view.
    pub(in crate::data_map) view: String,
    /// Schema and table.
    pub(in crate::data_map) table: String,
}

/// What an index without a condition compares: columns, and expressions such as `lower(address)`, in their order.
#[derive(sqlx::FromRow)]
pub(in crate::data_map) struct IndexColumns {
    /// Schema and table.
    pub(in crate::data_map) table: String,
    pub(in crate::data_map) columns: Vec<String>,
}

/// Everything of the kind.
pub(in crate::data_map) struct SideEffects {
    pub(in crate::data_map) publications: Vec<Publication>,
    pub(in crate::data_map) stored_copies: Vec<StoredCopy>,
    pub(in crate::data_map) indexes: Vec<IndexColumns>,
    /// Whether the database has large objects, which no row owns.
    pub(in crate::data_map) has_large_objects: bool,
}

const PUBLICATIONS: &str = r#"
    SELECT p.pubname::text AS name, t.schemaname || '.' || t.tablename AS "table", p.pubupdate AND p.pubdelete AS is_complete
    FROM pg_publication_tables t JOIN pg_publication p ON p.pubname = t.pubname
    ORDER BY 1, 2"#;

/// A view's query depends on the tables that it reads by its rewrite rule.
const STORED_COPIES: &str = r#"
    SELECT DISTINCT vn.nspname || '.' || v.relname AS view, tn.nspname || '.' || t.relname AS "table"
    FROM pg_class v JOIN pg_namespace vn ON vn.oid = v.relnamespace
    JOIN pg_rewrite r ON r.ev_class = v.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class t ON t.oid = d.refobjid AND t.oid <> v.oid JOIN pg_namespace tn ON tn.oid = t.relnamespace
    WHERE v.relkind = 'm'
    ORDER BY 1, 2"#;

const INDEXES: &str = r#"
    SELECT n.nspname || '.' || c.relname AS "table",
        ARRAY(
            SELECT coalesce(a.attname::text, pg_get_indexdef(i.indexrelid, k.ordinal::int, true))
            FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, ordinal)
            LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number AND k.number > 0
            WHERE k.ordinal <= i.indnkeyatts ORDER BY k.ordinal
        ) AS columns
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.indisvalid AND i.indpred IS NULL AND NOT c.relispartition
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'"#;

impl SideEffects {
    pub(in crate::data_map) async fn read(connection: &mut PgConnection) -> sqlx::Result<Self> {
        Ok(Self {
            publications: sqlx::query_as(PUBLICATIONS).fetch_all(&mut *connection).await?,
            stored_copies: sqlx::query_as(STORED_COPIES).fetch_all(&mut *connection).await?,
            indexes: sqlx::query_as(INDEXES).fetch_all(&mut *connection).await?,
            has_large_objects: sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_largeobject_metadata)")
                .fetch_one(&mut *connection)
                .await?,
        })
    }

    /// Whether an index finds rows of the table by these columns, in any order.
    pub(in crate::data_map) fn has_index(&self, table: &str, columns: &[String]) -> bool {
        self.indexes.iter().filter(|index| index.table == table).any(|index| {
            let first = index.columns.iter().take(columns.len());
            index.columns.len() >= columns.len() && first.clone().all(|column| columns.contains(column))
        })
    }

    /// Whether an index finds rows of the table by a function of the column.
    pub(in crate::data_map) fn has_index_on_function(&self, table: &str, function: &str, column: &str) -> bool {
        let of_table = self.indexes.iter().filter(|index| index.table == table);
        let mut expressions = of_table.filter_map(|index| index.columns.first());
        expressions.any(|expression| {
            let arguments = expression.strip_prefix(function).and_then(|rest| rest.strip_prefix('('));
            arguments.is_some_and(|arguments| arguments.contains(column))
        })
    }
}
