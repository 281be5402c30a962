//! A person's rows at one instant.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_stream::try_stream;
use futures::{Stream, TryStreamExt};
use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::bytes::{BufMut, Bytes, BytesMut};

use crate::Result;
use crate::data_map::{self, DataMap, Resolved, Table, sql};
use crate::ids::ClerkUserId;

/// Pieces are sent when they reach this size.
const CHUNK_BYTES: usize = 32 * 1024;

/// Times are told in UTC and in ISO 8601, whatever the server's settings are.
const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const SETTINGS: &str = "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; \
    SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL extra_float_digits = 1; SET LOCAL lc_monetary = 'C'";

/// A person's rows at one instant: a read-only transaction on a connection that belongs to it
/// alone. Dropping it closes the connection, which ends the transaction, wherever it is.
pub struct Snapshot {
    connection: PgConnection,
    resolved: Resolved,
    subject: ClerkUserId,
    rows: Tally,
}

/// How many rows were written so far.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<AtomicU64>);

impl Tally {
    /// The number.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Snapshot {
    /// Takes a connection out of the pool for good, so that slow readers don't starve the rest.
    pub async fn open(database: &PgPool, map: &DataMap, subject: &ClerkUserId) -> Result<Self> {
        let mut connection = database.acquire().await?.detach();
        sqlx::raw_sql(BEGIN_SNAPSHOT).execute(&mut connection).await?;
        sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
        let resolved = data_map::resolve(map, &mut connection).await?;
        Ok(Self { connection, resolved, subject: subject.clone(), rows: Tally::default() })
    }

    /// Counts along while the stream is read.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.rows.clone()
    }

    /// Streams `before`, `{table: [row, …], …}` and `after`.
    ///
    /// Tables come in the order of the map, under their name without the schema where that is
    /// unambiguous; rows in the order of their primary key; columns in the order of the table. A
    /// table without rows is an empty list. Times are ISO 8601 in UTC, bytes base64, whole numbers
    /// beyond ±(2^53 − 1) and numerics of more than fifteen digits text, so that no reader loses any.
    pub fn write(self, prefix: String, suffix: &'static str) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let Self { mut connection, resolved, subject, rows: tally } = self;
        try_stream! {
            let mut piece = BytesMut::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4);
            piece.put_slice(prefix.as_bytes());
            piece.put_u8(b'{');
            let names = names_in_file(&resolved);
            for (index, (table, name)) in names.iter().enumerate() {
                piece.put_slice(if index == 0 { b"\n" } else { b",\n" });
                piece.put_slice(serde_json::Value::from(name.as_str()).to_string().as_bytes());
                piece.put_slice(b":[");
                let query = sql::query_scalar::<String>(select(&resolved, *table)).bind(subject.as_str());
                let mut rows = query.fetch(&mut connection);
                let mut first = true;
                while let Some(row) = rows.try_next().await? {
                    piece.put_slice(if first { b"\n" } else { b",\n" });
                    piece.put_slice(row.as_bytes());
                    first = false;
                    tally.0.fetch_add(1, Ordering::Relaxed);
                    if piece.len() >= CHUNK_BYTES {
                        yield piece.split().freeze();
                    }
                }
                piece.put_u8(b']');
            }
            // Everything was read; what is left can't fail any more.
            sqlx::raw_sql("COMMIT").execute(&mut connection).await?;
            connection.close().await?;
            piece.put_u8(b'}');
            piece.put_slice(suffix.as_bytes());
            yield piece.freeze();
        }
    }
}

/// The exported tables by place, each with its key in the file.
fn names_in_file(resolved: &Resolved) -> Vec<(usize, String)> {
    let exported = resolved.tables.iter().enumerate().filter(|(_, table)| table.export.is_some());
    let short =
        |table: &Table| table.rule.name.rsplit_once('.').map_or(table.rule.name.clone(), |(_, name)| name.to_owned());
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for (_, table) in exported.clone() {
        *uses.entry(short(table)).or_default() += 1;
    }
    exported
        .map(|(index, table)| {
            let name = short(table);
            (index, if uses[&name] == 1 { name } else { table.rule.name.clone() })
        })
        .collect()
}

/// Every row of the person in one table, as JSON text.
fn select(resolved: &Resolved, table_index: usize) -> String {
    let table = &resolved.tables[table_index];
    let columns: Vec<String> = table.export.iter().flatten().map(|column| column.json("t")).collect();
    // `r.*` and not `r`, which would be a column of that name where there is one.
    format!(
        "SELECT to_json(r.*)::text FROM (SELECT {} FROM {} AS t WHERE {} ORDER BY {}) AS r",
        columns.join(", "),
        table.sql,
        resolved.owned_rows(table_index, "t"),
        table.order_by("t")
    )
}
